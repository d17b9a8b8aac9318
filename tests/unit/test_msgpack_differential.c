/*
 * The MessagePack codec against msgpack-c, on seeded random messages. BX_DIFF_COUNT sets how many
 * there are (a million is the long form).
 */
#include <msgpack.h>

#include "codec_kit.h"

static const struct bx_codec *const codec = &bx_msgpack_codec;

/* --- messages --------------------------------------------------------------------------------- */

struct made {
	uint64_t random;
	msgpack_packer packer;
	msgpack_sbuffer buffer;
	bool odd;       /* a form that Autobahn's library would not write was used */
	bool odd_forms; /* such forms are allowed */
};

static uint64_t
below(struct made *m, uint64_t bound)
{
	return random_below(&m->random, bound);
}

static void
raw(struct made *m, const void *bytes, size_t len)
{
	msgpack_sbuffer_write(&m->buffer, bytes, len);
}

/* A head or a number in `width` bytes after `code`. */
static void
raw_number(struct made *m, uint8_t code, unsigned width, uint64_t v)
{
	uint8_t b[9] = { code };

	for (unsigned i = 0; i < width; i++)
		b[1 + i] = (uint8_t)(v >> 8 * (width - 1 - i));
	raw(m, b, 1 + width);
}

/* True when something odd shall be written here. */
static bool
odd_here(struct made *m)
{
	bool yes = m->odd_forms && below(m, 20) == 0;

	m->odd |= yes;
	return yes;
}

static void
make_integer(struct made *m)
{
	uint64_t v = kit_random_u64(&m->random);

	if (odd_here(m)) {
		if (below(m, 2) == 0)
			raw_number(m, 0xCF, 8, v >> 33);
		else
			raw_number(m, 0xD3, 8, (uint64_t)((int64_t)v >> 33));
	} else if (below(m, 3) == 0) {
		msgpack_pack_int64(&m->packer, (int64_t)(v | (uint64_t)1 << 63) >> below(m, 64));
	} else {
		msgpack_pack_uint64(&m->packer, v);
	}
}

static void
make_text(struct made *m)
{
	static char text[70000];
	bool odd = odd_here(m);
	size_t max = !odd && below(m, 500) == 0 ? sizeof(text) : 300;
	size_t len = kit_random_text(&m->random, text, max);

	if (odd) {
		raw_number(m, 0xDB, 4, len);
		raw(m, text, len);
		return;
	}
	msgpack_pack_str(&m->packer, len);
	msgpack_pack_str_body(&m->packer, text, len);
}

static void
make_binary(struct made *m)
{
	static uint8_t bytes[300];
	size_t len = below(m, below(m, 4) == 0 ? sizeof(bytes) : 10);

	for (size_t i = 0; i < len; i++)
		bytes[i] = (uint8_t)random_next(&m->random);
	if (odd_here(m)) {
		if (below(m, 2) == 0) {
			msgpack_pack_ext(&m->packer, len, (int8_t)below(m, 128));
			msgpack_pack_ext_body(&m->packer, bytes, len);
		} else {
			raw_number(m, 0xC6, 4, len);
			raw(m, bytes, len);
		}
		return;
	}
	msgpack_pack_bin(&m->packer, len);
	msgpack_pack_bin_body(&m->packer, bytes, len);
}

static void
make_float(struct made *m)
{
	double v = kit_random_double(&m->random);

	if (odd_here(m)) {
		msgpack_pack_float(&m->packer, (float)v);
		return;
	}
	msgpack_pack_double(&m->packer, isnan(v) ? NAN : v);
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

	if (count > 1000)
		count = 20;
	if (odd_here(m))
		raw_number(m, 0xDF, 4, count);
	else
		msgpack_pack_map(&m->packer, count);
	for (size_t i = 0; i < count; i++) {
		make_text(m);
		make_value(m, depth + 1);
	}
}

static void
make_list(struct made *m, unsigned depth)
{
	size_t count = make_count(m, depth);

	if (count <= UINT16_MAX && odd_here(m))
		raw_number(m, 0xDD, 4, count);
	else
		msgpack_pack_array(&m->packer, count);
	for (size_t i = 0; i < count; i++) {
		if (count > 1000)
			msgpack_pack_uint64(&m->packer, i);
		else
			make_value(m, depth + 1);
	}
}

