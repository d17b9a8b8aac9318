#include "pipe/pipe.h"

#include <assert.h>
#include <stdio.h>
#include <time.h>

#include "base/json_writer.h"

struct bx_span
bx_record_uri(const struct bx_record *r)
{
	return bx_message_uri(&r->m);
}

uint64_t
bx_record_offset(const struct bx_car *car, const struct bx_record *r)
{
	const uint8_t *at = r->frame.whole.ptr;

	if (at == NULL || at < car->bytes || at > car->bytes + car->len)
		return car->base;
	return car->base + (uint64_t)(at - car->bytes);
}

static const char *
failure_words(enum bx_failure failure)
{
	static const char *const words[BX_FAILURE_COUNT] = {
		[BX_FAILURE_NONE] = "",
		[BX_FAILURE_MALFORMED] = "malformed message",
		[BX_FAILURE_NO_KEY] = "no key for this URI",
		[BX_FAILURE_NO_ROLE] = "the entry for this URI lacks the role that is needed",
		[BX_FAILURE_UNKNOWN_URI] = "nothing tells its URI",
		[BX_FAILURE_BAD_TAG] = "tag does not verify",
		[BX_FAILURE_URI_MISMATCH] = "authentic, but sealed for another URI",
		[BX_FAILURE_BAD_PLAINTEXT] =
		    "authentic, but its content is not the JSON it must be",
		[BX_FAILURE_WRONG_TYPE] = "authentic, but args or kwargs have the wrong type",
		[BX_FAILURE_AMBIGUOUS_KEY] = "more than one key opens it (AMBIGUOUS_KEY)",
		[BX_FAILURE_NOT_REPRESENTABLE] = "holds a value that cannot be written",
		[BX_FAILURE_TOO_BIG] = "too big for its framing",
		[BX_FAILURE_NOT_LOSSLESS] = "sealing could not give the same bytes back",
		[BX_FAILURE_UNSUPPORTED] = "its serializer cannot be converted",
	};

	return words[failure];
}

static const char *
failure_hint(enum bx_failure failure)
{
	switch (failure) {
	case BX_FAILURE_NO_KEY:
	case BX_FAILURE_NO_ROLE:
		return "boxcar keyring which URI -k RING says what serves a URI";
	case BX_FAILURE_BAD_TAG:
		return "another keyring (-k may be repeated), or --on-error skip --rejects FILE";
	case BX_FAILURE_UNKNOWN_URI:
		return "without --strict it passes in clear and is counted";
	case BX_FAILURE_NOT_LOSSLESS:
		return "without --lossless it is sealed and counted as reencoded";
	case BX_FAILURE_NOT_REPRESENTABLE:
		return "--on-error pass keeps such messages as they are";
	case BX_FAILURE_MALFORMED:
	case BX_FAILURE_TOO_BIG:
		return "--on-error skip --rejects FILE sets such messages aside";
	default:
		return "";
	}
}

void
bx_record_fail(const struct bx_car *car, const struct bx_record *r, struct bx_fail *fail)
{
	if (fail->code != BX_OK)
		return;

	uint8_t uri[100];
	struct bx_writer w = bx_writer_over(uri, sizeof(uri) - 1);
	uint64_t at = bx_record_offset(car, r);

	bx_json_put_safe(&w, bx_record_uri(r), 80);
	*w.at = '\0';

	const char *type =
	    r->scanned ? bx_type_name(r->m.type) : bx_ser_name((enum bx_ser)r->m.ser);
	const char *words = failure_words((enum bx_failure)r->failure);
	const char *hint = failure_hint((enum bx_failure)r->failure);

	if (r->why != NULL)
		(void)bx_fail_set(fail, bx_failure_err((enum bx_failure)r->failure), 0, at,
				  "%.100s: message %llu at byte %llu (%s%s%s): %s: %s",
				  car->file_name, (unsigned long long)r->number,
				  (unsigned long long)at, type, w.at != uri ? " " : "",
				  (const char *)uri, words, r->why);
	else
		(void)bx_fail_set(fail, bx_failure_err((enum bx_failure)r->failure), 0, at,
				  "%.100s: message %llu at byte %llu (%s%s%s): %s", car->file_name,
				  (unsigned long long)r->number, (unsigned long long)at, type,
				  w.at != uri ? " " : "", (const char *)uri, words);
	if (hint[0] != '\0')
		bx_fail_hint(fail, "%s", hint);
}

