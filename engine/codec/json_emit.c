#include "codec/json_emit.h"

#include "base/json_writer.h"
#include "base/utf8.h"

/* clang-format off */
const char bx_json_emit_pairs[200] =
	"00010203040506070809" "10111213141516171819" "20212223242526272829"
	"30313233343536373839" "40414243444546474849" "50515253545556575859"
	"60616263646566676869" "70717273747576777879" "80818283848586878889"
	"90919293949596979899";
/* clang-format on */

static struct bx_writer
writer_of(const struct bx_emit *e)
{
	return (struct bx_writer){ e->at, e->at, e->end, false };
}

static bool
took(struct bx_emit *e, const struct bx_writer *w)
{
	if (w->full)
		return false;
	e->at = w->at;
	return true;
}

bool
bx_json_emit_u64(struct bx_emit *e, uint64_t v)
{
	char text[20];

	if (bx_emit_room(e) >= 20) {
		e->at += bx_u64_text(v, (char *)e->at);
		return true;
	}

	size_t len = bx_u64_text(v, text);

	return bx_emit_word(e, text, len);
}

bool
bx_json_emit_negint(struct bx_emit *e, uint64_t v)
{
	if (!bx_emit_char(e, '-'))
		return false;
	if (v == UINT64_MAX)
		return bx_emit_word(e, "18446744073709551616", 20);
	return bx_json_emit_u64(e, v + 1);
}

bool
bx_json_emit_double(struct bx_emit *e, double v)
{
	char text[BX_DOUBLE_TEXT_MAX];

	if (bx_emit_room(e) >= BX_DOUBLE_TEXT_MAX) {
		e->at += bx_double_text(v, (char *)e->at);
		return true;
	}

	size_t len = bx_double_text(v, text);

	return bx_emit_word(e, text, len);
}

bool
bx_json_emit_binary(struct bx_emit *e, struct bx_span bytes)
{
	struct bx_writer w = writer_of(e);

	bx_json_put_binary(&w, bytes);
	return took(e, &w);
}

enum bx_emitted
bx_json_emit_text(struct bx_emit *e, struct bx_span s)
{
	const uint8_t *end = s.ptr + s.len;

	if (bx_scan_special(s.ptr, s.ptr, end) == end) {
		if (bx_emit_room(e) < s.len + 2)
			return BX_EMIT_FULL;
		e->at[0] = '"';
		memcpy(e->at + 1, s.ptr, s.len);
		e->at[1 + s.len] = '"';
		e->at += s.len + 2;
		return BX_EMITTED;
	}
	if (!bx_utf8_valid(s))
		return BX_EMIT_NOT_UTF8;

	struct bx_writer w = writer_of(e);

	bx_json_put_string(&w, s);
	return took(e, &w) ? BX_EMITTED : BX_EMIT_FULL;
}
