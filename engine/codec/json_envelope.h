/* The JSON spelling of a WAMP message: finding its elements, and editing its dict in place. */
#ifndef BX_CODEC_JSON_ENVELOPE_H
#define BX_CODEC_JSON_ENVELOPE_H

#include "codec/codec.h"

/* The members that sealing adds to the dict. */
#define BX_JSON_ENC_PAIR "\"enc_algo\":\"cryptobox\",\"enc_serializer\":\"json\""

/* bx_codec.scan and bx_codec.check_rest for JSON. */
bool bx_json_envelope_scan(struct bx_message *m, struct bx_writer *scratch, struct bx_defect *why);
bool bx_json_envelope_check_rest(const struct bx_message *m, struct bx_defect *why);

/*
 * Writes the dict of a scanned message without enc_algo, enc_serializer and enc_key; what stays
 * keeps its bytes. A member goes with the comma before it (the first one: after it). `append` is
 * member text put after the last member, with a comma where one is needed; "" for none.
 */
void bx_json_envelope_put_dict(const struct bx_message *m, const char *append, struct bx_writer *w);

#endif
