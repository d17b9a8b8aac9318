/*
 * Sealing and opening in a binary serializer: the body of `args_to_inner`, `seal_head`, `open`,
 * `to_json` and `from_json` in msgpack.c and cbor.c. Comes after envelope_body.h.
 *
 * Besides what that wants, the including file has defined
 *	size_t put_count(uint8_t *o, bool map, uint64_t count, unsigned width)
 *		the head of a container, its count in `width` bytes or, where that is too few, in
 *		as many as it takes; returns its length, at most HEAD_MAX
 *	unsigned count_width(uint64_t count)		the fewest bytes that hold it after the
 *first size_t put_binary_head(uint8_t *o, uint64_t len) enum bx_coded text_of(struct bx_input *in,
 *struct bx_writer *w, uint32_t depth, uint32_t *marks, bool lenient) one value to JSON enum
 *bx_coded build(struct bx_span json, struct bx_writer *w, uint32_t depth, uint32_t *marks, struct
 *bx_defect *why) ENC_MEMBERS					enc_algo and enc_serializer, two
 *pairs MAP_OPEN, MAP_BREAK				heads of a map without count, if there are
 *	NULL_BYTE
 */

#define HEAD_MAX 9

/*
 * A head that is wider than its count needs stays as wide (wampy writes all maps so): a dict that
 * was sealed and opened again is the same bytes.
 */
static unsigned
kept_width(const struct bx_head *h)
{
	return h->width > count_width(h->value) ? h->width : 0;
}

static void
put_head(struct bx_writer *w, bool map, uint64_t count, unsigned width)
{
	uint8_t head[HEAD_MAX];

	bx_put(w, head, put_count(head, map, count, width));
}

/* The head of a piece that scan has checked. */
static inline __attribute__((always_inline)) void
checked_head(struct bx_input *in, struct bx_head *h)
{
	bool ok = take_head(in, h);

	assert(ok);
	(void)ok;
}

/* Passes one pair of a dict. True when it is one of enc_algo, enc_serializer, enc_key. */
static inline bool
pass_pair(struct bx_input *in, const struct bx_message *m)
{
	uint8_t room[KEY_MAX];
	struct bx_writer join = bx_writer_over(room, sizeof(room));
	struct bx_span key = { NULL, 0 };
	struct bx_head h;

	if (!take_key(in, &join, &key) || !take_head(in, &h) || !pass_value(in, &h, 2)) {
		in->at = in->end; /* cannot happen: scan has been here */
		return false;
	}
	switch (key.ptr == NULL ? BX_DICT_OTHER : bx_shape_key(m->type, key)) {
	case BX_DICT_ENC_ALGO:
	case BX_DICT_ENC_SERIALIZER:
	case BX_DICT_ENC_KEY:
		return true;
	default:
		return false;
	}
}

/* The pairs from in->at to in->end but for enc_*; returns how many were left out. */
static uint64_t
put_foreign(struct bx_writer *w, const struct bx_message *m, struct bx_input *in)
{
	const uint8_t *kept = in->at; /* from here on nothing has been written */
	uint64_t dropped = 0;

	while (in->at < in->end) {
		const uint8_t *pair = in->at;

		if (!pass_pair(in, m))
			continue;
		bx_put(w, kept, (size_t)(pair - kept));
		kept = in->at;
		dropped++;
	}
	bx_put(w, kept, (size_t)(in->end - kept));
	return dropped;
}

/*
 * A dict with enc_* that has a count: that is known only when all pairs have been seen. They are
 * written behind the head for all of them, which then may have to shrink.
 */
static void
put_counted_dict(struct bx_writer *w, const struct bx_message *m, struct bx_input *in,
		 const struct bx_head *h, bool seal)
{
	unsigned kept = kept_width(h);
	uint64_t count = h->value + (seal ? 2 : 0);
	uint8_t head[HEAD_MAX];
	uint8_t *from = w->at;
	uint8_t *pairs;
	size_t len;

	put_head(w, true, count, kept);
	pairs = w->at;
	count -= put_foreign(w, m, in);
	if (seal)
		bx_put(w, ENC_MEMBERS, sizeof(ENC_MEMBERS) - 1);
	if (w->full)
		return;
	len = put_count(head, true, count, kept);
	if (from + len != pairs)
		memmove(from + len, pairs, (size_t)(w->at - pairs));
	memcpy(from, head, len);
	w->at -= (size_t)(pairs - from) - len;
}

