/* Trace lines: one recorded message as a JSON object, with time, direction and connection. */
#ifndef BX_FRAME_TRACE_H
#define BX_FRAME_TRACE_H

#include "base/cursor.h"
#include "base/message.h"
#include "base/writer.h"
#include "boxcar/fail.h"

enum bx_trace_form { BX_TRACE_B64, BX_TRACE_HEX, BX_TRACE_MSG };

/* What a line says of its message. Absent members keep their "not known" value. */
struct bx_trace_line {
	int64_t ts;           /* ns since the epoch; has_ts */
	uint64_t conn;        /* has_conn */
	uint64_t session;     /* has_session */
	struct bx_span realm; /* raw JSON text between the quotes, or empty */
	bool has_ts, has_conn, has_session;
	uint8_t dir;  /* enum bx_dir */
	uint8_t ser;  /* enum bx_ser that "ser" says; a batched or transport suffix is ignored */
	uint8_t form; /* which member the body was read from: b64, else hex, else msg */
	struct bx_span
	    body; /* b64, hex: the decoded bytes in the scratch. msg: its JSON text in the line */
	struct bx_span value; /* the member's value in the line, as it stands (quotes included) */
	uint8_t forms;        /* bit per enum bx_trace_form whose member stands in the line */
};

/*
 * Parses one line (without its newline). Unknown members are allowed and kept by edit; null is as
 * good as absent. Refused: a member of the list above that stands twice, is of another kind or out
 * of range (a `ts` with a fraction), and a line without any of b64, hex, msg. When several of these
 * are there the first of that order is read and the others are not compared with it: bytes win
 * (spec 6.1). `scratch` takes the decoded bytes (room for as many as the line has is always
 * enough); nothing else of `out` points into it. False: not such a line; *what (static text) and
 * *at (in the line) say why.
 */
bool bx_trace_parse(struct bx_span line, struct bx_writer *scratch, struct bx_trace_line *out,
		    const char **what, size_t *at);

/*
 * Writes the line with another body, in the form that it was read from: the member read is replaced
 * in place, the other two forms are dropped, everything else keeps its bytes and order. `body` for
 * MSG is JSON text. No newline. `line` is the one that was parsed.
 */
void bx_trace_edit(struct bx_span line, const struct bx_trace_line *parsed, struct bx_span body,
		   struct bx_writer *w);

/*
 * Makes a new line in b64 form: ts, dir, conn, session, realm, ser, b64 (what is known), no
 * newline. Of `line` the form, body and value are not looked at.
 */
void bx_trace_put(const struct bx_trace_line *line, struct bx_span body, struct bx_writer *w);

#endif
