/* bx_inner_parse on any bytes; what it accepts must open and hold together. */
#include <stdlib.h>
#include <string.h>

#include "base/json_reader.h"
#include "codec/codec.h"

#undef NDEBUG
#include <assert.h>

#define ROOM (1u << 18)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_inside(struct bx_span part, struct bx_span whole)
{
	assert(part.len == 0 ||
	       (part.ptr >= whole.ptr && part.ptr + part.len <= whole.ptr + whole.len));
}

/* The pull reader is the second opinion: it must take all that the walk takes. */
static void
check_reader(struct bx_span text)
{
	struct bx_json_reader r;
	struct bx_json_token t;

	bx_json_begin(&r, text);
	while (bx_json_next(&r, &t) != BX_JSON_END)
		assert(t.kind != BX_JSON_BAD);
}

/* Opening into a message, and sealing that again, gives the canonical inner members. */
static void
check_open(const struct bx_inner *inner)
{
	static const char sealed[] = "[70,1,{\"enc_algo\":\"cryptobox\"},\"\\u0000QQ==\"]";
	static uint8_t plain_bytes[ROOM];
	static uint8_t again_bytes[ROOM];
	static uint8_t scratch_bytes[64];
	struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));
	struct bx_writer plain = bx_writer_over(plain_bytes, sizeof(plain_bytes));
	struct bx_writer again = bx_writer_over(again_bytes, sizeof(again_bytes));
	struct bx_message m = { .bytes = (const uint8_t *)sealed, .len = sizeof(sealed) - 1 };
	struct bx_defect why;
	uint32_t marks = 0;

	assert(bx_json_codec.scan(&m, &scratch, &why));

	enum bx_coded coded = bx_json_codec.open(&m, inner, &plain, &why);

	assert(coded != BX_CODED_BAD);
	if (coded != BX_CODED_OK)
		return;
	m = (struct bx_message){ .bytes = plain_bytes, .len = (uint32_t)bx_written(&plain) };
	assert(bx_json_codec.scan(&m, &scratch, &why));
	assert(bx_json_codec.check_rest(&m, &why));
	assert(bx_json_codec.args_to_inner(&m, &again, &marks, &why) == BX_CODED_OK);
	assert(marks == 0);
	if (inner->canonical && inner->args.len != 0) {
		assert(bx_written(&again) >= 7 + inner->args.len);
		assert(memcmp(again_bytes + 7, inner->args.ptr, inner->args.len) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t scratch_bytes[ROOM];
	struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));
	uint8_t *copy = malloc(size + 1); /* so that a sanitizer sees the end */
	struct bx_span text = { copy, size };
	struct bx_inner inner;

	if (copy == NULL || size > ROOM / 4) {
		free(copy);
		return 0;
	}
	memcpy(copy, data, size);

	enum bx_inner_result result = bx_inner_parse(text, &scratch, &inner);

	if (result != BX_INNER_BAD_PLAINTEXT)
		check_reader(text);
	if (result == BX_INNER_OK) {
		check_inside(inner.args, text);
		check_inside(inner.kwargs, text);
		assert(inner.uri_present || inner.uri.len == 0);
		check_open(&inner);
	}
	free(copy);
	return 0;
}
