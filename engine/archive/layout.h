/* Numbers of the .boxcar format (docs/format.md): magic, types, bits, sizes and limits. */
#ifndef BX_ARCHIVE_LAYOUT_H
#define BX_ARCHIVE_LAYOUT_H

#include <stdint.h>

#define BX_PAGE 4096u
#define BX_HEADER_LEN 128u
#define BX_ARCHIVE_MAGIC                                                                           \
	"\x89"                                                                                     \
	"BXC\r\n\x1a\n"
#define BX_ARCHIVE_MAGIC_LEN 8u

enum bx_block_type {
	BX_BLOCK_HEAD = 1,
	BX_BLOCK_DATA = 2,
	BX_BLOCK_INDEX = 3,
	BX_BLOCK_TAIL = 4,
	BX_BLOCK_META = 5,
	BX_BLOCK_HEADCOPY = 6,
	BX_BLOCK_IGNORABLE = 0x80, /* and above: a reader may skip what it does not know */
};

/* Bits of the block header. */
enum {
	BX_BLOCK_ENCRYPTED = 1u << 0,
	BX_BLOCK_MAC_ONLY = 1u << 1, /* HEADCOPY */
	BX_BLOCK_LAST = 1u << 2,     /* TAIL: the stream ends here */
	BX_BLOCK_FLAGS = 7u,
};

enum { BX_SUITE_NONE = 0, BX_SUITE_XCHACHA20POLY1305 = 1 };

enum { BX_CODEC_STORED = 0, BX_CODEC_ZSTD = 1 };

enum { BX_INDEX_LEAF = 0, BX_INDEX_ROOT = 1 };

/* Feature bits of HEAD. */
#define BX_FEAT_DIGEST 1u    /* compat: the R fields are valid */
#define BX_FEAT_ENCRYPTED 1u /* incompat */

/* Sizes of what stands before the variable parts. */
#define BX_HEAD_FIXED_LEN 192u
#define BX_HEAD_LEN_MAX (512u << 10)
#define BX_DATA_META_LEN 96u
#define BX_INDEX_META_LEN 184u
#define BX_INDEX_ENTRY_LEN 120u
#define BX_TOTALS_LEN 72u
#define BX_TAIL_META_LEN 248u
#define BX_TAIL_TYPE_LEN 40u
#define BX_TAIL_TYPES_MAX 64u
#define BX_CHANNEL_LEN 24u
#define BX_SIG_LEN 104u
#define BX_R_LEN 32u
#define BX_STANZA_X25519 1u
#define BX_STANZA_X25519_LEN 80u
#define BX_STANZAS_MAX 256u

/* Limits of the format; readers may set lower ones (bx_read_limits). */
#define BX_BODY_LEN_MAX (1u << 28)      /* stored body of a block */
#define BX_RAW_LEN_MAX (128u << 20)     /* B raw, M raw, INDEX raw, each */
#define BX_RECORDS_MAX (1u << 20)       /* in a block */
#define BX_ARCHIVE_BODY_MAX (64u << 20) /* one message */
#define BX_ARCHIVE_URI_MAX 65535u
#define BX_SEQ_MAX ((1ull << 48) - 1)
#define BX_LEAF_BLOCKS_MAX 1024u
#define BX_CODE_REST 65535u /* counters: codes that got no entry of their own */

#endif
