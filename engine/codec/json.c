#include "codec/codec.h"

#include "base/base64.h"
#include "base/json_reader.h"
#include "codec/json_dict.h"
#include "codec/json_envelope.h"
#include "codec/json_walk.h"

/* `"\u0000`: how a binary begins. */
#define BINARY_HEAD "\"\\u0000"
#define BINARY_HEAD_LEN 7u

static enum bx_coded
refuse(struct bx_defect *why, const char *what, size_t at)
{
	*why = (struct bx_defect){ what, at };
	return BX_CODED_BAD;
}

/* args, then `between`, then kwargs (null where absent) from m->rest. *alone: nothing after args.
 */
static bool
put_rest(struct bx_json_walk *k, const char *between, bool *alone)
{
	if (!bx_json_walk_value(k, 1))
		return false;
	bx_json_walk_space(k);
	bx_json_walk_flush(k);
	bx_put_text(k->w, between);
	*alone = k->at == k->end;
	if (*alone) {
		bx_put_text(k->w, "null");
		return true;
	}
	if (*k->at != ',')
		return bx_json_walk_fail(k, k->at, "expected \",\" or the end of the message");
	k->kept = ++k->at;
	bx_json_walk_space(k);
	if (bx_json_walk_peek(k) != '{')
		return bx_json_walk_fail(k, k->at, "kwargs is not a dict");
	if (!bx_json_walk_value(k, 1))
		return false;
	bx_json_walk_space(k);
	bx_json_walk_flush(k);
	return k->at == k->end || bx_json_walk_fail(k, k->at, "message has too many elements");
}

/* White space around the final "]" (and before it, where no payload stands) is not kept. */
static bool
has_loose_end(const struct bx_message *m)
{
	return m->rest.off + m->rest.len + 1 != m->len ||
	       (m->payload == BX_PAYLOAD_NONE && bx_scan_is_space(m->bytes[m->rest.off - 1]));
}

static enum bx_coded
args_to_inner(const struct bx_message *m, struct bx_writer *w, uint32_t *marks,
	      struct bx_defect *why)
{
	bool alone = false;

	if ((m->flags & BX_MSG_ENC_KEYS) != 0 || has_loose_end(m))
		*marks |= BX_MARK_REENCODED;
	bx_put_text(w, "\"args\":");
	if (m->payload == BX_PAYLOAD_NONE) {
		bx_put_text(w, "null,\"kwargs\":null");
		return w->full ? BX_CODED_FULL : BX_CODED_OK;
	}
	if (m->payload != BX_PAYLOAD_PLAIN)
		return refuse(why, "payload is not a list of arguments", m->rest.off);

	struct bx_json_walk k = bx_json_walk_over(bx_message_piece(m, m->rest), w);

	k.begin = m->bytes;

	bool is_null = bx_json_walk_peek(&k) == 'n';
	bool ok = put_rest(&k, ",\"kwargs\":", &alone);

	if (k.changed || (is_null && alone))
		*marks |= BX_MARK_REENCODED;
	return bx_json_walk_result(&k, ok, m->bytes, why);
}

/* The end of the last element before P, when nothing stands at P any more. */
static uint32_t
envelope_end(const struct bx_message *m)
{
	uint32_t at = m->rest.off;

	while (bx_scan_is_space(m->bytes[at - 1]))
		at--;
	if (m->payload == BX_PAYLOAD_NONE)
		return at;
	at--; /* the comma before P */
	while (bx_scan_is_space(m->bytes[at - 1]))
		at--;
	return at;
}

/* The envelope up to `end` with its dict edited. */
static void
put_envelope(const struct bx_message *m, uint32_t end, const char *append, struct bx_writer *w)
{
	uint32_t after = m->dict.off + m->dict.len;

	bx_put(w, m->bytes, m->dict.off);
	bx_json_dict_put(m, append, w);
	bx_put(w, m->bytes + after, end - after);
}

static void
seal_head(const struct bx_message *m, size_t box_len, struct bx_writer *w)
{
	bool none = m->payload == BX_PAYLOAD_NONE;

	(void)box_len;
	put_envelope(m, none ? envelope_end(m) : m->rest.off, BX_JSON_DICT_ENC, w);
	if (none)
		bx_put_u8(w, ',');
	bx_put(w, BINARY_HEAD, BINARY_HEAD_LEN);
}

