/* What `cat` and `convert` keep of a recording. */
#include "pipe/pipe.h"

static const struct bx_trace_line *
line_of(const struct bx_car *car, const struct bx_record *r)
{
	return car->line_count != 0 ? &car->lines[r->line] : NULL;
}

bool
bx_filter_drops_stream(const struct bx_filter *filter, const struct bx_car *car,
		       const struct bx_record *r)
{
	const struct bx_trace_line *line = line_of(car, r);

	if (filter->has_conn && (line == NULL || !line->has_conn || line->conn != filter->conn))
		return true;
	if (filter->has_dir && (line == NULL || line->dir != filter->dir))
		return true;
	return filter->has_session && (!r->has_session || r->session != filter->session);
}

/* WAMP "Pattern-based Subscriptions": an empty component of the pattern matches any. */
static bool
wildcard_matches(struct bx_span pattern, struct bx_span uri)
{
	size_t p = 0, u = 0;

	for (;;) {
		size_t p_end = p, u_end = u;

		while (p_end < pattern.len && pattern.ptr[p_end] != '.')
			p_end++;
		while (u_end < uri.len && uri.ptr[u_end] != '.')
			u_end++;
		if (p_end != p && (p_end - p != u_end - u ||
				   memcmp(pattern.ptr + p, uri.ptr + u, p_end - p) != 0))
			return false;
		if (p_end == pattern.len || u_end == uri.len)
			return p_end == pattern.len && u_end == uri.len;
		p = p_end + 1;
		u = u_end + 1;
	}
}

bool
bx_uri_matches(struct bx_span pattern, int match, struct bx_span uri)
{
	if (match == BX_MATCH_PREFIX)
		return uri.len >= pattern.len &&
		       (pattern.len == 0 || memcmp(uri.ptr, pattern.ptr, pattern.len) == 0);
	if (match == BX_MATCH_WILDCARD)
		return wildcard_matches(pattern, uri);
	return bx_span_equal(pattern, uri);
}

static bool
type_kept(const struct bx_filter *filter, const struct bx_record *r)
{
	for (size_t i = 0; i < filter->type_count; i++) {
		struct bx_span name = { (const uint8_t *)filter->types[i],
					strlen(filter->types[i]) };

		if (r->scanned && bx_type_of_name(name) == r->m.type)
			return true;
	}
	return filter->type_count == 0;
}

bool
bx_filter_keeps(const struct bx_filter *filter, const struct bx_car *car, const struct bx_record *r)
{
	const struct bx_trace_line *line = line_of(car, r);

	if (bx_filter_drops_stream(filter, car, r) || !type_kept(filter, r))
		return false;
	if (filter->uri != NULL) {
		struct bx_span pattern = { (const uint8_t *)filter->uri, strlen(filter->uri) };

		if (r->m.uri == NULL || !bx_uri_matches(pattern, filter->match, bx_record_uri(r)))
			return false;
	}
	if (filter->has_since || filter->has_until) {
		if (line == NULL || !line->has_ts)
			return false;
		if (filter->has_since && line->ts < filter->since)
			return false;
		if (filter->has_until && line->ts >= filter->until)
			return false;
	}
	return true;
}
