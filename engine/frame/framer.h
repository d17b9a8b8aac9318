/* What the framers of one format each share: the state of a stream and of one call to cut. */
#ifndef BX_FRAME_FRAMER_H
#define BX_FRAME_FRAMER_H

#include "frame/frame.h"

struct bx_websocket;

/* One call of bx_framer_cut. `used` grows with each frame pushed; the rest is its arguments. */
struct bx_cut {
	struct bx_span bytes;
	uint64_t base;
	bool final;
	struct bx_writer *scratch;
	struct bx_frame *frames;
	size_t cap;
	size_t count;
	size_t used;
	size_t need;
};

/*
 * Pushes frames while there is room for one. ITEM: `cap` is reached (WEBSOCKET: or the scratch is
 * full). MORE: the rest is not a complete frame; when `final`, the caller turns that into END or
 * into "cut inside a message". FAIL: framer->fault is filled.
 */
typedef enum bx_step (*bx_cutter_fn)(struct bx_framer *framer, struct bx_cut *cut);

struct bx_framer {
	struct bx_framer_options options;
	bx_cutter_fn cutter;
	enum bx_ser ser;
	enum bx_dir dir;
	uint8_t separator; /* BATCHED_JSON: the last one seen, or 0 */
	bool started;      /* RAWSOCKET: past the place of the handshake */
	bool failed;       /* `fault` is what every later call returns */
	size_t scanned;    /* lines: bytes of the unfinished line known to hold no end */
	struct bx_fail fault;
	struct bx_websocket *websocket; /* WEBSOCKET only */
};

enum bx_step bx_rawsocket_cut(struct bx_framer *framer, struct bx_cut *cut);
enum bx_step bx_lines_cut(struct bx_framer *framer, struct bx_cut *cut);
enum bx_step bx_sequence_cut(struct bx_framer *framer, struct bx_cut *cut);
enum bx_step bx_batched_text_cut(struct bx_framer *framer, struct bx_cut *cut);
enum bx_step bx_batched_binary_cut(struct bx_framer *framer, struct bx_cut *cut);
enum bx_step bx_websocket_cut(struct bx_framer *framer, struct bx_cut *cut);

enum bx_err bx_websocket_new(struct bx_websocket **websocket,
			     const struct bx_framer_options *options,
			     struct bx_fail *fail) BX_MUST_USE;
void bx_websocket_free(struct bx_websocket *websocket);

/* Of upgrade.h; 0 while unknown. */
uint8_t bx_websocket_subprotocol(const struct bx_websocket *websocket);

/* What has not been consumed yet. */
static inline struct bx_cursor
bx_cut_rest(const struct bx_cut *cut)
{
	struct bx_cursor c = bx_cursor_over(cut->bytes);

	(void)bx_take(&c, cut->used);
	return c;
}

/* Offset in the stream of the first byte not consumed. */
static inline uint64_t
bx_cut_offset(const struct bx_cut *cut)
{
	return cut->base + cut->used;
}

static inline void
bx_cut_push(struct bx_cut *cut, struct bx_span whole, struct bx_span body, enum bx_frame_kind kind,
	    enum bx_ser ser)
{
	cut->frames[cut->count++] = (struct bx_frame){ whole, body, (uint8_t)kind, (uint8_t)ser };
	cut->used += whole.len;
}

/* The parts of a span; `from` and `len` lie inside it. */
static inline struct bx_span
bx_span_part(struct bx_span s, size_t from, size_t len)
{
	return (struct bx_span){ s.ptr + from, len };
}

/* JSON white space only (RFC 8259 section 2). */
static inline bool
bx_span_is_blank(struct bx_span s)
{
	for (size_t i = 0; i < s.len; i++) {
		if (s.ptr[i] != ' ' && s.ptr[i] != '\t' && s.ptr[i] != '\r' && s.ptr[i] != '\n')
			return false;
	}
	return true;
}

/* Fills framer->fault and returns FAIL. The offset is that of the frame that is being cut. */
enum bx_step bx_framer_fault(struct bx_framer *framer, const struct bx_cut *cut, enum bx_err code,
			     const char *fmt, ...) BX_PRINTF(4, 5);

/* The fault of a message longer than options.message_max. */
enum bx_step bx_framer_too_long(struct bx_framer *framer, const struct bx_cut *cut, uint64_t len);

/*
 * Frame heads arrive from memory one cache miss each, because each tells where the next one is.
 * Asking for the lines that lie `BX_PREFETCH_AHEAD` further on, as many as were just passed, keeps
 * the misses overlapping: 112-136 ns a hop become 7-9 ns (256-byte frames, io-pipeline.md 2b).
 * A prefetch beyond the end of the buffer is harmless.
 */
#define BX_PREFETCH_AHEAD 2048u
#define BX_PREFETCH_LINE 64u
#define BX_PREFETCH_MAX 512u

static inline void
bx_prefetch_ahead(const uint8_t *at, size_t hop)
{
	uintptr_t from = (uintptr_t)at + BX_PREFETCH_AHEAD;
	size_t len = hop < BX_PREFETCH_MAX ? hop : BX_PREFETCH_MAX;

	for (size_t i = 0; i < len; i += BX_PREFETCH_LINE)
		__builtin_prefetch((const void *)(from + i), 0, 3);
}

#endif
