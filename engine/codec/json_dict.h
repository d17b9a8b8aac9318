/* Options and details in JSON: their keys, and editing them in place. */
#ifndef BX_CODEC_JSON_DICT_H
#define BX_CODEC_JSON_DICT_H

#include "base/message.h"
#include "base/writer.h"
#include "codec/shape.h"

/* The members that sealing adds. */
#define BX_JSON_DICT_ENC "\"enc_algo\":\"cryptobox\",\"enc_serializer\":\"json\""
#define BX_JSON_DICT_ENC_LEN (sizeof(BX_JSON_DICT_ENC) - 1)

/* Which key the raw text of a member name is. */
enum bx_dict_key bx_json_dict_key(uint16_t type, struct bx_span raw, bool escaped);

/*
 * Writes the dict of a scanned message without enc_algo, enc_serializer and enc_key; what stays
 * keeps its bytes. A member goes with the comma before it (the first one: after it). `append` is
 * member text put after the last member, with a comma where one is needed; "" for none.
 */
void bx_json_dict_put(const struct bx_message *m, const char *append, struct bx_writer *w);

#endif
