#include "archive/tally.h"

#include <stdlib.h>
#include <string.h>

#include "archive/digest.h"
#include "archive/index_check.h"
#include "archive/streams.h"

struct bx_tally {
	struct bx_tally_options options;
	struct bx_streams *streams;
	struct bx_index_check *check;
	struct bx_tally_report report;
	struct bx_fault fatal; /* the first fault of a block: nothing after it is released */
	struct bx_fault noted; /* the first fault that keeps no record back */
	bool blocks_after_fatal;

	/* The current segment. */
	bool inside;
	struct bx_head head;
	uint64_t segment;
	uint64_t blocks;
	uint8_t link[32];
	struct bx_digest_chain chain;
	bool chain_known; /* every block so far came with its digest */
	uint8_t last_digest[32];
	uint8_t d0[32];
};

enum bx_err
bx_tally_new(struct bx_tally **tally, const struct bx_tally_options *options, struct bx_fail *fail)
{
	struct bx_tally *t = calloc(1, sizeof(*t));

	if (t != NULL) {
		t->options = *options;
		t->report.totals = BX_TOTALS_NONE;
		t->streams = bx_streams_new(options->hash_seed);
		t->check = bx_index_check_new(options->hash_seed);
	}
	if (t == NULL || t->streams == NULL || t->check == NULL) {
		bx_tally_free(t);
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "no memory for reading");
	}
	*tally = t;
	return BX_OK;
}

void
bx_tally_free(struct bx_tally *t)
{
	if (t == NULL)
		return;
	bx_streams_free(t->streams);
	bx_index_check_free(t->check);
	free(t);
}

static enum bx_status
fatal(struct bx_tally *t, const struct bx_walk_block *block, enum bx_status status,
      const char *what)
{
	(void)bx_status_set(&t->fatal, status, block->at, what);
	return bx_status_at(&t->fatal, status, block->segment, block->header.seq);
}

/* --- segments -------------------------------------------------------------------------------- */

static void
end_segment(struct bx_tally *t, bool has_tail, bool last)
{
	if (!t->inside)
		return;
	bx_streams_end(t->streams, t->blocks, t->link, has_tail, last);
	t->inside = false;
}

static enum bx_status
add_head(struct bx_tally *t, const struct bx_walk_block *block)
{
	if (t->options.require_signature && !block->head.digest)
		return fatal(t, block, BX_STATUS_NOT_SIGNED, "a segment without signature");
	end_segment(t, false, false);
	if (!bx_streams_begin(t->streams, &block->head, block->at))
		return fatal(t, block, BX_STATUS_NOMEM, "no memory for reading");
	bx_index_check_begin(t->check);
	t->inside = true;
	t->head = block->head;
	t->segment = block->segment;
	t->blocks = 0;
	t->chain = (struct bx_digest_chain){ .begun = false };
	t->chain_known = block->digest;
	t->report.segments++;
	return BX_STATUS_CLEAN;
}

/* The digest chain; R of the block itself is over the blocks before it. */
static void
add_digest(struct bx_tally *t, const struct bx_walk_block *block,
	   const struct bx_block_reader *reader)
{
	const uint8_t *body_digest =
	    reader == NULL ? block->body_digest : bx_block_reader_body_digest(reader);

	t->chain_known = t->chain_known && block->digest;
	if (!t->chain_known)
		return;
	bx_digest_block(block->header_bytes, body_digest, t->last_digest);
	if (!t->chain.begun)
		memcpy(t->d0, t->last_digest, 32);
	bx_digest_chain_add(&t->chain, t->last_digest);
}

/* --- blocks ---------------------------------------------------------------------------------- */

static enum bx_status
add_data(struct bx_tally *t, const struct bx_walk_block *block, struct bx_block_reader *reader)
{
	const struct bx_columns *columns = bx_block_reader_columns(reader);
	const struct bx_block_summary *summary = NULL;

	if (columns == NULL)
		return fatal(t, block, BX_STATUS_DAMAGED, "a block was not read");
	if (columns->first_record != bx_index_check_totals(t->check)->records)
		return fatal(t, block, BX_STATUS_DAMAGED,
			     "the records of a block do not follow those before it");
	if (t->options.check_index) {
		summary = bx_block_reader_summary(reader);
		if (summary == NULL)
			return fatal(t, block, BX_STATUS_NOMEM, "no memory for reading");
	}
	if (!bx_index_check_data(t->check, block->header_bytes, &columns->totals, summary))
		return fatal(t, block, BX_STATUS_NOMEM, "no memory for reading");
	bx_record_sum(&t->report.totals, &columns->totals);
	t->report.data_blocks++;
	return BX_STATUS_CLEAN;
}

static void
check_r(struct bx_tally *t, const struct bx_walk_block *block, const uint8_t *r)
{
	if (!t->chain_known || memcmp(t->chain.r, r, 32) == 0)
		return;
	(void)bx_status_set(&t->noted, BX_STATUS_INDEX_MISMATCH, block->at,
			    "the digest chain is not what a block says");
	(void)bx_status_at(&t->noted, t->noted.status, block->segment, block->header.seq);
}