/* The dict without enc_*, with the two members of a sealed message appended if `seal`. */
static void
put_dict(struct bx_writer *w, const struct bx_message *m, bool seal)
{
	struct bx_input in = bx_input_over(bx_message_piece(m, m->dict));
	bool foreign_only = (m->flags & BX_MSG_ENC_KEYS) == 0;
	struct bx_head h;

	checked_head(&in, &h);
	if (!h.indefinite && !foreign_only) {
		put_counted_dict(w, m, &in, &h, seal);
		return;
	}
	if (h.indefinite) {
		in.end--; /* the break */
		bx_put_u8(w, MAP_OPEN);
	} else {
		put_head(w, true, h.value + (seal ? 2 : 0), kept_width(&h));
	}
	if (foreign_only)
		bx_put(w, in.at, bx_input_left(&in));
	else
		(void)put_foreign(w, m, &in);
	if (seal)
		bx_put(w, ENC_MEMBERS, sizeof(ENC_MEMBERS) - 1);
	if (h.indefinite)
		bx_put_u8(w, MAP_BREAK);
}

/* The message up to slot P, as a list of `count` elements. */
static void
put_envelope(struct bx_writer *w, const struct bx_message *m, uint64_t count, bool seal)
{
	struct bx_input in = bx_input_of(m, 0);
	const uint8_t *dict = m->bytes + m->dict.off;
	const uint8_t *after = dict + m->dict.len;
	struct bx_head h;

	checked_head(&in, &h);
	put_head(w, false, count, h.indefinite ? 0 : kept_width(&h));
	bx_put(w, in.at, (size_t)(dict - in.at));
	put_dict(w, m, seal);
	bx_put(w, after, (size_t)(m->bytes + m->rest.off - after));
}

static uint64_t
payload_slot(const struct bx_message *m)
{
	const struct bx_shape *shape = bx_shape_of(m->type);

	assert(shape != NULL && shape->payload_at != 0);
	return shape->payload_at;
}

static void
seal_head(const struct bx_message *m, size_t box_len, struct bx_writer *w)
{
	uint8_t head[HEAD_MAX];

	put_envelope(w, m, payload_slot(m) + 1, true);
	bx_put(w, head, put_binary_head(head, box_len));
}

/* False when sealing and opening give another list head or dict than the message has. */
static bool
envelope_survives(const struct bx_message *m)
{
	struct bx_input in = bx_input_of(m, 0);
	struct bx_head h;

	if ((m->flags & BX_MSG_ENC_KEYS) != 0 || !m->count_known)
		return false;
	checked_head(&in, &h);
	if (h.at != m->bytes)
		return false; /* a tag around it */
	in.at = m->bytes + m->dict.off;
	checked_head(&in, &h);
	return h.indefinite || kept_width(&h) == 0 || h.width > count_width(h.value + 2);
}

/*
 * What could not be encoded ended the transcoding early: the rest may be malformed, and Autobahn,
 * which decodes first, would say that.
 */
static enum bx_coded
refuse(const struct bx_message *m, const struct bx_input *in, struct bx_defect *why)
{
	if (!check_rest(m, why))
		return BX_CODED_BAD;
	*why =
	    (struct bx_defect){ "value cannot be written as JSON", (size_t)(in->at - in->begin) };
	return BX_CODED_NOT_REPRESENTABLE;
}

/* args, when `index` is 0, or kwargs. */
static enum bx_coded
put_part(struct bx_input *in, unsigned index, struct bx_writer *w, uint32_t *marks)
{
	const uint8_t *at = in->at;
	struct bx_head h;
	bool fits;

	if (!take_head(in, &h))
		return BX_CODED_BAD;
	in->at = at;
	if (index == 0)
		fits = h.kind == BX_HEAD_LIST || h.kind == BX_HEAD_NULL;
	else
		fits = h.kind == BX_HEAD_MAP;
	if (!fits) {
		bx_input_fail(in, index == 0 ? "arguments are not a list"
					     : "keyword arguments are not a map");
		return BX_CODED_BAD;
	}
	return text_of(in, w, 1, marks, false);
}