static void
make_value(struct made *m, unsigned depth)
{
	switch (below(m, depth > 5 ? 8 : 10)) {
	case 0:
		msgpack_pack_nil(&m->packer);
		break;
	case 1:
		if (below(m, 2) == 0)
			msgpack_pack_true(&m->packer);
		else
			msgpack_pack_false(&m->packer);
		break;
	case 2:
	case 3:
		make_integer(m);
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

	msgpack_sbuffer_clear(&m->buffer);
	m->odd = false;
	m->odd_forms = odd_forms;
	msgpack_pack_array(&m->packer, kwargs ? 6 : 5);
	msgpack_pack_uint8(&m->packer, 16);
	msgpack_pack_uint64(&m->packer, below(m, BX_ID_MAX));
	msgpack_pack_map(&m->packer, 0);
	raw(m,
	    "\xA3"
	    "a.b",
	    4);
	*args = m->buffer.size;
	make_list(m, 0);
	if (kwargs)
		make_map(m, 1);
}

static struct bx_span
bytes_of(const struct made *m)
{
	return (struct bx_span){ (const uint8_t *)m->buffer.data, m->buffer.size };
}

/* --- the oracle ------------------------------------------------------------------------------- */

static bool first_is_nul; /* a string value that becomes binary on the way back */

static void
print(struct oracle *o, const msgpack_object *v)
{
	switch (v->type) {
	case MSGPACK_OBJECT_NIL:
		oracle_put(o, "null");
		break;
	case MSGPACK_OBJECT_BOOLEAN:
		oracle_put(o, v->via.boolean ? "true" : "false");
		break;
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		oracle_u64(o, v->via.u64);
		break;
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		oracle_i64(o, v->via.i64);
		break;
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		oracle_double(o, v->via.f64);
		break;
	case MSGPACK_OBJECT_STR:
		first_is_nul |= v->via.str.size != 0 && v->via.str.ptr[0] == '\0';
		oracle_string(o, v->via.str.ptr, v->via.str.size);
		break;
	case MSGPACK_OBJECT_BIN:
		oracle_binary(o, v->via.bin.ptr, v->via.bin.size);
		break;
	case MSGPACK_OBJECT_EXT:
		o->has_no_json |= v->via.ext.type < 0;
		oracle_put(o, "[");
		oracle_i64(o, v->via.ext.type);
		oracle_put(o, ",");
		oracle_binary(o, v->via.ext.ptr, v->via.ext.size);
		oracle_put(o, "]");
		break;
	case MSGPACK_OBJECT_ARRAY:
		oracle_put(o, "[");
		for (uint32_t i = 0; i < v->via.array.size; i++) {
			oracle_put(o, i == 0 ? "" : ",");
			print(o, &v->via.array.ptr[i]);
		}
		oracle_put(o, "]");
		break;
	case MSGPACK_OBJECT_MAP:
		oracle_put(o, "{");
		for (uint32_t i = 0; i < v->via.map.size; i++) {
			const msgpack_object_kv *kv = &v->via.map.ptr[i];

			oracle_put(o, i == 0 ? "" : ",");
			o->has_no_json |= kv->key.type != MSGPACK_OBJECT_STR;
			if (kv->key.type == MSGPACK_OBJECT_STR)
				oracle_string(o, kv->key.via.str.ptr, kv->key.via.str.size);
			oracle_put(o, ":");
			print(o, &kv->val);
		}
		oracle_put(o, "}");
		break;
	}
}

/* The inner members of a message, from what msgpack-c makes of it. False: it refuses it. */
static bool
print_members(struct oracle *o, struct bx_span message)
{
	msgpack_unpacked result;
	size_t off = 0;
	bool ok;

	msgpack_unpacked_init(&result);
	ok = msgpack_unpack_next(&result, (const char *)message.ptr, message.len, &off) ==
		 MSGPACK_UNPACK_SUCCESS &&
	     off == message.len;
	o->len = 0;
	o->text[0] = '\0';
	o->has_no_json = false;
	first_is_nul = false;
	if (ok) {
		const msgpack_object_array *a = &result.data.via.array;

		oracle_put(o, "\"args\":");
		print(o, &a->ptr[4]);
		oracle_put(o, ",\"kwargs\":");
		if (a->size > 5)
			print(o, &a->ptr[5]);
		else
			oracle_put(o, "null");
	}
	msgpack_unpacked_destroy(&result);
	return ok;
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
	cr_assert(print_members(&o, source));
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

static void
run(uint64_t seed, uint64_t count, bool odd_forms)
{
	struct made m = { .random = seed };

	msgpack_sbuffer_init(&m.buffer);
	msgpack_packer_init(&m.packer, &m.buffer, msgpack_sbuffer_write);
	for (uint64_t i = 0; i < count; i++) {
		size_t args;

		make_message(&m, odd_forms, &args);
		check_message(&m, args);
	}
	msgpack_sbuffer_destroy(&m.buffer);
}

Test(msgpack_differential, canonical_messages_are_the_same_again)
{
	run(1, random_count("BX_DIFF_COUNT", 6000), false);
}

Test(msgpack_differential, other_forms_are_read_the_same_and_marked)
{
	run(2, random_count("BX_DIFF_COUNT", 6000), true);
}

/* Lengths of damaged messages: both must agree where the value ends, or that it does not. */
static void
check_damaged(struct bx_span s)
{
	msgpack_unpacked result;
	size_t off = 0;
	size_t extent = 0;
	struct bx_defect why;
	enum bx_step step = codec->extent(s, &extent, &why);
	msgpack_unpack_return got;

	msgpack_unpacked_init(&result);
	got = msgpack_unpack_next(&result, (const char *)s.ptr, s.len, &off);
	msgpack_unpacked_destroy(&result);
	if (got == MSGPACK_UNPACK_SUCCESS) {
		cr_assert_eq(step, BX_STEP_ITEM);
		cr_assert_eq(extent, off);
	} else if (got == MSGPACK_UNPACK_CONTINUE) {
		cr_assert_neq(step, BX_STEP_ITEM);
	} else if (got == MSGPACK_UNPACK_PARSE_ERROR) {
		cr_assert_neq(step, BX_STEP_ITEM);
	} /* else msgpack-c had no memory for what was claimed, or for the depth */
}

Test(msgpack_differential, damaged_messages_end_at_the_same_place)
{
	uint64_t count = random_count("BX_DIFF_COUNT", 6000);
	static struct kit_bytes bytes;
	struct made m = { .random = 3 };
	size_t args;

	msgpack_sbuffer_init(&m.buffer);
	msgpack_packer_init(&m.packer, &m.buffer, msgpack_sbuffer_write);
	for (uint64_t i = 0; i < count; i++) {
		make_message(&m, true, &args);
		if (m.buffer.size > 2000)
			continue;
		for (int k = 0; k < 4; k++) {
			bytes.len = m.buffer.size;
			memcpy(bytes.b, m.buffer.data, bytes.len);
			kit_mutate(&m.random, &bytes);
			check_damaged((struct bx_span){ bytes.b, bytes.len });
		}
	}
	msgpack_sbuffer_destroy(&m.buffer);
}
