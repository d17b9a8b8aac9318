/*
 * The CBOR codec against libcbor, on seeded random messages. BX_DIFF_COUNT sets how many there are
 * (a million is the long form).
 */
#include <cbor.h>
#include <sys/resource.h>

#include "codec_kit.h"

#if defined(__SANITIZE_ADDRESS__)
#define UNDER_ASAN true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define UNDER_ASAN true
#endif
#endif
#ifndef UNDER_ASAN
#define UNDER_ASAN false
#endif

static const struct bx_codec *const codec = &bx_cbor_codec;

/* --- messages --------------------------------------------------------------------------------- */

struct made {
	uint64_t random;
	struct kit_bytes bytes;
	bool odd;       /* a form that Autobahn's library would not write was used */
	bool odd_forms; /* such forms are allowed */
};

static uint64_t
below(struct made *m, uint64_t bound)
{
	return random_below(&m->random, bound);
}

static bool
odd_here(struct made *m)
{
	bool yes = m->odd_forms && below(m, 20) == 0;

	m->odd |= yes;
	return yes;
}

static void
raw(struct made *m, const void *bytes, size_t len)
{
	cr_assert_leq(len, sizeof(m->bytes.b) - m->bytes.len);
	if (len != 0)
		memcpy(m->bytes.b + m->bytes.len, bytes, len);
	m->bytes.len += len;
}

/* A head, the shortest of libcbor's encoders or, where something odd is wanted, the longest. */
static void
head(struct made *m, unsigned major, uint64_t v)
{
	uint8_t b[9];
	size_t len = 0;

	if (v <= UINT32_MAX && odd_here(m)) {
		b[0] = (uint8_t)(major << 5 | 27);
		for (int i = 0; i < 8; i++)
			b[1 + i] = (uint8_t)(v >> (56 - 8 * i));
		raw(m, b, 9);
		return;
	}
	switch (major) {
	case 0:
		len = cbor_encode_uint(v, b, sizeof(b));
		break;
	case 1:
		len = cbor_encode_negint(v, b, sizeof(b));
		break;
	case 2:
		len = cbor_encode_bytestring_start(v, b, sizeof(b));
		break;
	case 3:
		len = cbor_encode_string_start(v, b, sizeof(b));
		break;
	case 4:
		len = cbor_encode_array_start(v, b, sizeof(b));
		break;
	default:
		len = cbor_encode_map_start(v, b, sizeof(b));
		break;
	}
	cr_assert_neq(len, 0);
	raw(m, b, len);
}

/* Bytes or text in one piece or in chunks; text is cut between characters. */
static void
make_bytes(struct made *m, unsigned major, const uint8_t *bytes, size_t len)
{
	if (!odd_here(m)) {
		head(m, major, len);
		raw(m, bytes, len);
		return;
	}
	raw(m, major == 2 ? "\x5F" : "\x7F", 1);
	while (len != 0) {
		size_t chunk = 1 + below(m, len);

		while (major == 3 && chunk < len && (bytes[chunk] & 0xC0) == 0x80)
			chunk++;
		head(m, major, chunk);
		raw(m, bytes, chunk);
		bytes += chunk;
		len -= chunk;
	}
	raw(m, "\xFF", 1);
}

static void
make_text(struct made *m)
{
	static char text[70000];
	size_t max = below(m, 500) == 0 ? sizeof(text) : 300;
	size_t len = kit_random_text(&m->random, text, max);

	make_bytes(m, 3, (const uint8_t *)text, len);
}

static void
make_binary(struct made *m)
{
	static uint8_t bytes[300];
	size_t len = below(m, below(m, 4) == 0 ? sizeof(bytes) : 10);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)random_next(&m->random);
	make_bytes(m, 2, bytes, len);
}

