/* See binary_codec_body.h. */
#define CODEC bx_cbor_codec
#include "binary_codec_body.h"
