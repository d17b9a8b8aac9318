/* A pull tokenizer for JSON text: iterative, bounded, in place. */
#ifndef BX_BASE_JSON_READER_H
#define BX_BASE_JSON_READER_H

#include "base/cursor.h"
#include "base/writer.h"

/*
 * Grammar: RFC 8259 with what Python's json reads besides: the tokens NaN, Infinity and -Infinity.
 * Refused: a BOM, control characters inside strings, trailing commas, invalid UTF-8, nesting
 * beyond BX_JSON_DEPTH. A lone surrogate escape is accepted by the reader (see bx_json_text).
 */
#define BX_JSON_DEPTH 512

enum bx_json_kind {
	BX_JSON_END = 0, /* the one value is over and only white space follows */
	BX_JSON_BAD,     /* malformed; `why` and `at` of the reader say what and where */
	BX_JSON_NULL,
	BX_JSON_FALSE,
	BX_JSON_TRUE,
	BX_JSON_INT,    /* no fraction, no exponent; any number of digits */
	BX_JSON_FLOAT,  /* with fraction or exponent, or NaN, Infinity, -Infinity */
	BX_JSON_STRING, /* a value */
	BX_JSON_KEY,    /* a member name; its value is the next token */
	BX_JSON_ARRAY,  /* [ */
	BX_JSON_ARRAY_END,
	BX_JSON_OBJECT, /* { */
	BX_JSON_OBJECT_END,
};

struct bx_json_token {
	enum bx_json_kind kind;
	/* Number: its text. String, key: the raw text between the quotes. Else the bytes of the
	 * token. */
	struct bx_span text;
	bool escaped;   /* string or key holds a backslash */
	bool nul_first; /* string begins with \u0000: by WAMP's rule, base64 of binary follows */
};

struct bx_json_reader {
	const uint8_t *begin;
	const uint8_t *at; /* after the last token */
	const uint8_t *end;
	const char *why; /* static text, set with BX_JSON_BAD */
	uint32_t depth;
	uint8_t state; /* what may come next; private */
	uint8_t in_object[BX_JSON_DEPTH / 8];
};

/* Starts reading the one value in `text`, which the reader borrows. */
void bx_json_begin(struct bx_json_reader *r, struct bx_span text);

/* The next token. After BX_JSON_END or BX_JSON_BAD every call returns the same. */
enum bx_json_kind bx_json_next(struct bx_json_reader *r, struct bx_json_token *t);

/*
 * Called when the last token was BX_JSON_ARRAY, BX_JSON_OBJECT or a scalar: goes on to the end of
 * that value and gives its whole text. False when it is malformed.
 */
bool bx_json_skip(struct bx_json_reader *r, const struct bx_json_token *t, struct bx_span *whole);

/*
 * Raw string text (between the quotes) to UTF-8. False: a lone surrogate escape (nothing can be
 * written for it), or `w` is full. The text must have come from the reader.
 */
bool bx_json_text(struct bx_span raw, struct bx_writer *w);

/* True when the decoded form of `raw` equals `text` (ASCII); does not need scratch. */
bool bx_json_text_is(struct bx_span raw, const char *text);

/*
 * The value of a string that begins with \u0000 to bytes, by Python's lenient base64 (spec 2.1):
 * foreign characters are skipped, all after the first complete padding is ignored, padding is
 * required. False: not decodable. *exact is set false when encoding would give other text.
 */
bool bx_json_binary(struct bx_span raw, struct bx_writer *w, bool *exact);

/* An integer token to int64 or uint64. False when it fits neither (then neither is set). */
bool bx_json_int(struct bx_span text, bool *negative, uint64_t *magnitude);

#endif
