/* Segments of a file against each other: numbers, links, ends of streams. */
#ifndef BX_ARCHIVE_STREAMS_H
#define BX_ARCHIVE_STREAMS_H

#include "archive/head.h"

/*
 * Told of each segment in file order, once at its HEAD and once at its end. Nothing it finds is
 * worse than INCOMPLETE_STREAM. One thread at a time.
 */
struct bx_streams;

struct bx_streams *bx_streams_new(uint64_t hash_seed); /* NULL: no memory */
void bx_streams_free(struct bx_streams *s);

/* A segment begins. False: no memory. */
bool bx_streams_begin(struct bx_streams *s, const struct bx_head *head,
		      uint64_t offset) BX_MUST_USE;

/* What is known of its end: how many blocks it has, the link to the last one, and its TAIL. */
void bx_streams_end(struct bx_streams *s, uint64_t blocks, const uint8_t link[static 32],
		    bool has_tail, bool last);

/*
 * After the last segment: CLEAN, OPEN (a stream ends in a segment without TAIL) or
 * INCOMPLETE_STREAM, with the first cause. `cut`: the file ends in the first block of a further
 * segment, so that a stream without its last one was not yet written to its end.
 */
enum bx_status bx_streams_verdict(const struct bx_streams *s, bool cut, struct bx_fault *fault);

#endif
