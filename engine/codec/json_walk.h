/* One pass over a JSON value: check everything, and on request write it in canonical form. */
#ifndef BX_CODEC_JSON_WALK_H
#define BX_CODEC_JSON_WALK_H

#include "base/cursor.h"
#include "base/json_scan.h"
#include "codec/codec.h"

/*
 * The grammar is that of base/json_reader.h; besides, string values that begin with \u0000 must be
 * base64 as spec 2.1 reads it, and integers have at most 4300 digits.
 *
 * Text that is canonical already is not copied piece by piece: `kept` is where the bytes begin that
 * have not been written yet, and they go out in one piece when something else must be written
 * instead of what stands there, or with bx_json_walk_flush.
 */
struct bx_json_walk {
	const uint8_t *begin; /* of what may be read */
	const uint8_t *at;
	const uint8_t *end;
	struct bx_writer *w; /* NULL: only check */
	const uint8_t *kept;
	const char *why;     /* static text, once something was malformed; `at` is there */
	bool changed;        /* the canonical text is not the input's */
	bool long_float;     /* a float was left unjudged: its text is too long to tell at a look */
	bool lone_surrogate; /* a string holds one: nothing can be written for it */
	bool escaped; /* the key or string last asked for by its own function holds a backslash */
};

/* Without writing, long floats are not compared with their repr; `long_float` tells. */
static inline struct bx_json_walk
bx_json_walk_over(struct bx_span text, struct bx_writer *w)
{
	return (struct bx_json_walk){ .begin = text.ptr,
				      .at = text.ptr,
				      .end = text.ptr + text.len,
				      .w = w,
				      .kept = text.ptr };
}

/* The byte at `at`, or 0 (which no JSON text holds) at the end. */
static inline uint8_t
bx_json_walk_peek(const struct bx_json_walk *k)
{
	return k->at < k->end ? *k->at : 0;
}

static inline bool
bx_json_walk_fail(struct bx_json_walk *k, const uint8_t *at, const char *why)
{
	k->at = at;
	k->why = why;
	return false;
}

/* Passes white space, which canonical text has none of. */
void bx_json_walk_drop_space(struct bx_json_walk *k);

static inline void
bx_json_walk_space(struct bx_json_walk *k)
{
	if (k->at < k->end && *k->at <= ' ')
		bx_json_walk_drop_space(k);
}

/* `end`, or where the white space before it begins. */
static inline const uint8_t *
bx_json_walk_before_space(const uint8_t *begin, const uint8_t *end)
{
	while (end > begin && bx_scan_is_space(end[-1]))
		end--;
	return end;
}

/* The value at `at`; `depth` containers are open around it. False: malformed, see `why`. */
bool bx_json_walk_value(struct bx_json_walk *k, uint32_t depth);

/* `"key" :` with the white space around the colon. *raw: the text between the quotes. */
bool bx_json_walk_key(struct bx_json_walk *k, struct bx_span *raw);

/* A string value; *raw as above. Its rule for \u0000 is applied. */
bool bx_json_walk_string(struct bx_json_walk *k, struct bx_span *raw);

/* True for the raw text of a binary: a value that begins with \u0000. */
static inline bool
bx_json_walk_is_binary(struct bx_span raw)
{
	return raw.len >= 6 && memcmp(raw.ptr, "\\u0000", 6) == 0;
}

/* Writes what is still kept, up to `at`. */
static inline void
bx_json_walk_flush(struct bx_json_walk *k)
{
	bx_put(k->w, k->kept, (size_t)(k->at - k->kept));
	k->kept = k->at;
}

/* How a walk that returned `ok` ended, for the functions of a codec; fills *why from `base`. */
enum bx_coded bx_json_walk_result(const struct bx_json_walk *k, bool ok, const uint8_t *base,
				  struct bx_defect *why);

#endif
