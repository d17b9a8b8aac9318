/* One interface to the three serializers: find, check, transcode and splice WAMP messages. */
#ifndef BX_CODEC_CODEC_H
#define BX_CODEC_CODEC_H

#include "base/cursor.h"
#include "base/message.h"
#include "base/writer.h"

/*
 * Why bytes were refused: `what` is static text in the spec's own words (it never quotes the
 * input), `at` the offset within the span that was given.
 */
struct bx_defect {
	const char *what;
	size_t at;
};

/* Nesting accepted in every serializer (decisions.md 10). */
#define BX_CODEC_DEPTH 512

/* Longest message looked at; a larger one is refused before any of it is believed. */
#define BX_MESSAGE_MAX (64u << 20)

/* Marks set (never cleared) while transcoding: what the other form cannot give back. */
enum {
	BX_MARK_REENCODED = 1u << 0, /* canonical encoding gives other bytes than the input had */
	BX_MARK_DUPLICATE_KEY = 1u << 1, /* uri, args or kwargs of the inner JSON stood twice */
};

/* How a transcoding ended. */
enum bx_coded {
	BX_CODED_OK = 0,
	BX_CODED_BAD,               /* malformed input: *why says what and where */
	BX_CODED_NOT_REPRESENTABLE, /* well-formed, but the other form has no such value */
	BX_CODED_FULL,              /* the writer had no room */
};

/*
 * The members of the inner JSON of spec 2.1 (text spans into the plaintext). `args` is the text of
 * a list or null, `kwargs` of an object or null; len 0: the key is missing (reads as null).
 */
struct bx_inner {
	struct bx_span uri; /* decoded: in the plaintext or in the scratch; len 0 may be "" */
	bool uri_present;   /* "uri" is a string (not missing, null, binary or another type) */
	struct bx_span args;
	struct bx_span kwargs;
	uint32_t marks;
	bool canonical; /* args and kwargs are canonical text for sure: copy them as they are */
};

enum bx_inner_result { BX_INNER_OK = 0, BX_INNER_BAD_PLAINTEXT, BX_INNER_WRONG_TYPE };

/*
 * Parses a decrypted plaintext completely (every value is checked, base64 strings included), as
 * Autobahn's reader does: any key order, extra keys ignored, last duplicate wins. BAD_PLAINTEXT:
 * not such JSON. WRONG_TYPE: not an object, or args/kwargs of another type than list/object/null.
 */
enum bx_inner_result bx_inner_parse(struct bx_span plaintext, struct bx_writer *scratch,
				    struct bx_inner *inner);

struct bx_codec {
	enum bx_ser ser;

	/*
	 * Fills *m from m->bytes, m->len (m->ser is set too). Checks the envelope completely:
	 * array, code, lengths of spec 1.1, ids 0..2^53, kinds of every element before slot P,
	 * UTF-8 of strings it reads. Looks at the kind of the element at P; does not walk `rest`
	 * (that is check_rest or args_to_inner). Types without payload are walked to their end.
	 * `scratch` takes decoded URIs where the text is escaped or chunked. False: *why is set.
	 */
	bool (*scan)(struct bx_message *m, struct bx_writer *scratch, struct bx_defect *why);

	/* Walks m->rest to its end: well-formed, nothing after it. False: *why (at: in message). */
	bool (*check_rest)(const struct bx_message *m, struct bx_defect *why);

	/*
	 * Length of the one value at the head of `bytes`, for sequences without framing. MORE: not
	 * complete yet (and could still become valid). JSON has none (NULL): lines frame it.
	 */
	enum bx_step (*extent)(struct bx_span bytes, size_t *len, struct bx_defect *why);

	/*
	 * Writes `"args":A,"kwargs":K` from a PLAIN or NONE payload by the lossless mapping of
	 * spec 2.1, in the canonical JSON of Python's json.dumps, checking everything on the way.
	 * NOT_REPRESENTABLE: what cannot be sealed (msgpack timestamp, bin map key, CBOR undefined,
	 * datetime, ...). Sets BX_MARK_REENCODED in *marks when m->rest is not the encoding that
	 * `open_tail` would give back for it.
	 */
	enum bx_coded (*args_to_inner)(const struct bx_message *m, struct bx_writer *w,
				       uint32_t *marks, struct bx_defect *why);

	/*
	 * Writes the message up to where the bytes of its box begin: new array length, the envelope
	 * as it was, enc_algo:"cryptobox" and enc_serializer:"json" appended to the dict (old enc_*
	 * removed first), the head of a binary of `box_len` bytes. Binary serializers: the box
	 * itself follows. JSON: `"\u0000` was written; base64 of the box and `"]` follow.
	 */
	void (*seal_head)(const struct bx_message *m, size_t box_len, struct bx_writer *w);

	/*
	 * The bytes of the binary at P of a BINARY payload: a span of the message, or decoded into
	 * `scratch` (JSON base64, CBOR chunks). False: not decodable, *why is set.
	 */
	bool (*box)(const struct bx_message *m, struct bx_writer *scratch, struct bx_span *box,
		    struct bx_defect *why);

	/*
	 * Writes the plain message: enc_algo, enc_serializer and enc_key removed from the dict,
	 * args and kwargs from the parsed inner JSON (inverse of the lossless mapping), canonical
	 * forms. NOT_REPRESENTABLE: e.g. an integer above 64 bits in MessagePack, a lone surrogate.
	 */
	enum bx_coded (*open)(const struct bx_message *m, const struct bx_inner *inner,
			      struct bx_writer *w, struct bx_defect *why);

	/* One whole value (a message, a dict, args) to canonical JSON text. Marks as above. */
	enum bx_coded (*to_json)(struct bx_span value, struct bx_writer *w, uint32_t *marks,
				 struct bx_defect *why);

	/* One JSON value to this serializer, canonical form. JSON itself: canonical JSON. */
	enum bx_coded (*from_json)(struct bx_span json, struct bx_writer *w, uint32_t *marks,
				   struct bx_defect *why);
};

extern const struct bx_codec bx_msgpack_codec;
extern const struct bx_codec bx_json_codec;
extern const struct bx_codec bx_cbor_codec;

/* NULL for serializers that are only carried. */
const struct bx_codec *bx_codec_of(enum bx_ser ser);

#endif