static void
make_float(struct made *m)
{
	double v = kit_random_double(&m->random);
	bool finite = !isnan(v) && !isinf(v);
	uint8_t b[9];
	size_t len;

	if (odd_here(m))
		len = finite && below(m, 2) == 0
			  ? cbor_encode_half((float)(below(m, 2048) * 0x1p-10), b, sizeof(b))
			  : cbor_encode_single((float)v, b, sizeof(b));
	else if (finite)
		len = cbor_encode_double(v, b, sizeof(b));
	else
		len = cbor_encode_half(isnan(v) ? NAN : (float)v, b, sizeof(b));
	raw(m, b, len);
}

static void make_value(struct made *m, unsigned depth);

static size_t
make_count(struct made *m, unsigned depth)
{
	static const uint64_t bounds[] = { 40, 12, 6, 3 };

	if (depth == 1 && below(m, 2000) == 0)
		return 65530 + below(m, 12);
	return below(m, depth < 4 ? bounds[depth] : 2);
}

static void
make_map(struct made *m, unsigned depth)
{
	size_t count = make_count(m, depth);
	bool indefinite = odd_here(m);

	if (count > 1000)
		count = 20;
	if (indefinite)
		raw(m, "\xBF", 1);
	else
		head(m, 5, count);
	for (size_t i = 0; i < count; i++) {
		make_text(m);
		make_value(m, depth + 1);
	}
	if (indefinite)
		raw(m, "\xFF", 1);
}

static void
make_list(struct made *m, unsigned depth)
{
	size_t count = make_count(m, depth);
	bool indefinite = odd_here(m);

	if (indefinite)
		raw(m, "\x9F", 1);
	else
		head(m, 4, count);
	for (size_t i = 0; i < count; i++) {
		if (count > 1000)
			raw(m, "\x07", 1);
		else
			make_value(m, depth + 1);
	}
	if (indefinite)
		raw(m, "\xFF", 1);
}

static void
make_value(struct made *m, unsigned depth)
{
	if (odd_here(m))
		raw(m, "\xD9\xD9\xF7", 3);
	switch (below(m, depth > 5 ? 8 : 10)) {
	case 0:
		raw(m, "\xF6", 1);
		break;
	case 1:
		raw(m, below(m, 2) == 0 ? "\xF4" : "\xF5", 1);
		break;
	case 2:
	case 3:
		head(m, below(m, 3) == 0, kit_random_u64(&m->random));
		break;
	case 4:
		make_float(m);
		break;
	case 5:
	case 6:
		make_text(m);
		break;
	case 7:
		make_binary(m);
		break;
	case 8:
		make_list(m, depth);
		break;
	default:
		make_map(m, depth);
		break;
	}
}

/* A PUBLISH with args and perhaps kwargs. *args: where they begin. */
static void
make_message(struct made *m, bool odd_forms, size_t *args)
{
	bool kwargs = below(m, 2) == 0;
	uint64_t request = below(m, BX_ID_MAX);

	m->bytes.len = 0;
	m->odd = false;
	m->odd_forms = false;
	raw(m, kwargs ? "\x86\x10" : "\x85\x10", 2);
	head(m, 0, request);
	raw(m,
	    "\xA0\x63"
	    "a.b",
	    5);
	*args = m->bytes.len;
	m->odd_forms = odd_forms;
	make_list(m, 0);
	if (kwargs)
		make_map(m, 1);
}

static struct bx_span
bytes_of(const struct made *m)
{
	return (struct bx_span){ m->bytes.b, m->bytes.len };
}

/* --- the oracle ------------------------------------------------------------------------------- */

static bool first_is_nul; /* a string value that becomes binary on the way back */

/* Text or bytes in one piece, for the caller to free. */
static uint8_t *
joined(cbor_item_t *v, size_t *len)
{
	bool text = cbor_isa_string(v);
	bool definite = text ? cbor_string_is_definite(v) : cbor_bytestring_is_definite(v);
	size_t count = definite ? 1
		       : text   ? cbor_string_chunk_count(v)
				: cbor_bytestring_chunk_count(v);
	cbor_item_t **chunks = definite ? &v
			       : text   ? cbor_string_chunks_handle(v)
					: cbor_bytestring_chunks_handle(v);
	uint8_t *out = malloc(KIT_ROOM);

	*len = 0;
	for (size_t i = 0; i < count; i++) {
		size_t part =
		    text ? cbor_string_length(chunks[i]) : cbor_bytestring_length(chunks[i]);

		if (part != 0)
			memcpy(out + *len,
			       text ? cbor_string_handle(chunks[i])
				    : cbor_bytestring_handle(chunks[i]),
			       part);
		*len += part;
	}
	return out;
}

