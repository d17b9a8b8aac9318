/* codec/inner: decrypted plaintexts, as Autobahn's reader takes and refuses them. */
#include <criterion/criterion.h>

#include "codec/codec.h"
#include "guard.h"
#include "vectors.h"

static uint8_t scratch_bytes[4096];

static enum bx_inner_result
parse(struct bx_span text, struct bx_inner *inner)
{
	struct bx_writer scratch = bx_writer_over(scratch_bytes, sizeof(scratch_bytes));

	return bx_inner_parse(text, &scratch, inner);
}

static struct bx_span
span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

static struct bx_inner
good(const char *text)
{
	struct bx_inner inner;

	cr_assert_eq(parse(span(text), &inner), BX_INNER_OK, "%s", text);
	return inner;
}

static void
refused(const char *text, enum bx_inner_result result)
{
	struct bx_inner inner;

	cr_assert_eq(parse(span(text), &inner), result, "%s", text);
}

static void
expect(struct bx_span got, const char *text)
{
	cr_assert(bx_span_is(got, text), "'%.*s' is not '%s'", (int)got.len, (const char *)got.ptr,
		  text);
}

Test(inner, members_in_any_order)
{
	struct bx_inner inner = good("{\"uri\":\"com.a\",\"args\":[1,2],\"kwargs\":{\"k\":null}}");

	cr_assert(inner.uri_present);
	expect(inner.uri, "com.a");
	expect(inner.args, "[1,2]");
	expect(inner.kwargs, "{\"k\":null}");
	cr_assert_eq(inner.marks, 0);
	cr_assert(inner.canonical);

	inner = good(" {\n\"x\" : [ ] , \"kwargs\":null,\t\"args\" : [ 1 ] ,\r\"uri\":\"u\"} ");
	expect(inner.uri, "u");
	expect(inner.args, "[ 1 ]");
	expect(inner.kwargs, "null");
	cr_assert(!inner.canonical);

	inner = good("{}");
	cr_assert(!inner.uri_present);
	cr_assert_eq(inner.uri.len, 0);
	cr_assert_eq(inner.args.len, 0);
	cr_assert_eq(inner.kwargs.len, 0);
	cr_assert(inner.canonical);
}

Test(inner, uri)
{
	struct bx_inner inner = good("{\"uri\":\"\"}");

	cr_assert(inner.uri_present);
	cr_assert_eq(inner.uri.len, 0);

	inner = good("{\"uri\":\"com\\u002e\\u00e9\\/\"}");
	cr_assert(inner.uri_present);
	expect(inner.uri, "com.\xC3\xA9/");

	/* Not text: no URI, but no fault either; the comparison fails. */
	cr_assert(!good("{\"uri\":null}").uri_present);
	cr_assert(!good("{\"uri\":7}").uri_present);
	cr_assert(!good("{\"uri\":[\"a\"]}").uri_present);
	cr_assert(!good("{\"uri\":\"\\u0000YWJj\"}").uri_present);
	cr_assert(!good("{\"uri\":\"\\ud800\"}").uri_present);
	refused("{\"uri\":\"\\u0000abc\"}", BX_INNER_BAD_PLAINTEXT);
}

Test(inner, escaped_member_names)
{
	struct bx_inner inner =
	    good("{\"\\u0075ri\":\"a\",\"\\u0061rgs\":[1],\"kwarg\\u0073\":{}}");

	expect(inner.uri, "a");
	expect(inner.args, "[1]");
	expect(inner.kwargs, "{}");
	/* Names that only look like them. */
	inner = good("{\"Uri\":1,\"arg\":1,\"argss\":1,\"uri\\u0000\":1,\"\\u0000args\":1}");
	cr_assert(!inner.uri_present);
	cr_assert_eq(inner.args.len, 0);
}

Test(inner, last_duplicate_wins)
{
	struct bx_inner inner = good(
	    "{\"uri\":\"a\",\"args\":{},\"uri\":\"b\",\"args\":[2],\"kwargs\":[],\"kwargs\":null}");

	expect(inner.uri, "b");
	expect(inner.args, "[2]");
	expect(inner.kwargs, "null");
	cr_assert_eq(inner.marks, BX_MARK_DUPLICATE_KEY);
	cr_assert_eq(good("{\"x\":1,\"x\":2}").marks, 0);
	cr_assert(!good("{\"uri\":\"a\",\"uri\":null}").uri_present);
	refused("{\"args\":[],\"args\":{}}", BX_INNER_WRONG_TYPE);
}

Test(inner, wrong_types)
{
	refused("[]", BX_INNER_WRONG_TYPE);
	refused(" 7 ", BX_INNER_WRONG_TYPE);
	refused("\"x\"", BX_INNER_WRONG_TYPE);
	refused("null", BX_INNER_WRONG_TYPE);
	refused("NaN", BX_INNER_WRONG_TYPE);
	refused("{\"args\":{}}", BX_INNER_WRONG_TYPE);
	refused("{\"args\":\"\"}", BX_INNER_WRONG_TYPE);
	refused("{\"args\":NaN}", BX_INNER_WRONG_TYPE);
	refused("{\"args\":\"\\u0000\"}", BX_INNER_WRONG_TYPE);
	refused("{\"kwargs\":[]}", BX_INNER_WRONG_TYPE);
	refused("{\"kwargs\":0}", BX_INNER_WRONG_TYPE);
	/* Malformed comes first, wherever it is. */
	refused("{\"args\":{},\"x\":01}", BX_INNER_BAD_PLAINTEXT);
	refused("[1", BX_INNER_BAD_PLAINTEXT);
}

