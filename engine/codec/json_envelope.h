/* The JSON spelling of a WAMP message: finding and checking its elements. */
#ifndef BX_CODEC_JSON_ENVELOPE_H
#define BX_CODEC_JSON_ENVELOPE_H

#include "codec/codec.h"

/* bx_codec.scan and bx_codec.check_rest for JSON. */
bool bx_json_envelope_scan(struct bx_message *m, struct bx_writer *scratch, struct bx_defect *why);
bool bx_json_envelope_check_rest(const struct bx_message *m, struct bx_defect *why);

#endif
