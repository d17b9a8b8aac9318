#include "codec/json_dict.h"

#include <assert.h>

#include "base/json_reader.h"
#include "codec/json_walk.h"

enum bx_dict_key
bx_json_dict_key(uint16_t type, struct bx_span raw, bool escaped)
{
	uint8_t buf[16]; /* the longest key looked at has 14 characters */
	struct bx_writer w = bx_writer_over(buf, sizeof(buf));

	if (!escaped)
		return bx_shape_key(type, raw);
	return bx_json_text(raw, &w) ? bx_shape_key(type, bx_since(&w, buf)) : BX_DICT_OTHER;
}

static bool
is_enc_key(uint16_t type, struct bx_span raw, bool escaped)
{
	enum bx_dict_key key = bx_json_dict_key(type, raw, escaped);

	return key == BX_DICT_ENC_ALGO || key == BX_DICT_ENC_SERIALIZER || key == BX_DICT_ENC_KEY;
}

/* Where the last value of the dict ends; the "}" when it has none. *kept: a member stays. */
static const uint8_t *
put_members(const struct bx_message *m, bool *kept, struct bx_writer *w)
{
	struct bx_span dict = bx_message_piece(m, m->dict);
	struct bx_json_walk k = bx_json_walk_over(dict, NULL);
	const uint8_t *done = dict.ptr; /* all before it is written or dropped */
	const uint8_t *after = NULL;    /* end of the last value: where a comma may stand */

	*kept = false;
	k.at++;
	bx_json_walk_space(&k);
	while (bx_json_walk_peek(&k) != '}') {
		const uint8_t *from = k.at;
		struct bx_span raw;
		bool ok = bx_json_walk_key(&k, &raw);
		bool dropped = ok && is_enc_key(m->type, raw, k.escaped);

		ok = ok && bx_json_walk_value(&k, 2);
		assert(ok && "a scanned dict is well-formed");
		if (!ok)
			break;
		if (!dropped) {
			if (!*kept && after != NULL)
				done = from;
			*kept = true;
		} else {
			if (*kept)
				bx_put(w, done, (size_t)(after - done));
			else if (after == NULL)
				bx_put(w, done, (size_t)(from - done));
			done = k.at;
		}
		after = k.at;
		bx_json_walk_space(&k);
		if (bx_json_walk_peek(&k) == ',')
			k.at++;
		bx_json_walk_space(&k);
	}
	if (after == NULL)
		after = k.at;
	bx_put(w, done, (size_t)(after - done));
	return after;
}

/*
 * The usual sealed dict: the pair is its end, and nothing before it can be one of the three keys,
 * escaped or not. Gives what stays before the "}", comma included.
 */
static bool
ends_with_pair(struct bx_span dict, struct bx_span *before)
{
	if (dict.len < BX_JSON_DICT_ENC_LEN + 2 ||
	    memcmp(dict.ptr + dict.len - 1 - BX_JSON_DICT_ENC_LEN, BX_JSON_DICT_ENC,
		   BX_JSON_DICT_ENC_LEN) != 0)
		return false;
	*before = (struct bx_span){ dict.ptr, dict.len - 1 - BX_JSON_DICT_ENC_LEN };
	return before->len == 1 || (before->ptr[before->len - 1] == ',' &&
				    memchr(before->ptr, '\\', before->len) == NULL &&
				    memmem(before->ptr, before->len, "\"enc_", 5) == NULL);
}

void
bx_json_dict_put(const struct bx_message *m, const char *append, struct bx_writer *w)
{
	struct bx_span dict = bx_message_piece(m, m->dict);
	const uint8_t *end = dict.ptr + dict.len;
	const uint8_t *after = end - 1;
	struct bx_span before;
	bool kept;

	if ((m->flags & BX_MSG_ENC_KEYS) == 0) {
		const uint8_t *last = bx_json_walk_before_space(dict.ptr, after);

		kept = last[-1] != '{';
		after = kept ? last : after;
		bx_put(w, dict.ptr, (size_t)(after - dict.ptr));
	} else if (ends_with_pair(dict, &before)) {
		kept = before.len > 1;
		bx_put(w, before.ptr, before.len - kept);
	} else {
		after = put_members(m, &kept, w);
	}
	if (*append != '\0') {
		if (kept)
			bx_put_u8(w, ',');
		bx_put_text(w, append);
	}
	bx_put(w, after, (size_t)(end - after));
}
