/*
 * Reading the envelope of a binary WAMP message: the body of `scan` and `check_rest` in msgpack.c
 * and cbor.c.
 *
 * The including file has defined
 *	bool take_head(struct bx_input *in, struct bx_head *h)
 *	bool walk(struct bx_input *in, uint32_t depth)
 *		passes one whole value, all of it checked; `depth` containers are open around it
 *	bool take_text(struct bx_input *in, const struct bx_head *h, struct bx_writer *join,
 *		       struct bx_span *text)
 *		what follows a TEXT head; chunks are joined in `join`, and text->ptr is NULL when
 *		they do not fit there
 *	bool pass_binary(struct bx_input *in, const struct bx_head *h, uint64_t *len)
 *		what follows a BINARY head; *len: its bytes, chunks added up
 *	bool list_ends(const struct bx_input *in)
 *		true at the break of a list of indefinite length
 *	bool message_ends(struct bx_input *in, bool indefinite)
 *		after the last element: passes the break, checks what may follow a message
 */

struct envelope {
	struct bx_input in;
	struct bx_message *m;
	struct bx_writer *scratch;
	uint64_t count; /* elements of the message; UINT64_MAX: until the break */
	bool indefinite;
	bool ppt_scheme; /* the dict has one, and it is not empty */
	bool bad_enc_key;
};

/* The chunks of a key that is looked at fit here. */
#define KEY_MAX 32

static bool
fail_at(struct bx_input *in, const uint8_t *at, const char *why)
{
	in->at = at;
	return bx_input_fail(in, why);
}

/* What follows a head, whatever it is; `depth` containers are open around the value. */
static inline bool
pass_value(struct bx_input *in, const struct bx_head *h, uint32_t depth)
{
	if (h->kind < BX_HEAD_TEXT)
		return true;
	in->at = h->at;
	return walk(in, depth);
}

static inline bool
read_id(struct bx_input *in, uint64_t *id)
{
	struct bx_head h;

	if (!take_head(in, &h))
		return false;
	if (h.kind != BX_HEAD_UINT || h.value > BX_ID_MAX)
		return fail_at(in, h.at, "id is not an integer from 0 to 2^53");
	*id = h.value;
	return true;
}

static inline bool
read_request_type(struct bx_input *in, struct bx_message *m)
{
	struct bx_head h;

	if (!take_head(in, &h))
		return false;
	if (h.kind == BX_HEAD_UINT) {
		switch (h.value) {
		case BX_PUBLISH:
		case BX_SUBSCRIBE:
		case BX_UNSUBSCRIBE:
		case BX_CALL:
		case BX_REGISTER:
		case BX_UNREGISTER:
		case BX_INVOCATION:
			m->request_type = (uint16_t)h.value;
			return true;
		default:
			break;
		}
	}
	return fail_at(in, h.at, "request type of ERROR is none");
}

/* A string that is kept. */
static inline bool
read_uri(struct envelope *v, bool or_null)
{
	struct bx_head h;
	struct bx_span text;

	if (!take_head(&v->in, &h))
		return false;
	if (or_null && h.kind == BX_HEAD_NULL)
		return true;
	if (h.kind != BX_HEAD_TEXT)
		return fail_at(&v->in, h.at, "URI is not a string");
	if (!take_text(&v->in, &h, v->scratch, &text))
		return false;
	if (text.ptr == NULL)
		return fail_at(&v->in, h.at, "URI is too long");
	v->m->uri = text.ptr;
	v->m->uri_len = (uint32_t)text.len;
	if (bx_type_has_payload(v->m->type) || v->m->type == BX_SUBSCRIBE ||
	    v->m->type == BX_REGISTER)
		v->m->flags |= BX_MSG_URI_IN_ENVELOPE;
	return true;
}

static inline bool
read_text(struct bx_input *in)
{
	struct bx_head h;

	if (!take_head(in, &h))
		return false;
	if (h.kind != BX_HEAD_TEXT)
		return fail_at(in, h.at, "element is not a string");
	return pass_value(in, &h, 1);
}

static void
set_flag(struct bx_message *m, unsigned flag, bool on)
{
	m->flags = (uint16_t)(on ? m->flags | flag : m->flags & ~flag);
}

static bool
is_absent(const struct bx_head *h)
{
	return h->kind == BX_HEAD_NULL || h->kind == BX_HEAD_UNDEFINED;
}

/* A text option, or {NULL, 0}. The value has been passed. */
static bool
option_text(struct envelope *v, const struct bx_head *h, struct bx_writer *join,
	    struct bx_span *text)
{
	*text = (struct bx_span){ NULL, 0 };
	if (h->kind != BX_HEAD_TEXT)
		return pass_value(&v->in, h, 2);
	return take_text(&v->in, h, join, text);
}

