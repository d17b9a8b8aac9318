#include "frame/inflate.h"

#include <stdlib.h>
#include <zlib.h>

/* Least room to inflate into: fewer calls for messages that shrink well. */
#define STEP 2048u

/* data_type of zlib's inflate: between two blocks, and no bits of the last byte left over. */
#define AT_BLOCK_EDGE 128

struct bx_inflate {
	z_stream stream;
	bool no_context;
};

enum bx_err
bx_inflate_new(struct bx_inflate **inflate, bool no_context)
{
	struct bx_inflate *z = calloc(1, sizeof(*z));

	if (z == NULL)
		return BX_ERR_NOMEM;
	z->no_context = no_context;
	if (inflateInit2(&z->stream, -MAX_WBITS) != Z_OK) {
		free(z);
		return BX_ERR_NOMEM;
	}
	*inflate = z;
	return BX_OK;
}

void
bx_inflate_free(struct bx_inflate *inflate)
{
	if (inflate == NULL)
		return;
	(void)inflateEnd(&inflate->stream);
	free(inflate);
}

/*
 * A block with BFINAL may end a message (RFC 7692 7.2.3.4); the next block goes on with the same
 * window, which inflateReset would forget.
 */
static enum bx_err
restart(struct bx_inflate *z)
{
	uint8_t window[1u << MAX_WBITS];
	uInt len = 0;

	if (inflateGetDictionary(&z->stream, window, &len) != Z_OK ||
	    inflateReset(&z->stream) != Z_OK)
		return BX_ERR_FORMAT;
	if (len != 0 && inflateSetDictionary(&z->stream, window, len) != Z_OK)
		return BX_ERR_FORMAT;
	return BX_OK;
}

/* One call of zlib; *idle: it could do no more with what it was given. */
static enum bx_err
inflate_once(struct bx_inflate *z, struct bx_assembly *out, bool *idle, const char **what)
{
	size_t room = out->max - out->len;
	enum bx_err err = bx_assembly_reserve(out, room < STEP ? room : STEP);
	uint8_t excess;

	if (err != BX_OK)
		return err;
	room = out->cap - out->len;
	/* At the limit: a byte that goes nowhere tells whether there is more. */
	z->stream.next_out = room != 0 ? out->ptr + out->len : &excess;
	z->stream.avail_out = room == 0 ? 1 : room < UINT32_MAX ? (uInt)room : UINT32_MAX;

	uInt before = z->stream.avail_out;
	int ret = inflate(&z->stream, Z_SYNC_FLUSH);
	size_t made = before - z->stream.avail_out;

	if (made > room)
		return BX_ERR_LIMIT;
	out->len += made;
	*idle = z->stream.avail_out != 0 && z->stream.avail_in == 0;
	if (ret == Z_STREAM_END)
		return restart(z);
	if (ret == Z_OK || (ret == Z_BUF_ERROR && (*idle || made != 0 || z->stream.avail_in == 0)))
		return BX_OK;
	if (ret == Z_MEM_ERROR)
		return BX_ERR_NOMEM;
	*what = z->stream.msg != NULL ? z->stream.msg : "malformed deflate data";
	return BX_ERR_FORMAT;
}

enum bx_err
bx_inflate_add(struct bx_inflate *inflate, struct bx_span in, struct bx_assembly *out,
	       const char **what)
{
	size_t done = 0;

	while (done < in.len) {
		size_t left = in.len - done;
		uInt take = left < UINT32_MAX ? (uInt)left : UINT32_MAX;
		bool idle = false;

		inflate->stream.next_in = (Bytef *)(uintptr_t)(in.ptr + done);
		inflate->stream.avail_in = take;
		while (!idle) {
			enum bx_err err = inflate_once(inflate, out, &idle, what);

			if (err != BX_OK)
				return err;
		}
		done += take;
	}
	return BX_OK;
}

enum bx_err
bx_inflate_finish(struct bx_inflate *inflate, struct bx_assembly *out, const char **what)
{
	static const uint8_t tail[] = { 0x00, 0x00, 0xff, 0xff };
	enum bx_err err =
	    bx_inflate_add(inflate, (struct bx_span){ tail, sizeof(tail) }, out, what);

	if (err != BX_OK)
		return err;
	if (inflate->stream.data_type != AT_BLOCK_EDGE) {
		*what = "a compressed message ends inside a deflate block";
		return BX_ERR_FORMAT;
	}
	if (inflate->no_context && inflateReset(&inflate->stream) != Z_OK)
		return BX_ERR_FORMAT;
	return BX_OK;
}
