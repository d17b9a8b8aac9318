/* See binary_codec_body.h. */
#define CODEC bx_msgpack_codec
#include "binary_codec_body.h"