static void
print_text(struct oracle *o, cbor_item_t *v)
{
	size_t len;
	uint8_t *bytes = joined(v, &len);

	oracle_string(o, (const char *)bytes, len);
	free(bytes);
}

static void
print_negint(struct oracle *o, uint64_t v)
{
	oracle_put(o, "-");
	if (v == UINT64_MAX)
		oracle_put(o, "18446744073709551616");
	else
		oracle_u64(o, v + 1);
}

static void
print_simple(struct oracle *o, cbor_item_t *v)
{
	if (cbor_is_float(v))
		oracle_double(o, cbor_float_get_float(v));
	else if (cbor_is_bool(v))
		oracle_put(o, cbor_get_bool(v) ? "true" : "false");
	else if (cbor_is_null(v))
		oracle_put(o, "null");
	else
		o->has_no_json = true;
}

static void
print(struct oracle *o, cbor_item_t *v)
{
	size_t len;
	uint8_t *bytes;

	switch (cbor_typeof(v)) {
	case CBOR_TYPE_UINT:
		oracle_u64(o, cbor_get_int(v));
		break;
	case CBOR_TYPE_NEGINT:
		print_negint(o, cbor_get_int(v));
		break;
	case CBOR_TYPE_BYTESTRING:
		bytes = joined(v, &len);
		oracle_binary(o, bytes, len);
		free(bytes);
		break;
	case CBOR_TYPE_STRING:
		bytes = joined(v, &len);
		first_is_nul |= len != 0 && bytes[0] == 0;
		free(bytes);
		print_text(o, v);
		break;
	case CBOR_TYPE_ARRAY:
		oracle_put(o, "[");
		for (size_t i = 0; i < cbor_array_size(v); i++) {
			oracle_put(o, i == 0 ? "" : ",");
			print(o, cbor_array_handle(v)[i]);
		}
		oracle_put(o, "]");
		break;
	case CBOR_TYPE_MAP:
		oracle_put(o, "{");
		for (size_t i = 0; i < cbor_map_size(v); i++) {
			oracle_put(o, i == 0 ? "" : ",");
			print_text(o, cbor_map_handle(v)[i].key);
			oracle_put(o, ":");
			print(o, cbor_map_handle(v)[i].value);
		}
		oracle_put(o, "}");
		break;
	case CBOR_TYPE_TAG:
		cr_assert_eq(cbor_tag_value(v), 55799);
		print(o, cbor_move(cbor_tag_item(v)));
		break;
	case CBOR_TYPE_FLOAT_CTRL:
		print_simple(o, v);
		break;
	}
}

static void
print_members(struct oracle *o, struct bx_span message)
{
	struct cbor_load_result result;
	cbor_item_t *v = cbor_load(message.ptr, message.len, &result);

	cr_assert_not_null(v, "libcbor: error %d", result.error.code);
	cr_assert_eq(result.read, message.len);
	o->len = 0;
	o->has_no_json = false;
	first_is_nul = false;
	oracle_put(o, "\"args\":");
	print(o, cbor_array_handle(v)[4]);
	oracle_put(o, ",\"kwargs\":");
	if (cbor_array_size(v) > 5)
		print(o, cbor_array_handle(v)[5]);
	else
		oracle_put(o, "null");
	cbor_decref(&v);
}

/* --- tests ------------------------------------------------------------------------------------ */

/* Text wrapped to what bx_inner_parse wants. */
static struct bx_span
wrap(struct bx_span members, struct kit_bytes *out)
{
	out->b[0] = '{';
	memcpy(out->b + 1, members.ptr, members.len);
	out->b[1 + members.len] = '}';
	return (struct bx_span){ out->b, members.len + 2 };
}