static bool
note_enc(struct envelope *v, const struct bx_head *h, enum bx_dict_key key)
{
	struct bx_message *m = v->m;
	uint8_t room[KEY_MAX];
	struct bx_writer join = bx_writer_over(room, sizeof(room));
	enum bx_enc enc = BX_ENC_INVALID;
	struct bx_span text;

	m->flags |= BX_MSG_ENC_KEYS;
	if (!option_text(v, h, &join, &text))
		return false;
	if (is_absent(h))
		enc = BX_ENC_ABSENT;
	else if (text.ptr != NULL)
		enc = key == BX_DICT_ENC_ALGO ? bx_shape_enc_algo(text)
					      : bx_shape_enc_serializer(text);
	if (key == BX_DICT_ENC_ALGO)
		m->enc_algo = (uint8_t)enc;
	else if (key == BX_DICT_ENC_SERIALIZER)
		m->enc_serializer = (uint8_t)enc;
	else
		v->bad_enc_key = h->kind != BX_HEAD_TEXT && !is_absent(h);
	return true;
}

/* details.topic and details.procedure; of another type they count as absent. */
static bool
note_uri(struct envelope *v, const struct bx_head *h)
{
	struct bx_message *m = v->m;
	struct bx_span text;

	if (!option_text(v, h, v->scratch, &text))
		return false;
	if (h->kind == BX_HEAD_TEXT && text.ptr == NULL)
		return fail_at(&v->in, h->at, "URI is too long");
	m->uri = text.ptr;
	m->uri_len = (uint32_t)text.len;
	set_flag(m, BX_MSG_URI_IN_DETAILS, h->kind == BX_HEAD_TEXT);
	return true;
}

static bool
note_match(struct envelope *v, const struct bx_head *h)
{
	uint8_t room[KEY_MAX];
	struct bx_writer join = bx_writer_over(room, sizeof(room));
	struct bx_span text;

	if (!option_text(v, h, &join, &text))
		return false;
	if (is_absent(h))
		v->m->match = BX_MATCH_EXACT;
	else
		v->m->match = (uint8_t)(text.ptr == NULL ? BX_MATCH_ODD : bx_shape_match(text));
	return true;
}

static bool
note_scheme(struct envelope *v, const struct bx_head *h)
{
	uint8_t room[KEY_MAX];
	struct bx_writer join = bx_writer_over(room, sizeof(room));
	struct bx_span text;

	if (!option_text(v, h, &join, &text))
		return false;
	/* Chunks that did not fit are not empty. */
	v->ppt_scheme = h->kind == BX_HEAD_TEXT && (text.ptr == NULL || text.len != 0);
	return true;
}

/* One member of options or details that is looked at. A later one of the same name wins. */
static __attribute__((noinline)) bool
note_option(struct envelope *v, enum bx_dict_key key, const struct bx_head *h)
{
	struct bx_message *m = v->m;

	switch (key) {
	case BX_DICT_ENC_ALGO:
	case BX_DICT_ENC_SERIALIZER:
	case BX_DICT_ENC_KEY:
		return note_enc(v, h, key);
	case BX_DICT_TOPIC:
	case BX_DICT_PROCEDURE:
		return note_uri(v, h);
	case BX_DICT_MATCH:
		return note_match(v, h);
	case BX_DICT_PPT_SCHEME:
		return note_scheme(v, h);
	case BX_DICT_PROGRESS:
		set_flag(m, BX_MSG_PROGRESS, h->kind == BX_HEAD_TRUE);
		break;
	case BX_DICT_ACKNOWLEDGE:
		set_flag(m, BX_MSG_ACKNOWLEDGE, h->kind == BX_HEAD_TRUE);
		break;
	case BX_DICT_RETAINED:
		set_flag(m, BX_MSG_RETAINED, h->kind == BX_HEAD_TRUE);
		break;
	case BX_DICT_SUBSCRIPTION:
	case BX_DICT_REGISTRATION:
		m->subject = h->kind == BX_HEAD_UINT && h->value <= BX_ID_MAX ? h->value : 0;
		break;
	default:
		break;
	}
	return pass_value(&v->in, h, 2);
}

/* A key of options or details, joined in `join` if it is chunked. */
static inline bool
take_key(struct bx_input *in, struct bx_writer *join, struct bx_span *key)
{
	struct bx_head h;

	if (!take_head(in, &h))
		return false;
	if (h.kind != BX_HEAD_TEXT)
		return fail_at(in, h.at, "key of options or details is not a string");
	return take_text(in, &h, join, key);
}

