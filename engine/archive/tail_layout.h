/* Offsets inside the decrypted part of a TAIL block, and META's items (docs/format.md). */
#ifndef BX_ARCHIVE_TAIL_LAYOUT_H
#define BX_ARCHIVE_TAIL_LAYOUT_H

/*
 * TAIL
 * off size  field                        off size  field
 *   0    4  inner_len                     40   72  totals
 *   4    2  meta_len >= 248              112   32  R
 *   6    2  n_types, at most 64          144  104  sig
 *   8    8  seq of this block            248    .  n_types x 40: u16 code, 6 zero,
 *  16    8  DATA blocks                            u64 count, sealed, plain, bytes
 *  24    8  page_off of the root INDEX
 *  32    8  pages of the segment with TAIL
 */
enum {
	BX_TAIL_INNER_LEN = 0,
	BX_TAIL_META_LEN_AT = 4,
	BX_TAIL_N_TYPES = 6,
	BX_TAIL_SEQ = 8,
	BX_TAIL_DATA_BLOCKS = 16,
	BX_TAIL_ROOT = 24,
	BX_TAIL_PAGES = 32,
	BX_TAIL_TOTALS = 40,
	BX_TAIL_R = 112,
	BX_TAIL_SIG = 144,
};

/* META: u32 inner_len, then items u16 id, u16 zero, u32 length, bytes. */
enum {
	BX_META_CREATED = 1, /* i64 */
	BX_META_WRITER = 2,
	BX_META_REALM = 3,
	BX_META_ROUTER = 4,
	BX_META_CLOCK = 5,
	BX_META_SIGNER = 6, /* a signature over HEAD */
	BX_META_LABEL = 7,
};

#endif
