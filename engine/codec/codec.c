#include "codec/codec.h"

const struct bx_codec *
bx_codec_of(enum bx_ser ser)
{
	switch (ser) {
	case BX_SER_JSON:
		return &bx_json_codec;
	case BX_SER_MSGPACK:
		return &bx_msgpack_codec;
	case BX_SER_CBOR:
		return &bx_cbor_codec;
	default:
		return NULL;
	}
}