static enum bx_coded
put_parts(const struct bx_message *m, struct bx_input *in, struct bx_writer *w, uint32_t *marks)
{
	bool indefinite = !m->count_known;
	const uint8_t *first = in->at;
	unsigned count = 0;

	for (unsigned i = 0; i < 2; i++) {
		bool over = indefinite ? list_ends(in) : i >= m->rest_count;
		enum bx_coded coded;

		if (i == 0)
			bx_put(w, "\"args\":", 7);
		else
			bx_put(w, ",\"kwargs\":", 10);
		if (over) {
			bx_put(w, "null", 4);
			continue;
		}
		coded = put_part(in, i, w, marks);
		if (coded != BX_CODED_OK)
			return coded;
		count++;
	}
	if (count == 1 && *first == NULL_BYTE)
		*marks |= BX_MARK_REENCODED; /* opening would leave it out */
	if (indefinite ? !list_ends(in) : m->rest_count > 2) {
		bx_input_fail(in, "wrong number of elements");
		return BX_CODED_BAD;
	}
	if (!message_ends(in, indefinite))
		return BX_CODED_BAD;
	if (in->at != in->end)
		*marks |= BX_MARK_REENCODED;
	return w->full ? BX_CODED_FULL : BX_CODED_OK;
}

static enum bx_coded
args_to_inner(const struct bx_message *m, struct bx_writer *w, uint32_t *marks,
	      struct bx_defect *why)
{
	struct bx_input in = bx_input_of(m, m->rest.off);
	uint8_t *from = w->at;
	enum bx_coded coded = put_parts(m, &in, w, marks);

	if (coded == BX_CODED_OK) {
		if (!envelope_survives(m))
			*marks |= BX_MARK_REENCODED;
		return BX_CODED_OK;
	}
	w->at = from;
	if (coded == BX_CODED_NOT_REPRESENTABLE)
		return refuse(m, &in, why);
	if (coded == BX_CODED_BAD)
		(void)bx_input_tell(&in, why);
	return coded;
}

static bool
json_is_null(struct bx_span json)
{
	const uint8_t *p = bx_scan_space(json.ptr, json.ptr + json.len);

	return p == json.ptr + json.len || *p == 'n';
}

static enum bx_coded
put_arguments(const struct bx_inner *inner, bool has_args, bool has_kwargs, struct bx_writer *w,
	      struct bx_defect *why)
{
	enum bx_coded coded = BX_CODED_OK;

	if (has_args)
		coded = build(inner->args, w, 1, NULL, why);
	else if (has_kwargs)
		bx_put_u8(w, NULL_BYTE);
	if (coded == BX_CODED_OK && has_kwargs)
		coded = build(inner->kwargs, w, 1, NULL, why);
	return coded;
}

static enum bx_coded
open_message(const struct bx_message *m, const struct bx_inner *inner, struct bx_writer *w,
	     struct bx_defect *why)
{
	bool has_args = !json_is_null(inner->args);
	bool has_kwargs = !json_is_null(inner->kwargs);
	unsigned count = has_kwargs ? 2 : has_args ? 1 : 0;
	uint8_t *from = w->at;
	enum bx_coded coded;

	put_envelope(w, m, payload_slot(m) + count, false);
	coded = put_arguments(inner, has_args, has_kwargs, w, why);
	if (coded == BX_CODED_OK && w->full)
		coded = BX_CODED_FULL;
	if (coded != BX_CODED_OK)
		w->at = from;
	return coded;
}

/* As `refuse`, for a value that stands alone. */
static enum bx_coded
refuse_value(struct bx_span value, const struct bx_input *at, struct bx_defect *why)
{
	struct bx_input in = bx_input_over(value);

	if (!walk(&in, 0) || !message_ends(&in, false)) {
		(void)bx_input_tell(&in, why);
		return BX_CODED_BAD;
	}
	*why =
	    (struct bx_defect){ "value cannot be written as JSON", (size_t)(at->at - at->begin) };
	return BX_CODED_NOT_REPRESENTABLE;
}

static enum bx_coded
to_json(struct bx_span value, struct bx_writer *w, uint32_t *marks, struct bx_defect *why)
{
	struct bx_input in = bx_input_over(value);
	uint8_t *from = w->at;
	enum bx_coded coded = BX_CODED_BAD;

	if (value.len > BX_MESSAGE_MAX)
		bx_input_fail(&in, "value is too long");
	else
		coded = text_of(&in, w, 0, marks, true);
	if (coded == BX_CODED_OK && !message_ends(&in, false))
		coded = BX_CODED_BAD;
	if (coded == BX_CODED_OK) {
		if (in.at != in.end)
			*marks |= BX_MARK_REENCODED;
		return BX_CODED_OK;
	}
	w->at = from;
	if (coded == BX_CODED_NOT_REPRESENTABLE)
		return refuse_value(value, &in, why);
	if (coded == BX_CODED_BAD)
		(void)bx_input_tell(&in, why);
	return coded;
}

static enum bx_coded
from_json(struct bx_span json, struct bx_writer *w, uint32_t *marks, struct bx_defect *why)
{
	return build(json, w, 0, marks, why);
}
