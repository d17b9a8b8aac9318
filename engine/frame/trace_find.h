/* Where the members of a trace line stand: the quick way for the usual spelling, and any JSON. */
#ifndef BX_FRAME_TRACE_FIND_H
#define BX_FRAME_TRACE_FIND_H

#include "base/json_reader.h"
#include "frame/trace.h"

/* The members that are understood. The forms come first and in the order of enum bx_trace_form. */
enum bx_trace_member {
	BX_MEMBER_B64,
	BX_MEMBER_HEX,
	BX_MEMBER_MSG,
	BX_MEMBER_TS,
	BX_MEMBER_CONN,
	BX_MEMBER_SESSION,
	BX_MEMBER_REALM,
	BX_MEMBER_DIR,
	BX_MEMBER_SER,
	BX_MEMBER_COUNT,
};

#define BX_TRACE_FORM_COUNT 3u

/* The values of a line as they stand, quotes included; len 0: not there. */
struct bx_trace_values {
	struct bx_span of[BX_MEMBER_COUNT];
};

/* Why a line was refused, and where it begins. */
struct bx_trace_refusal {
	const uint8_t *begin;
	const char **what;
	size_t *at;
};

/* Returns false, for the end of a function. */
static inline bool
bx_trace_refuse(const struct bx_trace_refusal *r, const char *what, const uint8_t *place)
{
	*r->what = what;
	*r->at = (size_t)(place - r->begin);
	return false;
}

/* The member that a token of kind BX_JSON_KEY names; BX_MEMBER_COUNT: none of these. */
enum bx_trace_member bx_trace_member_of(const struct bx_json_token *key);

/*
 * One pass over a line without white space, with known members only, nothing escaped, and one form:
 * what every writer of traces makes. The text of b64 and hex is not checked. False: something else,
 * not necessarily wrong; `values` is then of no use.
 */
bool bx_trace_find_usual(struct bx_span line, struct bx_trace_values *values);

/* Any line, by the tokenizer. `values` starts empty. False: refused. */
bool bx_trace_find_any(struct bx_span line, struct bx_trace_values *values,
		       const struct bx_trace_refusal *refusal);

#endif
