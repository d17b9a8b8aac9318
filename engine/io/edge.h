/* Blocks that two neighbouring writes share, when only whole blocks can be written (O_DIRECT). */
#ifndef BX_IO_EDGE_H
#define BX_IO_EDGE_H

#include "io/io.h"

/*
 * io-pipeline.md 2a: a worker writes the whole blocks of its region itself. Of a first or last
 * block that it has only in part, whoever comes first leaves its bytes here; whoever comes second
 * gets them and writes the block. Nobody waits for anybody's I/O. Any thread; one mutex, held for a
 * copy of at most a block, twice per region of megabytes.
 */
struct bx_edges;

enum bx_err bx_edges_new(struct bx_edges **edges, struct bx_fail *fail) BX_MUST_USE;
void bx_edges_free(struct bx_edges *edges);

/* The part bytes[0..len) of the block at offset `block` (a multiple of BX_IO_ALIGN), from `skip`.
 */
struct bx_edge_part {
	uint64_t block;
	size_t skip;
	size_t len; /* 0 < len < BX_IO_ALIGN, skip + len <= BX_IO_ALIGN */
	uint8_t *bytes;
};

enum bx_edge_found {
	BX_EDGE_LEFT,     /* kept here: others are to come */
	BX_EDGE_FILLED,   /* room: the rest of the block was put around `bytes`: write it all */
	BX_EDGE_COMPLETE, /* no room: *block is the whole block, to be written and freed */
};

/*
 * With `has_room` the block's bytes before and after `bytes` are writable memory (bytes - skip ..
 * bytes - skip + BX_IO_ALIGN). *block is aligned to BX_IO_ALIGN and the caller's.
 */
enum bx_err bx_edges_bring(struct bx_edges *edges, enum bx_edge_found *found, uint8_t **block,
			   const struct bx_edge_part *part, bool has_room,
			   struct bx_fail *fail) BX_MUST_USE;

/*
 * Calls `write` for each block that is not complete, zeros where nobody brought bytes, with the
 * table locked; they stay. The first errno ends it and is returned.
 */
typedef int (*bx_edges_write_fn)(void *context, const uint8_t *block, uint64_t at);
int bx_edges_each(struct bx_edges *edges, bx_edges_write_fn write, void *context) BX_MUST_USE;

#endif