static inline bool
read_dict(struct envelope *v)
{
	struct bx_input *in = &v->in;
	struct bx_head dict;

	if (!take_head(in, &dict))
		return false;
	if (dict.kind != BX_HEAD_MAP)
		return fail_at(in, dict.at, "options or details are not a map");
	if (!dict.indefinite && dict.value > bx_input_left(in) / 2)
		return bx_input_cut(in, dict.value);
	for (uint64_t i = 0; i < dict.value; i++) {
		uint8_t room[KEY_MAX];
		struct bx_writer join = bx_writer_over(room, sizeof(room));
		enum bx_dict_key which = BX_DICT_OTHER;
		struct bx_head h;
		struct bx_span key;

		if (dict.indefinite && list_ends(in)) {
			in->at++;
			break;
		}
		if (!take_key(in, &join, &key))
			return false;
		if (key.ptr != NULL)
			which = bx_shape_key(v->m->type, key);
		if (!take_head(in, &h))
			return false;
		if (!(which == BX_DICT_OTHER ? pass_value(in, &h, 2) : note_option(v, which, &h)))
			return false;
	}
	v->m->dict.off = (uint32_t)(dict.at - in->begin);
	v->m->dict.len = (uint32_t)(in->at - dict.at);
	return true;
}

static inline bool
read_slot(struct envelope *v, enum bx_slot slot)
{
	switch (slot) {
	case BX_SLOT_REQUEST:
		return read_id(&v->in, &v->m->request);
	case BX_SLOT_SUBJECT:
		return read_id(&v->in, &v->m->subject);
	case BX_SLOT_PUBLICATION:
		return read_id(&v->in, &v->m->publication);
	case BX_SLOT_REQUEST_TYPE:
		return read_request_type(&v->in, v->m);
	case BX_SLOT_DICT:
	case BX_SLOT_DICT_LAST:
		return read_dict(v);
	case BX_SLOT_URI:
		return read_uri(v, false);
	case BX_SLOT_URI_OR_NULL:
		return read_uri(v, true);
	default:
		return read_text(&v->in);
	}
}

/* True when no element `index` (the code is 0) comes any more. */
static inline bool
is_over(const struct envelope *v, unsigned index)
{
	return v->indefinite ? list_ends(&v->in) : index >= v->count;
}

/* kwargs of a ppt_* message: absent or empty. in->at is after the args. */
static bool
has_no_kwargs(struct bx_input *in, const struct envelope *v, unsigned index)
{
	struct bx_head h;

	if (v->indefinite ? list_ends(in) : index >= v->count)
		return true;
	if (!take_head(in, &h) || h.kind != BX_HEAD_MAP)
		return false;
	return h.indefinite ? list_ends(in) : h.value == 0;
}

/*
 * True when the list whose head has just been read from a copy of v->in holds one binary, and
 * nothing follows it. `index` is the number of its element.
 */
static bool
is_passthru(struct bx_input in, const struct bx_head *list, const struct envelope *v,
	    unsigned index)
{
	struct bx_head h;
	uint64_t len;

	if (!list->indefinite && list->value != 1)
		return false;
	if (!take_head(&in, &h) || h.kind != BX_HEAD_BINARY || !pass_binary(&in, &h, &len))
		return false;
	if (list->indefinite) {
		if (!list_ends(&in))
			return false;
		in.at++;
	}
	return has_no_kwargs(&in, v, index + 1);
}

/* The element at P, number `index`, whose head has been read and passed. */
static inline bool
note_payload(struct envelope *v, const struct bx_head *h, unsigned index)
{
	struct bx_input *in = &v->in;
	struct bx_message *m = v->m;
	uint64_t len;

	m->payload = BX_PAYLOAD_ODD;
	if (h->kind == BX_HEAD_LIST || h->kind == BX_HEAD_NULL) {
		m->payload = BX_PAYLOAD_PLAIN;
		if (v->ppt_scheme && h->kind == BX_HEAD_LIST && is_passthru(*in, h, v, index))
			m->flags |= BX_MSG_PPT;
		return true;
	}
	if (h->kind != BX_HEAD_BINARY)
		return true;
	if (!pass_binary(in, h, &len))
		return false;
	if (v->indefinite ? !list_ends(in) : index + 1 < v->count)
		return true;
	if (!message_ends(in, v->indefinite))
		return false;
	m->payload = BX_PAYLOAD_BINARY;
	if (len == 0)
		m->flags |= BX_MSG_BOX_EMPTY;
	return true;
}