bool
bx_record_failed(struct bx_worker *worker, struct bx_car *car, struct bx_record *r,
		 enum bx_failure failure, const char *why, size_t at)
{
	r->failure = (uint8_t)failure;
	r->why = why;
	r->why_at = (uint32_t)(at < UINT32_MAX ? at : UINT32_MAX);
	worker->counts.failed[failure]++;
	switch (worker->pipe->job->on_error) {
	case BX_ON_ERROR_SKIP:
		r->fate = BX_FATE_DROP;
		worker->counts.skipped++;
		return false;
	case BX_ON_ERROR_PASS:
		r->fate = BX_FATE_COPY;
		worker->counts.passed++;
		return false;
	case BX_ON_ERROR_STOP:
		break;
	}
	bx_record_fail(car, r, &car->fail);
	return true;
}

static bool
starts_with(struct bx_span uri, const char *prefix)
{
	size_t len = strlen(prefix);

	return uri.len >= len && memcmp(uri.ptr, prefix, len) == 0;
}

bool
bx_uri_reserved(struct bx_span uri)
{
	return starts_with(uri, "wamp.") || starts_with(uri, "crossbar.");
}

enum bx_role
bx_role_of(uint16_t type)
{
	return type == BX_YIELD || type == BX_RESULT || type == BX_ERROR ? BX_ROLE_RESPONDER
									 : BX_ROLE_ORIGINATOR;
}

enum bx_standing
bx_record_standing(const struct bx_record *r)
{
	if (r->frame.kind != BX_FRAME_MESSAGE)
		return BX_STANDS_OTHER;
	if (!r->scanned) {
		if (r->m.ser == BX_SER_UBJSON || r->m.ser == BX_SER_FLATBUFFERS)
			return BX_STANDS_UNSUPPORTED;
		return BX_STANDS_MALFORMED;
	}
	if (!bx_type_has_payload(r->m.type))
		return BX_STANDS_OTHER;
	switch ((enum bx_payload)r->m.payload) {
	case BX_PAYLOAD_BINARY:
		if (r->m.enc_algo == BX_ENC_INVALID)
			return BX_STANDS_MALFORMED;
		if (r->m.enc_algo != BX_ENC_OURS || (r->m.flags & BX_MSG_BOX_EMPTY) != 0)
			return BX_STANDS_FOREIGN;
		return BX_STANDS_SEALED;
	case BX_PAYLOAD_ODD:
		return BX_STANDS_MALFORMED;
	case BX_PAYLOAD_NONE:
	case BX_PAYLOAD_PLAIN:
		break;
	}
	return (r->m.flags & BX_MSG_PPT) != 0 ? BX_STANDS_FOREIGN : BX_STANDS_PLAIN;
}

double
bx_seconds_since(const struct timespec *start)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)(now.tv_sec - start->tv_sec) + (double)(now.tv_nsec - start->tv_nsec) / 1e9;
}

void
bx_counts_add(struct bx_job_counts *to, const struct bx_job_counts *from)
{
	uint64_t *t = (uint64_t *)(void *)to;
	const uint64_t *f = (const uint64_t *)(const void *)from;

	static_assert(sizeof(*to) % sizeof(uint64_t) == 0, "counts are all uint64_t");
	for (size_t i = 0; i < sizeof(*to) / sizeof(uint64_t); i++)
		t[i] += f[i];
}
