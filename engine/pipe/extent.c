#include "pipe/extent.h"

#include "codec/codec.h"

static enum bx_step
extent(const struct bx_codec *codec, struct bx_span bytes, size_t *len, const char **what)
{
	struct bx_defect why = { 0 };
	enum bx_step step = codec->extent(bytes, len, &why);

	*what = why.what;
	return step;
}

static enum bx_step
msgpack_extent(struct bx_span bytes, size_t *len, const char **what)
{
	return extent(&bx_msgpack_codec, bytes, len, what);
}

static enum bx_step
cbor_extent(struct bx_span bytes, size_t *len, const char **what)
{
	return extent(&bx_cbor_codec, bytes, len, what);
}

bx_extent_fn
bx_extent_of(enum bx_format format)
{
	if (format == BX_FORMAT_MSGPACK)
		return msgpack_extent;
	return format == BX_FORMAT_CBOR ? cbor_extent : NULL;
}
