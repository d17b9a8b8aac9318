/* Offsets inside the decrypted part of an INDEX block (docs/format.md "INDEX"). */
#ifndef BX_ARCHIVE_INDEX_LAYOUT_H
#define BX_ARCHIVE_INDEX_LAYOUT_H

/*
 * off size  field                        off size  field
 *   0    4  inner_len                     28    4  stored length of the content
 *   4    2  meta_len >= 184               32    4  raw length of the content
 *   6    1  codec                         36    4  zero
 *   7    1  kind: 0 leaf, 1 root          40    8  ordinal of the first DATA block covered
 *   8    4  n_entries                     48   32  R
 *  12    4  n_types                       80  104  sig
 *  16    4  n_realms
 *  20    4  n_channels
 *  24    4  n_topics
 *
 * content = entries || types || realms || channels || topics
 *	entry    120 bytes, below		type     uleb code, postings
 *	realm    uleb length, bytes		channel  24 bytes, postings
 *	topic    uleb length, bytes, postings
 *	postings uleb n, n x {uleb entry step, uleb count, uleb sealed, uleb plain, uleb bytes}
 *
 * entry: 0 8 seq  8 8 page_off  16 8 first_record  24 72 totals  96 4 pages  100 4 flags  104 16 id
 */
enum {
	BX_INDEX_INNER_LEN = 0,
	BX_INDEX_META_LEN_AT = 4,
	BX_INDEX_CODEC = 6,
	BX_INDEX_KIND_AT = 7,
	BX_INDEX_N_ENTRIES = 8,
	BX_INDEX_N_TYPES = 12,
	BX_INDEX_N_REALMS = 16,
	BX_INDEX_N_CHANNELS = 20,
	BX_INDEX_N_TOPICS = 24,
	BX_INDEX_STORED = 28,
	BX_INDEX_RAW = 32,
	BX_INDEX_FIRST_BLOCK = 40,
	BX_INDEX_R = 48,
	BX_INDEX_SIG = 80,

	BX_ENTRY_SEQ = 0,
	BX_ENTRY_PAGE_OFF = 8,
	BX_ENTRY_FIRST_RECORD = 16,
	BX_ENTRY_TOTALS = 24,
	BX_ENTRY_PAGES = 96,
	BX_ENTRY_FLAGS = 100,
	BX_ENTRY_ID = 104,
};

enum { BX_ENTRY_UNLISTED = 1u << 0 };

#endif
