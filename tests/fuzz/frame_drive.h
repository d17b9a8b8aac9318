/* Feeds a framer in pieces and hashes what it cuts, so that two ways of feeding can be compared. */
#ifndef BX_FUZZ_FRAME_DRIVE_H
#define BX_FUZZ_FRAME_DRIVE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "frame/frame.h"

#define DRIVE_MESSAGE_MAX 4096u

#define DRIVE_CHECK(cond)                                                                          \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			(void)fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #cond);           \
			abort();                                                                   \
		}                                                                                  \
	} while (0)

struct drive_result {
	uint64_t hash; /* of kinds, serializers, lengths and bytes of all frames */
	size_t count;
	enum bx_step end;
	enum bx_err code;
	uint64_t offset;
	enum bx_ser ser;
};

static inline uint64_t
drive_hash(uint64_t hash, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static inline void
drive_frame(struct drive_result *r, const struct bx_frame *frame)
{
	uint64_t facts[4] = { frame->kind, frame->ser, frame->whole.len, frame->body.len };

	r->hash = drive_hash(r->hash, facts, sizeof(facts));
	r->hash = drive_hash(r->hash, frame->whole.ptr, frame->whole.len);
	r->hash = drive_hash(r->hash, frame->body.ptr, frame->body.len);
	r->count++;
}

/* The next step: taken from the input's own bytes, so that the fuzzer chooses. 0: all at once. */
static inline size_t
drive_step(struct bx_span bytes, size_t at, uint8_t pace)
{
	if (pace == 0 || bytes.len == 0)
		return bytes.len;
	return 1 + (bytes.ptr[at % bytes.len] ^ pace) % (pace < 128 ? 4 : 97);
}

static inline struct drive_result
drive(struct bx_framer_options options, struct bx_span bytes, uint8_t pace, size_t cap)
{
	struct drive_result r = { .hash = UINT64_C(0xcbf29ce484222325) };
	struct bx_framer *framer = NULL;
	struct bx_frame frames[16];
	struct bx_fail fail = { 0 };
	size_t from = 0, to = 0;
	uint8_t *scratch_buf = malloc(DRIVE_MESSAGE_MAX);

	DRIVE_CHECK(scratch_buf != NULL);
	DRIVE_CHECK(bx_framer_new(&framer, options, &fail) == BX_OK);
	for (;;) {
		size_t count = 0, used = 0, need = 0;
		struct bx_writer scratch = bx_writer_over(scratch_buf, DRIVE_MESSAGE_MAX);
		uint8_t *window = malloc(to - from); /* so that reads beyond it are seen */

		DRIVE_CHECK(window != NULL || to == from);
		if (to != from)
			memcpy(window, bytes.ptr + from, to - from);

		enum bx_step step = bx_framer_cut(framer, (struct bx_span){ window, to - from },
						  from, to == bytes.len, &scratch, frames, cap,
						  &count, &used, &need, &fail);

		DRIVE_CHECK(count <= cap && used <= to - from);
		for (size_t i = 0; i < count; i++)
			drive_frame(&r, &frames[i]);
		free(window);
		from += used;
		if (step == BX_STEP_ITEM) {
			DRIVE_CHECK(count != 0);
			continue;
		}
		DRIVE_CHECK(count == 0 && used == 0);
		if (step == BX_STEP_MORE) {
			DRIVE_CHECK(to < bytes.len && (need == 0 || need > to - from));

			size_t more = drive_step(bytes, to, pace);

			to = bytes.len - to < more ? bytes.len : to + more;
			continue;
		}
		DRIVE_CHECK(step == BX_STEP_END ? from == bytes.len : fail.code != BX_OK);
		r.end = step;
		break;
	}
	r.code = fail.code;
	r.offset = fail.offset;
	r.ser = bx_framer_ser(framer);
	bx_framer_free(framer);
	free(scratch_buf);
	return r;
}

/* Whole, and in steps by `pace`: the same frames, the same end. */
static inline void
drive_both(struct bx_framer_options options, struct bx_span bytes, uint8_t pace)
{
	struct drive_result whole = drive(options, bytes, 0, 16);
	struct drive_result steps = drive(options, bytes, pace, 1 + pace % 16);

	DRIVE_CHECK(whole.hash == steps.hash && whole.count == steps.count);
	DRIVE_CHECK(whole.end == steps.end && whole.code == steps.code);
	DRIVE_CHECK(whole.offset == steps.offset && whole.ser == steps.ser);
}

#endif
