/* The JSON codec on any bytes: as a message, and as a value. */
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json_reader.h"
#include "codec/codec.h"

#undef NDEBUG
#include <assert.h>

#define ROOM (1u << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t scratch_bytes[ROOM];
static uint8_t first_bytes[ROOM];
static uint8_t second_bytes[2 * ROOM];
static uint8_t third_bytes[ROOM];

/* Canonical text is a fixed point, is smaller or equal in kind, and is read by the pull reader. */
static void
check_value(struct bx_span text)
{
	struct bx_writer first = bx_writer_over(first_bytes, sizeof(first_bytes));
	struct bx_writer second = bx_writer_over(second_bytes, sizeof(second_bytes));
	struct bx_defect why;
	struct bx_json_reader r;
	struct bx_json_token t;
	uint32_t marks = 0;
	enum bx_coded coded = bx_json_codec.to_json(text, &first, &marks, &why);

	if (coded == BX_CODED_BAD)
		assert(why.at <= text.len);
	else
		for (bx_json_begin(&r, text); bx_json_next(&r, &t) != BX_JSON_END;)
			assert(t.kind != BX_JSON_BAD);
	if (coded != BX_CODED_OK)
		return;

	struct bx_span canonical = bx_since(&first, first_bytes);

	assert((marks == 0) == bx_span_equal(canonical, text));
	marks = 0;
	assert(bx_json_codec.to_json(canonical, &second, &marks, &why) == BX_CODED_OK);
	assert(marks == 0);
	assert(bx_span_equal(bx_since(&second, second_bytes), canonical));
}

/* Seals (the box is the plaintext), opens, and compares with what was promised. */
static void
check_sealing(const struct bx_message *m)
{
	struct bx_writer inner_room = bx_writer_over(first_bytes, sizeof(first_bytes));
	struct bx_writer sealed = bx_writer_over(second_bytes, sizeof(second_bytes));
	struct bx_writer plain = bx_writer_over(third_bytes, sizeof(third_bytes));
	struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));
	struct bx_defect why;
	struct bx_inner inner;
	struct bx_span box;
	uint32_t marks = 0;

	bx_put_text(&inner_room, "{\"uri\":\"u\",");
	if (bx_json_codec.args_to_inner(m, &inner_room, &marks, &why) != BX_CODED_OK)
		return;
	bx_put_u8(&inner_room, '}');

	struct bx_span plaintext = bx_since(&inner_room, first_bytes);

	bx_json_codec.seal_head(m, plaintext.len, &sealed);

	uint8_t *text = bx_reserve(&sealed, bx_base64_len(plaintext.len));

	assert(text != NULL);
	bx_base64_encode(plaintext, text);
	bx_put_text(&sealed, "\"]");

	struct bx_message s = { .bytes = second_bytes, .len = (uint32_t)bx_written(&sealed) };

	assert(bx_json_codec.scan(&s, &scratch, &why));
	assert(s.payload == BX_PAYLOAD_BINARY && s.enc_algo == BX_ENC_OURS &&
	       s.enc_serializer == BX_ENC_OURS && s.type == m->type && s.request == m->request);
	assert(bx_json_codec.check_rest(&s, &why));
	assert(bx_json_codec.box(&s, &scratch, &box, &why));
	assert(bx_span_equal(box, plaintext));
	assert(bx_inner_parse(box, &scratch, &inner) == BX_INNER_OK);
	assert(bx_json_codec.open(&s, &inner, &plain, &why) == BX_CODED_OK);

	struct bx_span opened = bx_since(&plain, third_bytes);

	assert((marks == 0) == bx_span_equal(opened, bx_message_span(m)));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));
	uint8_t *copy = malloc(size + 1);
	struct bx_span text = { copy, size };
	struct bx_defect why;
	struct bx_span box;

	if (copy == NULL || size > ROOM / 16) {
		free(copy);
		return 0;
	}
	memcpy(copy, data, size);
	check_value(text);

	struct bx_message m = { .bytes = copy, .len = (uint32_t)size };

	if (bx_json_codec.scan(&m, &scratch, &why)) {
		assert(m.dict.off + m.dict.len <= m.len && m.rest.off + m.rest.len < m.len);
		bool whole = bx_json_codec.check_rest(&m, &why);

		if (m.payload == BX_PAYLOAD_BINARY)
			assert(bx_json_codec.box(&m, &scratch, &box, &why) == whole);
		if (m.payload <= BX_PAYLOAD_PLAIN && bx_type_has_payload(m.type))
			check_sealing(&m);
	} else {
		assert(why.what != NULL && why.at <= size);
	}
	free(copy);
	return 0;
}
