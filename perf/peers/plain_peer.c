/*
 * The program that a competent engineer writes in an afternoon: read, unpack with msgpack-c, build
 * the inner JSON with jansson, crypto_box with libsodium, pack, write. RawSocket with MessagePack.
 * usage: plain_peer seal|open RING IN OUT
 */
#include <inttypes.h>
#include <jansson.h>
#include <msgpack.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct entry {
	char uri[256];
	uint8_t shared[32];
};

struct topic {
	uint64_t id;
	char uri[256];
};

static struct entry entries[64];
static size_t entry_count;
static struct topic topics[65536], pending[65536];
static size_t topic_count;

static void
die(const char *what)
{
	fprintf(stderr, "plain_peer: %s\n", what);
	exit(1);
}

static void
decode_key(const char *text, uint8_t key[32])
{
	size_t len;

	if (sodium_base642bin(key, 32, text, strlen(text), NULL, &len, NULL,
			      sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != 32)
		die("bad key");
}

static void
load_ring(const char *path)
{
	json_t *root = json_load_file(path, 0, NULL), *entry;
	size_t i;

	if (root == NULL)
		die("bad ring");
	json_array_foreach(json_object_get(root, "keys"), i, entry)
	{
		uint8_t secret[32], other[32], pub[32];
		struct entry *e = &entries[entry_count++];

		snprintf(e->uri, sizeof(e->uri), "%s",
			 json_string_value(json_object_get(entry, "uri")));
		decode_key(json_string_value(json_object_get(entry, "originator_priv")), secret);
		decode_key(json_string_value(json_object_get(entry, "responder_priv")), other);
		crypto_scalarmult_base(pub, other);
		if (crypto_box_beforenm(e->shared, pub, secret) != 0)
			die("weak key");
	}
	json_decref(root);
}

static const struct entry *
find_key(const char *uri)
{
	const struct entry *best = NULL;

	for (size_t i = 0; i < entry_count; i++)
		if (strncmp(uri, entries[i].uri, strlen(entries[i].uri)) == 0 &&
		    (best == NULL || strlen(entries[i].uri) > strlen(best->uri)))
			best = &entries[i];
	return best;
}

/* --- values ---------------------------------------------------------------------------------- */

static json_t *
to_json(const msgpack_object *o)
{
	json_t *v;

	switch (o->type) {
	case MSGPACK_OBJECT_NIL:
		return json_null();
	case MSGPACK_OBJECT_BOOLEAN:
		return json_boolean(o->via.boolean);
	case MSGPACK_OBJECT_POSITIVE_INTEGER:
		return json_integer((json_int_t)o->via.u64);
	case MSGPACK_OBJECT_NEGATIVE_INTEGER:
		return json_integer(o->via.i64);
	case MSGPACK_OBJECT_FLOAT32:
	case MSGPACK_OBJECT_FLOAT64:
		return json_real(o->via.f64);
	case MSGPACK_OBJECT_STR:
		return json_stringn(o->via.str.ptr, o->via.str.size);
	case MSGPACK_OBJECT_BIN: {
		size_t len =
		    sodium_base64_ENCODED_LEN(o->via.bin.size, sodium_base64_VARIANT_ORIGINAL);
		char *text = malloc(len + 1);

		text[0] = '\0';
		sodium_bin2base64(text + 1, len, (const uint8_t *)o->via.bin.ptr, o->via.bin.size,
				  sodium_base64_VARIANT_ORIGINAL);
		v = json_stringn(text, len);
		free(text);
		return v;
	}
	case MSGPACK_OBJECT_ARRAY:
		v = json_array();
		for (uint32_t i = 0; i < o->via.array.size; i++)
			json_array_append_new(v, to_json(&o->via.array.ptr[i]));
		return v;
	case MSGPACK_OBJECT_MAP:
		v = json_object();
		for (uint32_t i = 0; i < o->via.map.size; i++) {
			const msgpack_object_kv *kv = &o->via.map.ptr[i];

			json_object_setn_new(v, kv->key.via.str.ptr, kv->key.via.str.size,
					     to_json(&kv->val));
		}
		return v;
	default:
		die("value");
	}
	return NULL;
}

static void
pack_text(msgpack_packer *pk, const char *text, size_t len)
{
	msgpack_pack_str(pk, len);
	msgpack_pack_str_body(pk, text, len);
}

static void
pack_json(msgpack_packer *pk, json_t *v)
{
	const char *key;
	json_t *item;
	size_t i;

	switch (json_typeof(v)) {
	case JSON_NULL:
		msgpack_pack_nil(pk);
		break;
	case JSON_TRUE:
		msgpack_pack_true(pk);
		break;
	case JSON_FALSE:
		msgpack_pack_false(pk);
		break;
	case JSON_INTEGER:
		msgpack_pack_int64(pk, json_integer_value(v));
		break;
	case JSON_REAL:
		msgpack_pack_double(pk, json_real_value(v));
		break;
	case JSON_STRING: {
		const char *text = json_string_value(v);
		size_t len = json_string_length(v);

		if (len != 0 && text[0] == '\0') {
			uint8_t *bin = malloc(len);
			size_t got = 0;

			sodium_base642bin(bin, len, text + 1, len - 1, NULL, &got, NULL,
					  sodium_base64_VARIANT_ORIGINAL);
			msgpack_pack_bin_with_body(pk, bin, got);
			free(bin);
		} else {
			pack_text(pk, text, len);
		}
		break;
	}
	case JSON_ARRAY:
		msgpack_pack_array(pk, json_array_size(v));
		json_array_foreach(v, i, item) pack_json(pk, item);
		break;
	case JSON_OBJECT:
		msgpack_pack_map(pk, json_object_size(v));
		json_object_foreach(v, key, item)
		{
			pack_text(pk, key, strlen(key));
			pack_json(pk, item);
		}
		break;
	}
}

/* --- messages -------------------------------------------------------------------------------- */

static void
emit(FILE *out, const msgpack_sbuffer *buffer)
{
	uint8_t head[4] = { (uint8_t)(buffer->size >> 24), (uint8_t)(buffer->size >> 16),
			    (uint8_t)(buffer->size >> 8), (uint8_t)buffer->size };

	fwrite(head, 1, 4, out);
	fwrite(buffer->data, 1, buffer->size, out);
}

static void
seal(const msgpack_object *m, size_t dict, size_t slot, const char *uri, const struct entry *key,
     msgpack_packer *pk)
{
	const msgpack_object *e = m->via.array.ptr;
	json_t *inner = json_object();

	json_object_set_new(inner, "uri", json_string(uri));
	json_object_set_new(inner, "args",
			    m->via.array.size > slot ? to_json(&e[slot]) : json_null());
	json_object_set_new(inner, "kwargs",
			    m->via.array.size > slot + 1 ? to_json(&e[slot + 1]) : json_null());

	char *text = json_dumps(inner, JSON_COMPACT);
	size_t len = strlen(text);
	uint8_t *box = malloc(24 + 16 + len);

	randombytes_buf(box, 24);
	crypto_box_easy_afternm(box + 24, (const uint8_t *)text, len, box, key->shared);
	msgpack_pack_array(pk, slot + 1);
	for (size_t i = 0; i < slot; i++) {
		if (i != dict) {
			msgpack_pack_object(pk, e[i]);
			continue;
		}
		msgpack_pack_map(pk, e[i].via.map.size + 2);
		for (uint32_t k = 0; k < e[i].via.map.size; k++) {
			msgpack_pack_object(pk, e[i].via.map.ptr[k].key);
			msgpack_pack_object(pk, e[i].via.map.ptr[k].val);
		}
		pack_text(pk, "enc_algo", 8);
		pack_text(pk, "cryptobox", 9);
		pack_text(pk, "enc_serializer", 14);
		pack_text(pk, "json", 4);
	}
	msgpack_pack_bin_with_body(pk, box, 40 + len);
	free(box);
	free(text);
	json_decref(inner);
}

static void
open_box(const msgpack_object *m, size_t dict, size_t slot, const char *uri,
	 const struct entry *key, msgpack_packer *pk)
{
	const msgpack_object *e = m->via.array.ptr;
	const uint8_t *box = (const uint8_t *)e[slot].via.bin.ptr;
	size_t len = e[slot].via.bin.size - 40;
	uint8_t *text = malloc(len + 1);

	if (crypto_box_open_easy_afternm(text, box + 24, len + 16, box, key->shared) != 0)
		die("tag does not verify");

	json_t *inner = json_loadb((const char *)text, len, JSON_ALLOW_NUL, NULL);

	if (inner == NULL || strcmp(json_string_value(json_object_get(inner, "uri")), uri) != 0)
		die("bad plaintext");

	json_t *args = json_object_get(inner, "args"), *kwargs = json_object_get(inner, "kwargs");
	size_t extra = json_is_null(kwargs) ? (json_is_null(args) ? 0 : 1) : 2;

	msgpack_pack_array(pk, slot + extra);
	for (size_t i = 0; i < slot; i++) {
		if (i != dict) {
			msgpack_pack_object(pk, e[i]);
			continue;
		}
		msgpack_pack_map(pk, e[i].via.map.size - 2);
		for (uint32_t k = 0; k < e[i].via.map.size; k++) {
			const msgpack_object_kv *kv = &e[i].via.map.ptr[k];

			if (kv->key.via.str.size >= 4 &&
			    memcmp(kv->key.via.str.ptr, "enc_", 4) == 0)
				continue;
			msgpack_pack_object(pk, kv->key);
			msgpack_pack_object(pk, kv->val);
		}
	}
	if (extra >= 1)
		pack_json(pk, args);
	if (extra == 2)
		pack_json(pk, kwargs);
	json_decref(inner);
	free(text);
}

static const char *
topic_of(uint64_t id)
{
	struct topic *t = &topics[id % 65536];

	while (t->id != id) {
		if (t->id == 0)
			return NULL;
		t = t == &topics[65535] ? topics : t + 1;
	}
	return t->uri;
}

static void
learn(uint64_t id, const char *uri)
{
	struct topic *t = &topics[id % 65536];

	while (t->id != 0)
		t = t == &topics[65535] ? topics : t + 1;
	t->id = id;
	snprintf(t->uri, sizeof(t->uri), "%s", uri);
	topic_count++;
}

static void
one(const char *verb, const msgpack_object *m, const char *raw, size_t len, FILE *out,
    msgpack_sbuffer *buffer)
{
	const msgpack_object *e = m->via.array.ptr;
	char uri[256] = "";
	size_t dict = 0, slot = 4;
	msgpack_packer pk;

	msgpack_sbuffer_clear(buffer);
	msgpack_packer_init(&pk, buffer, msgpack_sbuffer_write);
	switch (e[0].via.u64) {
	case 16:
		dict = 2;
		snprintf(uri, sizeof(uri), "%.*s", (int)e[3].via.str.size, e[3].via.str.ptr);
		break;
	case 36: {
		const char *topic = topic_of(e[1].via.u64);

		dict = 3;
		snprintf(uri, sizeof(uri), "%s", topic != NULL ? topic : "");
		break;
	}
	case 32:
		snprintf(pending[e[1].via.u64 % 65536].uri, 256, "%.*s", (int)e[3].via.str.size,
			 e[3].via.str.ptr);
		break;
	case 33:
		learn(e[2].via.u64, pending[e[1].via.u64 % 65536].uri);
		break;
	}

	const struct entry *key = dict != 0 ? find_key(uri) : NULL;

	if (key == NULL) {
		buffer->size = 0;
		msgpack_sbuffer_write(buffer, raw, len);
	} else if (strcmp(verb, "seal") == 0) {
		seal(m, dict, slot, uri, key, &pk);
	} else {
		open_box(m, dict, slot, uri, key, &pk);
	}
	emit(out, buffer);
}

int
main(int argc, char **argv)
{
	static char body[1 << 24];
	uint8_t head[4];
	uint64_t count = 0, bytes = 0;
	struct timespec start, end;
	msgpack_unpacked unpacked;
	msgpack_sbuffer buffer;

	if (argc != 5 || sodium_init() < 0)
		die("usage: plain_peer seal|open RING IN OUT");
	load_ring(argv[2]);
	clock_gettime(CLOCK_MONOTONIC, &start);

	FILE *in = fopen(argv[3], "rb"), *out = fopen(argv[4], "wb");

	if (in == NULL || out == NULL)
		die("open");
	msgpack_sbuffer_init(&buffer);
	msgpack_unpacked_init(&unpacked);
	while (fread(head, 1, 4, in) == 4) {
		size_t len =
		    (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];

		bytes += 4 + len;
		if (head[0] == 0x7f) {
			fwrite(head, 1, 4, out);
			bytes -= len;
			continue;
		}
		if (len > sizeof(body) || fread(body, 1, len, in) != len)
			die("short");
		if (msgpack_unpack_next(&unpacked, body, len, NULL) != MSGPACK_UNPACK_SUCCESS)
			die("unpack");
		one(argv[1], &unpacked.data, body, len, out, &buffer);
		count++;
	}
	fclose(in);
	if (fclose(out) != 0)
		die("write");
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("{\"messages\": %" PRIu64 ", \"seconds\": %.6f, \"bytes\": %" PRIu64 "}\n", count,
	       (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
	       bytes);
	msgpack_unpacked_destroy(&unpacked);
	msgpack_sbuffer_destroy(&buffer);
	return 0;
}