static bool
box(const struct bx_message *m, struct bx_writer *scratch, struct bx_span *bytes,
    struct bx_defect *why)
{
	struct bx_span rest = bx_message_piece(m, m->rest);
	struct bx_json_walk k = bx_json_walk_over(rest, NULL);
	uint8_t *from = scratch->at;
	size_t head = BINARY_HEAD_LEN;
	struct bx_span raw;
	bool exact;
	size_t len;

	/* The usual case: standard base64 between the quotes, and nothing else. */
	if (rest.len > head && rest.ptr[rest.len - 1] == '"') {
		struct bx_span text = { rest.ptr + head, rest.len - head - 1 };

		if (!scratch->full && bx_room(scratch) >= text.len / 4 * 3 &&
		    bx_base64_decode(text, from, &len)) {
			scratch->at += len;
			*bytes = (struct bx_span){ from, len };
			return true;
		}
	}
	k.begin = m->bytes;
	if (!bx_json_walk_string(&k, &raw)) {
		*why = (struct bx_defect){ k.why, (size_t)(k.at - m->bytes) };
		return false;
	}
	bx_json_walk_space(&k);
	if (k.at != k.end) {
		*why = (struct bx_defect){ "something follows the payload",
					   (size_t)(k.at - m->bytes) };
		return false;
	}
	if (!bx_json_binary(raw, scratch, &exact)) {
		*why = (struct bx_defect){ "no room for the decoded payload", m->rest.off };
		return false;
	}
	*bytes = bx_since(scratch, from);
	return true;
}

static bool
is_null(struct bx_span text)
{
	return text.len == 0 || text.ptr[0] == 'n';
}

/* One member of the inner JSON, in canonical form. */
static enum bx_coded
put_value(struct bx_span text, bool canonical, struct bx_writer *w, struct bx_defect *why)
{
	if (is_null(text)) {
		bx_put_text(w, "null");
		return w->full ? BX_CODED_FULL : BX_CODED_OK;
	}
	if (canonical) {
		bx_put_span(w, text);
		return w->full ? BX_CODED_FULL : BX_CODED_OK;
	}

	struct bx_json_walk k = bx_json_walk_over(text, w);
	bool ok = bx_json_walk_value(&k, 1);

	bx_json_walk_flush(&k);
	return bx_json_walk_result(&k, ok, text.ptr, why);
}

static enum bx_coded
open_message(const struct bx_message *m, const struct bx_inner *inner, struct bx_writer *w,
	     struct bx_defect *why)
{
	bool no_kwargs = is_null(inner->kwargs);
	bool nothing = no_kwargs && is_null(inner->args);
	enum bx_coded coded = BX_CODED_OK;

	put_envelope(m, nothing ? envelope_end(m) : m->rest.off, "", w);
	if (!nothing)
		coded = put_value(inner->args, inner->canonical, w, why);
	if (coded == BX_CODED_OK && !no_kwargs) {
		bx_put_u8(w, ',');
		coded = put_value(inner->kwargs, inner->canonical, w, why);
	}
	bx_put_u8(w, ']');
	if (coded == BX_CODED_OK && w->full)
		return BX_CODED_FULL;
	return coded;
}

static enum bx_coded
canonical(struct bx_span value, struct bx_writer *w, uint32_t *marks, struct bx_defect *why)
{
	struct bx_json_walk k = bx_json_walk_over(value, w);
	bool ok;

	bx_json_walk_space(&k);
	ok = bx_json_walk_value(&k, 0);
	if (ok) {
		bx_json_walk_space(&k);
		ok = k.at == k.end || bx_json_walk_fail(&k, k.at, "something follows the value");
	}
	bx_json_walk_flush(&k);
	if (k.changed)
		*marks |= BX_MARK_REENCODED;
	return bx_json_walk_result(&k, ok, value.ptr, why);
}

const struct bx_codec bx_json_codec = {
	.ser = BX_SER_JSON,
	.scan = bx_json_envelope_scan,
	.check_rest = bx_json_envelope_check_rest,
	.extent = NULL,
	.args_to_inner = args_to_inner,
	.seal_head = seal_head,
	.box = box,
	.open = open_message,
	.to_json = canonical,
	.from_json = canonical,
};