/* From slot P on. */
static inline bool
read_rest(struct envelope *v, unsigned index)
{
	struct bx_message *m = v->m;
	struct bx_head h;

	m->rest.off = (uint32_t)(v->in.at - v->in.begin);
	m->rest.len = (uint32_t)bx_input_left(&v->in);
	if (!v->indefinite) {
		m->count_known = 1;
		m->rest_count = (uint32_t)(v->count - index);
	}
	if (is_over(v, index))
		return message_ends(&v->in, v->indefinite);
	return take_head(&v->in, &h) && note_payload(v, &h, index);
}

/* The elements of a message of a known type, after its code. */
static inline bool
read_elements(struct envelope *v, const struct bx_shape *shape)
{
	unsigned index = 1;

	if (!v->indefinite && (v->count < shape->min_len || v->count > shape->max_len))
		return fail_at(&v->in, v->in.begin, "wrong number of elements");
	for (; index <= shape->slot_count; index++) {
		if (index >= shape->min_len && is_over(v, index))
			break;
		if (!read_slot(v, (enum bx_slot)shape->slots[index - 1]))
			return false;
	}
	if (v->bad_enc_key)
		v->m->enc_algo = BX_ENC_INVALID;
	if (shape->payload_at != 0)
		return read_rest(v, index);
	if (!is_over(v, index))
		return bx_input_fail(&v->in, "wrong number of elements");
	return message_ends(&v->in, v->indefinite);
}

/* The elements of a message that is passed through: any, but sound. */
static bool
read_extension(struct envelope *v)
{
	for (uint64_t i = 1; v->indefinite ? !list_ends(&v->in) : i < v->count; i++)
		if (!walk(&v->in, 1))
			return false;
	return message_ends(&v->in, v->indefinite);
}

static inline bool
read_envelope(struct envelope *v)
{
	struct bx_input *in = &v->in;
	const struct bx_shape *shape;
	struct bx_head h;

	if (bx_input_left(in) > BX_MESSAGE_MAX)
		return bx_input_fail(in, "message is too long");
	if (!take_head(in, &h))
		return false;
	if (h.kind != BX_HEAD_LIST)
		return fail_at(in, h.at, "message is not a list");
	v->count = h.value;
	v->indefinite = h.indefinite;
	if (!h.indefinite && h.value > bx_input_left(in))
		return bx_input_cut(in, h.value);
	if (is_over(v, 0))
		return bx_input_fail(in, "message is empty");
	if (!take_head(in, &h))
		return false;
	if (h.kind != BX_HEAD_UINT)
		return fail_at(in, h.at, "message code is not an integer");
	shape = bx_shape_of(h.value);
	if (shape != NULL) {
		v->m->type = (uint16_t)h.value;
		return read_elements(v, shape);
	}
	if (h.value < 256 || h.value > 1023)
		return fail_at(in, h.at, "unknown message code");
	v->m->type = (uint16_t)h.value;
	v->m->flags = BX_MSG_EXTENSION;
	return read_extension(v);
}

static bool
scan(struct bx_message *m, struct bx_writer *scratch, struct bx_defect *why)
{
	struct envelope v = { .m = m, .scratch = scratch };

	*m = (struct bx_message){ .bytes = m->bytes, .len = m->len, .ser = SERIALIZER };
	v.in = bx_input_of(m, 0);
	return read_envelope(&v) || bx_input_tell(&v.in, why);
}

/* Passes the element at P + 1. */
static bool
walk_kwargs(struct bx_input *in)
{
	const uint8_t *at = in->at;
	struct bx_head h;

	if (!take_head(in, &h))
		return false;
	in->at = at;
	if (h.kind != BX_HEAD_MAP)
		return bx_input_fail(in, "keyword arguments are not a map");
	return walk(in, 1);
}

static bool
check_rest(const struct bx_message *m, struct bx_defect *why)
{
	const struct bx_shape *shape = bx_shape_of(m->type);
	struct bx_input in = bx_input_of(m, m->rest.off);
	bool indefinite = !m->count_known;

	if (shape == NULL || shape->payload_at == 0)
		return true;
	for (unsigned i = 0; indefinite ? !list_ends(&in) : i < m->rest_count; i++) {
		if (i == 2) {
			bx_input_fail(&in, "wrong number of elements");
			return bx_input_tell(&in, why);
		}
		if (!(i == 1 && m->payload == BX_PAYLOAD_PLAIN ? walk_kwargs(&in) : walk(&in, 1)))
			return bx_input_tell(&in, why);
	}
	return message_ends(&in, indefinite) || bx_input_tell(&in, why);
}