static void
check_message(const struct made *made, size_t args)
{
	static struct oracle o;
	static struct kit_bytes members, inner, opened;
	struct bx_span source = bytes_of(made);
	struct bx_message m;
	struct bx_defect why = { 0 };
	size_t extent = 0;
	struct kit_result r;

	cr_assert_eq(codec->extent(source, &extent, &why), BX_STEP_ITEM);
	cr_assert_eq(extent, source.len);
	cr_assert(kit_scan(codec, source, &m, &why), "%s", why.what);
	cr_assert_eq(m.rest.off, args);
	cr_assert(codec->check_rest(&m, &why), "%s", why.what);
	r = kit_args(codec, &m, &members);
	cr_assert_eq(r.coded, BX_CODED_OK, "%d %s at %zu", r.coded, r.why.what, r.why.at);
	print_members(&o, source);
	kit_expect_same(r.out, (struct bx_span){ (uint8_t *)o.text, o.len }, "members");
	cr_assert_not(o.has_no_json);
	cr_assert_eq(r.marks != 0, made->odd || first_is_nul);
	if (first_is_nul)
		return;
	r = kit_open(codec, &m, wrap(r.out, &inner), &opened);
	cr_assert_eq(r.coded, BX_CODED_OK);
	if (!made->odd)
		kit_expect_same(r.out, source, "opened");
}

static struct made made;

static void
run(uint64_t seed, uint64_t count, bool odd_forms)
{
	made.random = seed;
	for (uint64_t i = 0; i < count; i++) {
		size_t args;

		make_message(&made, odd_forms, &args);
		check_message(&made, args);
	}
}

Test(cbor_differential, canonical_messages_are_the_same_again)
{
	run(1, random_count("BX_DIFF_COUNT", 5000), false);
}

Test(cbor_differential, other_forms_are_read_the_same_and_marked)
{
	run(2, random_count("BX_DIFF_COUNT", 5000), true);
}

/*
 * Damaged messages: where libcbor finds a whole value, so must the codec, and it must end at the
 * same place; where it finds none, neither may the codec, but for the simple values and short
 * tags that libcbor does not take.
 */
static void
check_damaged(struct bx_span s)
{
	struct cbor_load_result result;
	cbor_item_t *v = cbor_load(s.ptr, s.len, &result);
	size_t extent = 0;
	struct bx_defect why;
	enum bx_step step = codec->extent(s, &extent, &why);

	if (v != NULL) {
		cr_assert_eq(step, BX_STEP_ITEM);
		cr_assert_eq(extent, result.read);
		cbor_decref(&v);
	} else if (result.error.code == CBOR_ERR_MEMERROR) {
		return;
	} else if (result.error.code == CBOR_ERR_NOTENOUGHDATA) {
		cr_assert_neq(step, BX_STEP_ITEM);
	} else if (step == BX_STEP_ITEM && result.error.code == CBOR_ERR_MALFORMATED) {
		uint8_t at = s.ptr[result.error.position];

		cr_assert((at >= 0xE0 && at <= 0xF8) || (at >= 0xC6 && at <= 0xD4),
			  "libcbor refuses %02x", at);
	}
}

Test(cbor_differential, damaged_messages_end_at_the_same_place)
{
	uint64_t count = random_count("BX_DIFF_COUNT", 5000);
	/* libcbor believes any count: let it run out of memory soon. (ASan wants all of it.) */
	struct rlimit limit = { 256u << 20, 256u << 20 };
	static struct kit_bytes bytes;
	size_t args;

	if (UNDER_ASAN)
		return;
	cr_assert_eq(setrlimit(RLIMIT_AS, &limit), 0);
	made.random = 3;
	for (uint64_t i = 0; i < count; i++) {
		make_message(&made, true, &args);
		if (made.bytes.len > 2000)
			continue;
		for (int k = 0; k < 4; k++) {
			bytes.len = made.bytes.len;
			memcpy(bytes.b, made.bytes.b, bytes.len);
			kit_mutate(&made.random, &bytes);
			check_damaged((struct bx_span){ bytes.b, bytes.len });
		}
	}
}