Test(inner, bad_plaintexts)
{
	static const char *const bad[] = {
		"",
		" ",
		"{",
		"{}x",
		"{}{}",
		"{,}",
		"{\"args\"}",
		"{\"args\":}",
		"{\"args\":[1,]}",
		"{\"args\":[],}",
		"{\"args\":[] \"kwargs\":{}}",
		"{\"args\":[01]}",
		"{\"args\":[\"\t\"]}",
		"{\"args\":[\"\xFF\"]}",
		"{\"x\":\"\xED\xA0\x80\"}",
		"{\"args\":[\"\\u0000abc\"]}",
		"{\"kwargs\":{\"a\":{\"b\":[\"\\u0000=\xC3\xA9\"]}}}",
		"{\"args\":[\"\\x\"]}",
		"{'args':[]}",
		"{\"args\":[nan]}",
		"\xEF\xBB\xBF{\"args\":null}",
		"\xFF\xFE{\0}\0",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		refused(bad[i], BX_INNER_BAD_PLAINTEXT);
}

Test(inner, depth_and_digits)
{
	static char text[6000];
	struct bx_inner inner;
	size_t at;

	/* The outer object counts: 511 lists inside are accepted. */
	for (size_t depth = 511; depth <= 512; depth++) {
		at = (size_t)sprintf(text, "{\"args\":");
		memset(text + at, '[', depth);
		memset(text + at + depth, ']', depth);
		strcpy(text + at + 2 * depth, "}");
		cr_assert_eq(parse(span(text), &inner),
			     depth == 511 ? BX_INNER_OK : BX_INNER_BAD_PLAINTEXT);
	}
	/* Python's int() reads 4300 digits; its float() any number. */
	for (size_t digits = 4300; digits <= 4301; digits++) {
		at = (size_t)sprintf(text, "{\"args\":[-");
		memset(text + at, '7', digits);
		strcpy(text + at + digits, "]}");
		cr_assert_eq(parse(span(text), &inner),
			     digits == 4300 ? BX_INNER_OK : BX_INNER_BAD_PLAINTEXT);
		strcpy(text + at + digits, ".5]}");
		cr_assert_eq(parse(span(text), &inner), BX_INNER_OK);
	}
}

/* canonical: what may be copied as it is. Long floats are left undecided. */
Test(inner, canonical)
{
	static const struct {
		const char *args;
		bool canonical;
	} cases[] = {
		{ "[]", true },
		{ "[1,-1,0.5,1.0,\"a\\n\\u0001\xC3\xA9\",\"\\u0000YWI=\",{\"\\u0000\":true}]",
		  true },
		{ "[1234567890123456789012345678901234567890]", true },
		{ "[NaN,Infinity,-Infinity,-0.0]", true },
		{ "[1, 2]", false },
		{ "[-0]", false },
		{ "[1e5]", false },
		{ "[1.50]", false },
		{ "[\"\\/\"]", false },
		{ "[\"\\u0041\"]", false },
		{ "[\"\\u000a\"]", false },
		{ "[\"\\u001F\"]", false },
		{ "[{\"\\u00e9\":1}]", false },
		{ "[\"\\u0000YWI\\/\"]", false },
		{ "[\"\\u0000YW JjZA==\"]", false },
		{ "[\"\\ud800\"]", false },
		{ "[0.12345678901234567]", false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[200];

		snprintf(text, sizeof(text), "{\"x\":[ 1 ],\"args\":%s,\"kwargs\":{}}",
			 cases[i].args);
		cr_assert_eq(good(text).canonical, cases[i].canonical, "%s", text);
		snprintf(text, sizeof(text), "{\"args\":[],\"kwargs\":{\"k\":%s}}", cases[i].args);
		cr_assert_eq(good(text).canonical, cases[i].canonical, "%s", text);
	}
}

/* Every plaintext of the vectors opens, ends at a guard page, and fails when cut anywhere. */
Test(inner, vectors)
{
	json_t *root = vectors_load();
	struct guard g = { 0 };
	unsigned count = 0;
	size_t i;
	json_t *v;

	guard_init(&g, 1 << 20);
	json_array_foreach(json_object_get(root, "vectors"), i, v)
	{
		struct bx_span text = vectors_hex(v, "plaintext_hex");
		struct bx_span whole = { guard_copy(&g, text.ptr, text.len), text.len };
		struct bx_inner inner;
		const char *uri = json_string_value(json_object_get(v, "uri"));

		cr_assert_eq(parse(whole, &inner), BX_INNER_OK, "%s",
			     json_string_value(json_object_get(v, "id")));
		expect(inner.uri, uri);
		/* {"uri":"U","args":A,"kwargs":K} in this order and nothing between. */
		cr_assert_eq(text.len, 28 + inner.uri.len + inner.args.len + inner.kwargs.len);
		for (size_t cut = 0; cut < text.len && text.len < 400; cut++) {
			struct bx_span part = { guard_copy(&g, text.ptr, cut), cut };

			cr_assert_eq(parse(part, &inner), BX_INNER_BAD_PLAINTEXT);
		}
		count++;
		free((void *)(uintptr_t)text.ptr);
	}
	cr_assert_gt(count, 200);
	guard_free(&g);
	json_decref(root);
}
