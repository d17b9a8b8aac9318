#include "keys/keyring_object.h"

#include <sodium.h>
#include <string.h>

#include "base/json_writer.h"

/* White space of the file is copied no longer than this. */
#define GAP_MAX 80u

static bool
is_gap(uint8_t c)
{
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

struct bx_span
bx_keyring_object_gap_before(const uint8_t *begin, const uint8_t *at)
{
	const uint8_t *p = at;

	while (p > begin && is_gap(p[-1]) && (size_t)(at - p) < GAP_MAX)
		p--;
	return (struct bx_span){ p, (size_t)(at - p) };
}

static struct bx_span
gap_after(const uint8_t *at, const uint8_t *end)
{
	const uint8_t *p = at;

	while (p < end && is_gap(*p) && (size_t)(p - at) < GAP_MAX)
		p++;
	return (struct bx_span){ at, (size_t)(p - at) };
}

struct bx_span
bx_keyring_object_span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

struct bx_keyring_layout
bx_keyring_object_layout(const struct bx_keyring_entry *like)
{
	struct bx_keyring_layout l = { bx_keyring_object_span(" "), bx_keyring_object_span(" "),
				       bx_keyring_object_span(" ") };

	if (like == NULL)
		return l;

	const uint8_t *end = like->whole.ptr + like->whole.len - 1; /* } */

	l.open = gap_after(like->whole.ptr + 1, end);
	l.close = bx_keyring_object_gap_before(like->whole.ptr + 1, end);
	if (l.open.len != 0 && memchr(l.open.ptr, '\n', l.open.len) != NULL)
		l.between = l.open;
	return l;
}

static void
put_name(struct bx_keyring_object *o, const char *name)
{
	bx_put_text(o->w, o->begun ? "," : "{");
	bx_put_span(o->w, o->begun ? o->layout.between : o->layout.open);
	o->begun = true;
	bx_json_put_string(o->w, bx_keyring_object_span(name));
	bx_put_text(o->w, ": ");
}

void
bx_keyring_object_text(struct bx_keyring_object *o, const char *name, struct bx_span utf8)
{
	put_name(o, name);
	bx_json_put_string(o->w, utf8);
}

void
bx_keyring_object_raw(struct bx_keyring_object *o, const char *name, struct bx_span raw)
{
	put_name(o, name);
	bx_put_u8(o->w, '"');
	bx_put_span(o->w, raw);
	bx_put_u8(o->w, '"');
}

void
bx_keyring_object_key(struct bx_keyring_object *o, const char *name, const uint8_t key[static 32])
{
	put_name(o, name);
	bx_put_u8(o->w, '"');

	uint8_t *text =
	    bx_reserve(o->w, sodium_base64_ENCODED_LEN(32, sodium_base64_VARIANT_ORIGINAL));

	if (text == NULL)
		return;
	(void)sodium_bin2base64((char *)text, 45, key, 32, sodium_base64_VARIANT_ORIGINAL);
	o->w->at--; /* the NUL */
	bx_put_u8(o->w, '"');
}

void
bx_keyring_object_end(struct bx_keyring_object *o)
{
	bx_put_span(o->w, o->layout.close);
	bx_put_u8(o->w, '}');
}
