/*
 * A binary codec on any bytes: as a message, as a value, as a sequence. The file that includes this
 * defines CODEC, a struct bx_codec.
 */
#include <stdlib.h>
#include <string.h>

#include "codec/codec.h"

#undef NDEBUG
#include <assert.h>

#define ROOM (1u << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t scratch_bytes[ROOM];
static uint8_t first_bytes[ROOM];
static uint8_t second_bytes[2 * ROOM];
static uint8_t third_bytes[ROOM];

/* Value -> JSON -> value -> JSON ends where it was: what the canonical form says is kept. */
static void
check_value(struct bx_span bytes)
{
	struct bx_writer json = bx_writer_over(first_bytes, sizeof(first_bytes));
	struct bx_writer binary = bx_writer_over(second_bytes, sizeof(second_bytes));
	struct bx_writer again = bx_writer_over(third_bytes, sizeof(third_bytes));
	struct bx_defect why = { 0 };
	uint32_t marks = 0, more = 0;
	enum bx_coded coded = CODEC.to_json(bytes, &json, &marks, &why);

	if (coded == BX_CODED_BAD)
		assert(why.what != NULL && why.at <= bytes.len);
	if (coded != BX_CODED_OK)
		return;

	struct bx_span text = bx_since(&json, first_bytes);

	/* An integer that MessagePack cannot hold cannot have come from it. */
	if (CODEC.from_json(text, &binary, &more, &why) != BX_CODED_OK)
		return;
	/* Marked: a text that begins with NUL, say, comes back as the binary it looks like. */
	assert(CODEC.to_json(bx_since(&binary, second_bytes), &again, &more, &why) == BX_CODED_OK);
	if (marks != 0)
		return;
	assert(bx_span_equal(bx_since(&again, third_bytes), text));
	assert(bx_span_equal(bx_since(&binary, second_bytes), bytes));
}

/* Seals (the box is the plaintext), opens, and compares with what was promised. */
static void
check_sealing(const struct bx_message *m)
{
	struct bx_writer inner_room = bx_writer_over(first_bytes, sizeof(first_bytes));
	struct bx_writer sealed = bx_writer_over(second_bytes, sizeof(second_bytes));
	struct bx_writer plain = bx_writer_over(third_bytes, sizeof(third_bytes));
	struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));
	struct bx_defect why = { 0 };
	struct bx_inner inner;
	struct bx_span box;
	uint32_t marks = 0;

	bx_put_text(&inner_room, "{\"uri\":\"u\",");
	if (CODEC.args_to_inner(m, &inner_room, &marks, &why) != BX_CODED_OK)
		return;
	bx_put_u8(&inner_room, '}');

	struct bx_span plaintext = bx_since(&inner_room, first_bytes);

	CODEC.seal_head(m, plaintext.len, &sealed);
	bx_put_span(&sealed, plaintext);

	struct bx_message s = { .bytes = second_bytes, .len = (uint32_t)bx_written(&sealed) };

	assert(!sealed.full && CODEC.scan(&s, &scratch, &why));
	assert(s.payload == BX_PAYLOAD_BINARY && s.enc_algo == BX_ENC_OURS &&
	       s.enc_serializer == BX_ENC_OURS && s.type == m->type && s.request == m->request);
	assert(CODEC.check_rest(&s, &why));
	assert(CODEC.box(&s, &scratch, &box, &why) && bx_span_equal(box, plaintext));
	/* A text that begins with NUL and is no base64 cannot be opened: it is marked. */
	if (bx_inner_parse(box, &scratch, &inner) != BX_INNER_OK) {
		assert(marks != 0);
		return;
	}
	if (CODEC.open(&s, &inner, &plain, &why) != BX_CODED_OK)
		return;
	/* Not marked: opening gives the very message back, its envelope included. */
	if (marks == 0)
		assert(bx_span_equal(bx_since(&plain, third_bytes), bx_message_span(m)));
}

static void
check_extent(struct bx_span bytes)
{
	struct bx_defect why = { 0 };
	size_t len = 0, again = 0;
	enum bx_step step = CODEC.extent(bytes, &len, &why);

	if (step != BX_STEP_ITEM)
		return;
	assert(len != 0 && len <= bytes.len);
	/* The same with nothing behind it; one byte less is not enough. */
	assert(CODEC.extent((struct bx_span){ bytes.ptr, len }, &again, &why) == BX_STEP_ITEM &&
	       again == len);
	assert(CODEC.extent((struct bx_span){ bytes.ptr, len - 1 }, &again, &why) != BX_STEP_ITEM);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));
	uint8_t *copy = malloc(size + 1);
	struct bx_defect why = { 0 };
	struct bx_span box;

	if (copy == NULL || size > ROOM / 32) {
		free(copy);
		return 0;
	}
	memcpy(copy, data, size);
	check_value((struct bx_span){ copy, size });
	check_extent((struct bx_span){ copy, size });

	struct bx_message m = { .bytes = copy, .len = (uint32_t)size };

	if (CODEC.scan(&m, &scratch, &why)) {
		assert(m.dict.off + m.dict.len <= m.len && m.rest.off + m.rest.len <= size);

		bool whole = CODEC.check_rest(&m, &why);

		if (m.payload == BX_PAYLOAD_BINARY && whole)
			assert(CODEC.box(&m, &scratch, &box, &why));
		if (m.payload <= BX_PAYLOAD_PLAIN && bx_type_has_payload(m.type))
			check_sealing(&m);
	} else {
		assert(why.what != NULL && why.at <= size);
	}
	free(copy);
	return 0;
}