static enum bx_status
add_index(struct bx_tally *t, const struct bx_walk_block *block,
	  const struct bx_block_reader *reader)
{
	const struct bx_index *index = bx_block_reader_index(reader);
	struct bx_fault fault = { 0 };
	enum bx_status status;

	if (index == NULL)
		return fatal(t, block, BX_STATUS_DAMAGED, "a block was not read");
	check_r(t, block, bx_index_r(index));
	status = bx_index_check_index(t->check, block->header_bytes, index, block->at, &fault);
	if (status == BX_STATUS_NOMEM)
		return fatal(t, block, status, fault.what);
	if (status != BX_STATUS_CLEAN) {
		(void)bx_status_set(&t->noted, status, block->at, fault.what);
		(void)bx_status_at(&t->noted, status, block->segment, block->header.seq);
	}
	return BX_STATUS_CLEAN;
}

/* A signature counts only when the chain under it was followed. */
static enum bx_status
check_signature(struct bx_tally *t, const struct bx_walk_block *block,
		const struct bx_block_reader *reader, const struct bx_tail *tail)
{
	uint8_t signer[32];
	bool good = t->chain_known && memcmp(t->chain.r, tail->r, 32) == 0 &&
		    bx_block_reader_signature(reader, NULL, signer) == BX_STATUS_CLEAN;

	if (good && t->options.signer != NULL)
		good = memcmp(signer, t->options.signer, 32) == 0;
	if (good) {
		t->report.signed_segments++;
		memcpy(t->report.signer, signer, 32);
		return BX_STATUS_CLEAN;
	}
	if (!t->options.require_signature)
		return BX_STATUS_CLEAN;
	return fatal(t, block, BX_STATUS_NOT_SIGNED,
		     "the signature of a segment is missing or does not verify");
}

static enum bx_status
add_tail(struct bx_tally *t, const struct bx_walk_block *block,
	 const struct bx_block_reader *reader)
{
	const struct bx_tail *tail = bx_block_reader_tail(reader);
	struct bx_fault fault = { 0 };
	enum bx_status status;

	if (tail == NULL)
		return fatal(t, block, BX_STATUS_DAMAGED, "a block was not read");
	check_r(t, block, tail->r);
	status = check_signature(t, block, reader, tail);
	if (status != BX_STATUS_CLEAN)
		return status;
	if (bx_index_check_tail(t->check, tail, block->at, &fault) != BX_STATUS_CLEAN) {
		(void)bx_status_set(&t->noted, fault.status, block->at, fault.what);
		(void)bx_status_at(&t->noted, fault.status, block->segment, block->header.seq);
	}
	return BX_STATUS_CLEAN;
}

static enum bx_status
add_by_type(struct bx_tally *t, const struct bx_walk_block *block, struct bx_block_reader *reader)
{
	switch (block->header.type) {
	case BX_BLOCK_HEAD:
		return add_head(t, block);
	case BX_BLOCK_DATA:
		return add_data(t, block, reader);
	case BX_BLOCK_INDEX:
		return add_index(t, block, reader);
	case BX_BLOCK_TAIL:
		return add_tail(t, block, reader);
	default:
		return BX_STATUS_CLEAN;
	}
}

enum bx_status
bx_tally_add(struct bx_tally *t, const struct bx_walk_block *block, struct bx_block_reader *reader,
	     enum bx_status status, const struct bx_fault *fault)
{
	if (t->fatal.status != BX_STATUS_CLEAN) {
		t->blocks_after_fatal = true;
		return t->fatal.status;
	}
	if (status != BX_STATUS_CLEAN)
		return fatal(t, block, status, fault == NULL ? "" : fault->what);
	status = add_by_type(t, block, reader);
	if (status != BX_STATUS_CLEAN)
		return status;
	add_digest(t, block, reader);
	t->blocks++;
	bx_digest_link(block->header_bytes, t->link);
	if (block->header.type == BX_BLOCK_TAIL) {
		if (t->chain_known)
			memcpy(t->report.r, t->chain.r, 32);
		end_segment(t, true, (block->header.flags & BX_BLOCK_LAST) != 0);
	}
	return BX_STATUS_CLEAN;
}

/* --- the end --------------------------------------------------------------------------------- */

/*
 * A crash tears the last block that was written, and leaves preallocated zeros behind it. The same
 * fault with anything else behind it is damage.
 */
static bool
is_torn(const struct bx_tally *t, enum bx_walk_ending ending)
{
	return t->fatal.status == BX_STATUS_DAMAGED && !t->blocks_after_fatal &&
	       ending == BX_WALK_ZEROS;
}

enum bx_status
bx_tally_end(struct bx_tally *t, enum bx_walk_ending ending, const struct bx_fault *walk_fault,
	     struct bx_fault *fault)
{
	struct bx_fault found = { 0 };
	bool cut = ending == BX_WALK_CUT || ending == BX_WALK_ZEROS;

	if (t->fatal.status != BX_STATUS_CLEAN && !is_torn(t, ending)) {
		found = t->fatal;
	} else if (walk_fault->status != BX_STATUS_CLEAN) {
		found = *walk_fault;
	} else if (t->noted.status != BX_STATUS_CLEAN) {
		found = t->noted;
	} else if (ending != BX_WALK_STOPPED) {
		end_segment(t, false, false);
		if (bx_streams_verdict(t->streams, ending == BX_WALK_CUT, &found) ==
			BX_STATUS_CLEAN &&
		    (cut || t->report.segments == 0))
			(void)bx_status_set(&found, BX_STATUS_OPEN, BX_NOWHERE,
					    "the file was not closed");
	}
	if (fault != NULL)
		*fault = found;
	return found.status;
}

void
bx_tally_report(const struct bx_tally *t, struct bx_tally_report *report)
{
	*report = t->report;
}
