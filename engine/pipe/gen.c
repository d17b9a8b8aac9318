/* Synthetic recordings: JSON text of each message, put into the serializer and framing asked for.
 */
#include "boxcar/gen.h"

#include <math.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_writer.h"
#include "codec/codec.h"
#include "frame/frame.h"
#include "frame/trace.h"
#include "io/io.h"

#define BODY_MAX ((size_t)34 << 20)
#define FLUSH_AT ((size_t)256 << 10)

struct generator {
	const struct bx_gen *gen;
	enum bx_format format;
	enum bx_ser ser;
	struct bx_drain *drain;
	uint64_t random[2];
	struct bx_writer text; /* JSON of one message */
	struct bx_writer body; /* serialized */
	struct bx_writer out;
	uint64_t number, request, bytes;
	/* How much shorter than its JSON text the last padded message of a kind became. */
	uint64_t slack[16];
	bool padded;
	uint64_t subjects; /* URIs subscribed to or registered: the first ones */
	int64_t now;
	struct bx_fail *fail;
};

/* xorshift128+ (Vigna): small, seeded, the same everywhere. */
static uint64_t
draw(struct generator *g)
{
	uint64_t a = g->random[0], b = g->random[1];

	g->random[0] = b;
	a ^= a << 23;
	g->random[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
	return g->random[1] + b;
}

static uint64_t
below(struct generator *g, uint64_t bound)
{
	return draw(g) % bound;
}

static double
uniform(struct generator *g)
{
	return (double)(draw(g) >> 11) * 0x1p-53;
}

static uint64_t
target_size(struct generator *g)
{
	const struct bx_gen *gen = g->gen;

	switch (gen->size_kind) {
	case BX_SIZE_FIXED:
		return gen->size_a;
	case BX_SIZE_UNIFORM:
		return gen->size_a + below(g, gen->size_b - gen->size_a + 1);
	case BX_SIZE_LOGNORMAL: {
		/* Box-Muller; sigma 1 as the tail of real payload sizes. */
		double normal =
		    sqrt(-2 * log(1 - uniform(g))) * cos(6.283185307179586 * uniform(g));
		double size = (double)gen->size_a * exp(normal);

		return size < 1e6 ? (uint64_t)size : 1000000;
	}
	case BX_SIZE_NATURAL:
		break;
	}
	return 0;
}

static void say(struct generator *g, const char *fmt, ...) BX_PRINTF(2, 3);

static void
say(struct generator *g, const char *fmt, ...)
{
	char line[512];
	va_list ap;

	va_start(ap, fmt);

	int len = vsnprintf(line, sizeof(line), fmt, ap);

	va_end(ap);
	bx_put(&g->text, line, (size_t)len);
}

/* --- payloads: `,[args],{kwargs}]` --------------------------------------------------------------
 */

static const char *const words[] = { "alpha", "bravo",  "carbon", "delta",  "ember", "flux",
				     "gamma", "harbor", "ion",    "jumper", "kilo",  "lumen" };

/* Messages of one type have like heads: told apart by the first digit of their code. */
static size_t
kind_of(const struct generator *g)
{
	return g->text.begin[1] & 15u;
}

/* Text that brings the message near its size. */
static void
pad(struct generator *g, uint64_t size, const uint8_t *start)
{
	uint64_t have = (uint64_t)(g->text.at - start) + 12;

	/* Sizes are of serialized messages, and what is written here is JSON. */
	if (size != 0)
		size += g->slack[kind_of(g)];
	g->padded = true;
	if (size <= have)
		return;
	say(g, ",\"note\":\"");
	for (uint64_t left = size - have; left != 0 && !g->text.full;) {
		const char *word = words[below(g, 12)];
		size_t len = strlen(word);

		if (len + 1 > left)
			len = (size_t)left - 1;
		bx_put(&g->text, word, len);
		bx_put_u8(&g->text, ' ');
		left -= len + 1;
	}
	say(g, "\"");
}

static void
telemetry(struct generator *g, uint64_t size, const uint8_t *start)
{
	say(g, ",[],{\"device\":\"dev-%05u\",\"seq\":%u", (unsigned)below(g, 100000),
	    (unsigned)g->number);
	if (size == 0 || size >= 160)
		say(g, ",\"ts\":%lld,\"temp\":%.2f", (long long)(g->now / 1000000),
		    uniform(g) * 110 - 20);
	if (size == 0 || size >= 260) {
		say(g, ",\"hum\":");
		bx_json_put_double(&g->text, uniform(g));
		say(g, ",\"ok\":%s,\"err\":null,\"vib\":[", below(g, 8) != 0 ? "true" : "false");
		for (uint64_t i = 0, n = 1 + below(g, 7); i < n; i++)
			say(g, "%s%.4f", i == 0 ? "" : ",", uniform(g) * 4 - 2);
		say(g, "]");
	}
	pad(g, size, start);
	say(g, "}]");
}

static void
orders(struct generator *g, uint64_t size, const uint8_t *start)
{
	say(g,
	    ",[%u],{\"order\":\"%08x-%04x\",\"customer\":{\"id\":%u,\"name\":\"%s "
	    "%s\",\"vip\":%s},\"lines\":[",
	    (unsigned)g->number, (unsigned)draw(g), (unsigned)below(g, 65536),
	    (unsigned)below(g, 1000000), words[below(g, 12)], words[below(g, 12)],
	    below(g, 10) == 0 ? "true" : "false");
	for (uint64_t i = 0, n = 1 + below(g, 5); i < n; i++)
		say(g, "%s{\"sku\":\"%s-%03u\",\"qty\":%u,\"price\":%u.%02u}", i == 0 ? "" : ",",
		    words[below(g, 12)], (unsigned)below(g, 1000), 1 + (unsigned)below(g, 20),
		    (unsigned)below(g, 500), (unsigned)below(g, 100));
	say(g, "],\"currency\":\"EUR\",\"placed\":%lld", (long long)(g->now / 1000000));
	pad(g, size, start);
	say(g, "}]");
}

static void
blobs(struct generator *g, uint64_t size)
{
	uint64_t len = size > 48 ? size - 48 : (size == 0 ? 512 : 8);
	uint8_t chunk[8];
	uint8_t *bytes = malloc(len + 8);

	if (bytes == NULL) {
		g->text.full = true;
		return;
	}
	for (uint64_t i = 0; i < len; i += 8) {
		uint64_t r = draw(g);

		memcpy(chunk, &r, 8);
		memcpy(bytes + i, chunk, 8);
	}
	say(g, ",[");
	bx_json_put_binary(&g->text, (struct bx_span){ bytes, len });
	say(g, "]]");
	free(bytes);
}

static void
payload(struct generator *g, uint64_t size, const uint8_t *start)
{
	switch (g->gen->workload) {
	case BX_WORKLOAD_TELEMETRY:
		telemetry(g, size, start);
		break;
	case BX_WORKLOAD_ORDERS:
	case BX_WORKLOAD_RPC:
		orders(g, size, start);
		break;
	case BX_WORKLOAD_BLOBS:
		blobs(g, size);
		break;
	}
}

/* --- messages -------------------------------------------------------------------------------- */

static bool
flush(struct generator *g, bool all)
{
	struct pollfd p = { g->gen->stop_fd, POLLIN, 0 };

	if (!all && bx_written(&g->out) < FLUSH_AT)
		return true;
	if (g->gen->stop_fd >= 0 && poll(&p, 1, 0) == 1) {
		(void)bx_fail_set(g->fail, BX_ERR_INTERRUPTED, 0, BX_NOWHERE, "interrupted");
		return false;
	}

	enum bx_err err = bx_drain_write(g->drain, g->out.begin, bx_written(&g->out), g->fail);

	g->bytes += bx_written(&g->out);
	g->out.at = g->out.begin;
	return err == BX_OK;
}

/* Serializes and frames what stands in g->text. */
static bool
emit(struct generator *g, enum bx_dir dir)
{
	struct bx_span json = bx_since(&g->text, g->text.begin);
	struct bx_defect why;
	uint32_t marks = 0;

	g->body.at = g->body.begin;
	if (g->text.full ||
	    bx_codec_of(g->ser)->from_json(json, &g->body, &marks, &why) != BX_CODED_OK) {
		(void)bx_fail_set(g->fail, BX_ERR_LIMIT, 0, BX_NOWHERE,
				  "message %llu does not fit its serializer",
				  (unsigned long long)g->number);
		return false;
	}

	struct bx_span body = bx_since(&g->body, g->body.begin);

	if (g->padded)
		g->slack[kind_of(g)] = json.len > body.len ? json.len - body.len : 0;
	g->padded = false;
	if (g->format == BX_FORMAT_TRACE) {
		struct bx_trace_line line = { .ts = g->now,
					      .has_ts = true,
					      .conn = 0,
					      .has_conn = true,
					      .session = 1000001,
					      .has_session = true,
					      .dir = (uint8_t)dir,
					      .ser = (uint8_t)g->ser };

		bx_trace_put(&line, body, &g->out);
		bx_put_u8(&g->out, '\n');
	} else {
		if (body.len > bx_frame_body_max(g->format)) {
			(void)bx_fail_set(g->fail, BX_ERR_LIMIT, 0, BX_NOWHERE,
					  "a message of %zu bytes is too big for %s", body.len,
					  bx_format_name(g->format));
			return false;
		}
		bx_frame_put_head(g->format, body.len, &g->out);
		bx_put_span(&g->out, body);
		bx_frame_put_tail(g->format, 0x18, &g->out);
	}
	g->number++;
	/* Exponential gaps: arrivals as of many independent senders. */
	g->now += (int64_t)(-log(1 - uniform(g)) * (double)g->gen->interval_ns);
	g->text.at = g->text.begin;
	return flush(g, false);
}

static uint64_t
subject_of(uint64_t uri)
{
	return 5000000000001 + uri * 7919;
}

/*
 * Topics are used unevenly: a few carry most of the traffic. Only those that the session opened are
 * used, else the router would send events and invocations that nobody asked for.
 */
static uint64_t
pick_uri(struct generator *g)
{
	double u = uniform(g);

	return (uint64_t)(u * u * (double)(g->subjects != 0 ? g->subjects : g->gen->uris));
}

static const char *
uri_kind(const struct bx_gen *gen)
{
	static const char *const kinds[] = { "telemetry.sensor", "orders.shop", "rpc.method",
					     "blobs.store" };

	return kinds[gen->workload];
}

static void
put_uri(struct generator *g, uint64_t uri)
{
	say(g, "\"%s%s%llu\"", g->gen->uri_prefix, uri_kind(g->gen), (unsigned long long)uri);
}

/* HELLO to the last SUBSCRIBED or REGISTERED, as far as messages are asked for. */
static bool
open_session(struct generator *g)
{
	const struct bx_gen *gen = g->gen;
	bool rpc = gen->workload == BX_WORKLOAD_RPC;

	if (g->number < gen->messages) {
		say(g, "[1,\"realm1\",{\"roles\":{\"publisher\":{},\"subscriber\":{},\"caller\":{},"
		       "\"callee\":{}}}]");
		if (!emit(g, BX_DIR_C2R))
			return false;
	}
	if (g->number < gen->messages) {
		say(g,
		    "[2,1000001,{\"realm\":\"realm1\",\"roles\":{\"broker\":{},\"dealer\":{}}}]");
		if (!emit(g, BX_DIR_R2C))
			return false;
	}
	for (uint64_t i = 0; i < gen->uris && g->number + 1 < gen->messages / 4; i++) {
		g->request++;
		say(g, "[%d,%llu,{},", rpc ? 64 : 32, (unsigned long long)g->request);
		put_uri(g, i);
		say(g, "]");
		if (!emit(g, BX_DIR_C2R))
			return false;
		say(g, "[%d,%llu,%llu]", rpc ? 65 : 33, (unsigned long long)g->request,
		    (unsigned long long)subject_of(i));
		if (!emit(g, BX_DIR_R2C))
			return false;
		g->subjects++;
	}
	return true;
}

static bool
publish_and_event(struct generator *g)
{
	uint64_t uri = pick_uri(g), size = target_size(g);
	const uint8_t *start = g->text.at;

	g->request++;
	say(g, "[16,%llu,%s,", (unsigned long long)g->request,
	    below(g, 4) == 0 ? "{\"acknowledge\":true}" : "{}");
	put_uri(g, uri);
	payload(g, size, start);
	if (!emit(g, BX_DIR_C2R))
		return false;
	if (g->number == g->gen->messages || g->subjects == 0)
		return true;
	start = g->text.at;
	say(g, "[36,%llu,%llu,{}", (unsigned long long)subject_of(uri),
	    (unsigned long long)(1 + (draw(g) >> 11)));
	payload(g, size, start);
	return emit(g, BX_DIR_R2C);
}

/* One call through both its ends; `left` messages may still be written. */
static bool
call(struct generator *g)
{
	uint64_t uri = pick_uri(g), size = target_size(g), left = g->gen->messages - g->number;
	uint64_t invocation = 900000 + g->request;
	bool fails = below(g, 20) == 0;
	const uint8_t *start = g->text.at;

	g->request++;
	say(g, "[48,%llu,{},", (unsigned long long)g->request);
	put_uri(g, uri);
	payload(g, size, start);
	if (!emit(g, BX_DIR_C2R) || left < 2)
		return left < 2 && g->fail->code == BX_OK;
	start = g->text.at;
	say(g, "[68,%llu,%llu,{}", (unsigned long long)invocation,
	    (unsigned long long)subject_of(uri));
	payload(g, size, start);
	if (!emit(g, BX_DIR_R2C) || left < 3)
		return left < 3 && g->fail->code == BX_OK;
	start = g->text.at;
	if (fails)
		say(g, "[8,68,%llu,{},\"%serror.failed\"", (unsigned long long)invocation,
		    g->gen->uri_prefix);
	else
		say(g, "[70,%llu,{}", (unsigned long long)invocation);
	payload(g, size, start);
	if (!emit(g, BX_DIR_C2R) || left < 4)
		return left < 4 && g->fail->code == BX_OK;
	start = g->text.at;
	if (fails)
		say(g, "[8,48,%llu,{},\"%serror.failed\"", (unsigned long long)g->request,
		    g->gen->uri_prefix);
	else
		say(g, "[50,%llu,{}", (unsigned long long)g->request);
	payload(g, size, start);
	return emit(g, BX_DIR_R2C);
}

static bool
generate(struct generator *g)
{
	if (g->format == BX_FORMAT_RAWSOCKET)
		bx_frame_put_handshake(g->ser, &g->out);
	if (!open_session(g))
		return false;
	while (g->number < g->gen->messages)
		if (g->gen->workload == BX_WORKLOAD_RPC ? !call(g) : !publish_and_event(g))
			return false;
	return flush(g, true);
}

/* --- options --------------------------------------------------------------------------------- */

static enum bx_err
choose(struct generator *g, bool *zst)
{
	const struct bx_gen *gen = g->gen;
	enum bx_ser fixed = BX_SER_UNKNOWN;

	g->format = gen->format;
	*zst = gen->zst;
	if (g->format == BX_FORMAT_UNKNOWN && gen->output != NULL)
		g->format = bx_format_of_path(gen->output, zst);
	if (g->format == BX_FORMAT_UNKNOWN)
		g->format = BX_FORMAT_RAWSOCKET;
	if (g->format >= BX_FORMAT_BOXCAR || g->format == BX_FORMAT_WEBSOCKET)
		return bx_fail_set(g->fail, BX_ERR_USAGE, 0, BX_NOWHERE, "gen cannot write %s",
				   bx_format_name(g->format));
	if (g->format == BX_FORMAT_JSONL || g->format == BX_FORMAT_BATCHED_JSON)
		fixed = BX_SER_JSON;
	if (g->format == BX_FORMAT_MSGPACK || g->format == BX_FORMAT_BATCHED_MSGPACK)
		fixed = BX_SER_MSGPACK;
	if (g->format == BX_FORMAT_CBOR || g->format == BX_FORMAT_BATCHED_CBOR)
		fixed = BX_SER_CBOR;
	g->ser = fixed != BX_SER_UNKNOWN ? fixed : BX_SER_MSGPACK;
	if (gen->serializer != NULL)
		g->ser = bx_ser_of_name(
		    (struct bx_span){ (const uint8_t *)gen->serializer, strlen(gen->serializer) });
	if (bx_codec_of(g->ser) == NULL)
		return bx_fail_set(g->fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "no serializer \"%.40s\": json, msgpack or cbor",
				   gen->serializer);
	if (fixed != BX_SER_UNKNOWN && g->ser != fixed)
		return bx_fail_set(g->fail, BX_ERR_USAGE, 0, BX_NOWHERE, "%s holds %s, not %s",
				   bx_format_name(g->format), bx_ser_name(fixed),
				   bx_ser_name(g->ser));
	return BX_OK;
}

enum bx_err
bx_gen_run(const struct bx_gen *gen, uint64_t *bytes, struct bx_fail *fail)
{
	struct generator g = { .gen = gen, .fail = fail, .now = gen->start_ns };
	size_t cap = BODY_MAX * 2;
	bool zst = false;
	enum bx_err err = choose(&g, &zst);

	if (err != BX_OK)
		return err;
	g.random[0] = gen->seed * 0x9e3779b97f4a7c15ull + 0x632be59bd9b4e019ull;
	g.random[1] = gen->seed ^ 0xd1b54a32d192ed03ull;
	for (int i = 0; i < 16; i++)
		(void)draw(&g);

	uint8_t *memory = malloc(cap * 3); /* touched only as far as messages are long */
	struct bx_drain_options options = { .path = gen->output,
					    .force = gen->force,
					    .zst = zst,
					    .stop_fd = gen->stop_fd > 0 ? gen->stop_fd : 0 };

	if (memory == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	g.text = bx_writer_over(memory, cap);
	g.body = bx_writer_over(memory + cap, cap);
	g.out = bx_writer_over(memory + 2 * cap, cap);
	err = bx_drain_open(&g.drain, &options, fail);
	if (err == BX_OK && generate(&g))
		err = bx_drain_commit(g.drain, g.bytes, fail);
	else
		err = fail->code;
	bx_drain_close(g.drain);
	free(memory);
	*bytes = g.bytes;
	return err;
}
