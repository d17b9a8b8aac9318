/* INDEX blocks as they are read: entries for blocks, and lists of what the blocks hold. */
#ifndef BX_ARCHIVE_INDEX_H
#define BX_ARCHIVE_INDEX_H

#include "archive/layout.h"
#include "archive/record.h"
#include "archive/status.h"

/* An entry: a DATA block (leaf) or a leaf INDEX (root). Format: docs/format.md "INDEX". */
struct bx_index_entry {
	uint64_t seq;
	uint64_t page_off; /* in the segment */
	uint64_t first_record;
	struct bx_totals totals;
	uint32_t pages;
	bool unlisted;  /* its channels and topics are not in the lists: it may hold any */
	uint8_t id[16]; /* its tag, or its body_crc and zeros */
};

/* What an entry has as the id of a block with this stored header. */
void bx_index_entry_id(uint8_t id[static 16], const uint8_t header[static 128]);

/* A parsed INDEX. Keeps its memory from one parse to the next. One thread at a time. */
struct bx_index;

struct bx_index *bx_index_new(void); /* NULL: no memory */
void bx_index_free(struct bx_index *index);

/*
 * Checks and takes over the inner part of an INDEX block (decrypted; `inner` is borrowed for the
 * call). After success everything below is in bounds. On failure the index is empty.
 */
enum bx_status bx_index_parse(struct bx_index *index, struct bx_span inner, uint64_t offset,
			      struct bx_fault *fault) BX_MUST_USE;

/* Exchanges what two of them hold. */
void bx_index_swap(struct bx_index *a, struct bx_index *b);

bool bx_index_is_root(const struct bx_index *index);
uint64_t bx_index_first_block(const struct bx_index *index); /* ordinal among the DATA blocks */
const uint8_t *bx_index_r(const struct bx_index *index);     /* 32 bytes */
const struct bx_index_entry *bx_index_entries(const struct bx_index *index, size_t *count);

/* Lists: what is counted, then its postings. A leaf has all three, a root only the types. */
enum bx_index_kind { BX_INDEX_TYPES, BX_INDEX_CHANNELS, BX_INDEX_TOPICS };

struct bx_index_list {
	uint16_t code;                     /* TYPES */
	struct bx_archive_channel channel; /* CHANNELS; realm points into the index */
	struct bx_span topic;              /* TOPICS; into the index; empty: not known */
	uint32_t posting_count;
	struct bx_span rest; /* private */
	uint32_t entry;      /* private */
};

struct bx_index_posting {
	uint32_t entry;            /* index into the entries, ascending in a list */
	struct bx_type_count sums; /* count >= 1; `code` is not used */
};

/* Walks the lists of a kind; *at starts { NULL, 0 }. False: no more. */
bool bx_index_next_list(const struct bx_index *index, enum bx_index_kind kind, struct bx_span *at,
			struct bx_index_list *list);
/* Walks the postings of a list. False: no more. */
bool bx_index_next_posting(struct bx_index_list *list, struct bx_index_posting *posting);

#endif
