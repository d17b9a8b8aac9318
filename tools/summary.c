#include "summary.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

/* --- progress -------------------------------------------------------------------------------- */

bool
bx_summary_wants_progress(const char *when, bool quiet, bool json)
{
	if (when != NULL && strcmp(when, "always") == 0)
		return true;
	if (when != NULL && strcmp(when, "never") == 0)
		return false;
	return !quiet && !json && isatty(STDERR_FILENO);
}

void
bx_summary_progress(void *context, const struct bx_progress *p)
{
	struct bx_progress_line *line = context;
	double mb = (double)p->bytes_in / 1e6, seconds = p->seconds > 0 ? p->seconds : 1e-9;
	char share[64] = "";

	if (p->bytes_total != UINT64_MAX && p->bytes_total != 0) {
		double done = (double)p->bytes_in / (double)p->bytes_total;
		double left = done > 0 ? seconds / done - seconds : 0;

		(void)snprintf(share, sizeof(share), " %3.0f%%, %.0f s left", done * 100, left);
	}
	(void)fprintf(stderr, "\r\033[Kboxcar: %s: %.1f MB%s, %.0f messages/s, %.1f MB/s",
		      line->name, mb, share, (double)p->messages / seconds, mb / seconds);
	line->shown = true;
}

void
bx_summary_progress_end(struct bx_progress_line *line)
{
	if (line->shown)
		(void)fprintf(stderr, "\r\033[K");
}

/* --- the JSON object ------------------------------------------------------------------------- */

static json_t *
number(uint64_t v)
{
	return json_integer((json_int_t)v);
}

static json_t *
failures(const struct bx_job_counts *counts)
{
	json_t *o = json_object();

	for (int f = 1; f < BX_FAILURE_COUNT; f++)
		if (counts->failed[f] != 0)
			json_object_set_new(o, bx_failure_name((enum bx_failure)f),
					    number(counts->failed[f]));
	return o;
}

static json_t *
rows(const struct bx_info_row *row, size_t count, bool by_id)
{
	json_t *list = json_array();

	for (size_t i = 0; i < count; i++) {
		json_t *o = json_object();

		if (by_id)
			json_object_set_new(o, "session", number(row[i].id));
		else
			json_object_set_new(o, "name", json_string(row[i].name));
		json_object_set_new(o, "messages", number(row[i].messages));
		json_object_set_new(o, "bytes", number(row[i].bytes));
		json_object_set_new(o, "sealed", number(row[i].sealed));
		json_object_set_new(o, "plain", number(row[i].plain));
		json_array_append_new(list, o);
	}
	return list;
}

static void
add_info(json_t *o, const struct bx_job_result *result)
{
	json_object_set_new(o, "types", rows(result->types, result->type_count, false));
	json_object_set_new(o, "uris", rows(result->uris, result->uri_count, false));
	json_object_set_new(o, "sessions", rows(result->sessions, result->session_count, true));
	if (result->uris_left_out != 0)
		json_object_set_new(o, "uris_left_out", number(result->uris_left_out));
	if (result->has_time) {
		json_object_set_new(o, "ts_min", json_integer(result->ts_min));
		json_object_set_new(o, "ts_max", json_integer(result->ts_max));
	}
}

static void
print_json(const char *name, const struct bx_job *job, const struct bx_job_result *result,
	   const struct bx_fail *fail, int exit_code, bool on_stderr)
{
	const struct bx_job_counts *n = &result->counts;
	json_t *o = json_object(), *clear = json_object();
	double seconds = result->seconds > 0 ? result->seconds : 1e-9;
	uint64_t value;

	json_object_set_new(o, "schema", json_integer(1));
	json_object_set_new(o, "verb", json_string(name));
	json_object_set_new(o, "exit", json_integer(exit_code));
	json_object_set_new(o, "from", json_string(bx_format_name(result->from)));
	json_object_set_new(o, "to", json_string(bx_format_name(result->to)));
	for (size_t i = 0;; i++) {
		const char *count = bx_job_count_at(n, i, &value);

		if (count == NULL)
			break;
		if (strncmp(count, "clear_", 6) != 0)
			json_object_set_new(o, count, number(value));
	}
	json_object_set_new(clear, "no_key", number(n->clear_no_key));
	json_object_set_new(clear, "no_role", number(n->clear_no_role));
	json_object_set_new(clear, "unknown_uri", number(n->clear_unknown));
	json_object_set_new(clear, "reserved", number(n->clear_reserved));
	json_object_set_new(o, "clear", clear);
	json_object_set_new(o, "failed", failures(n));
	json_object_set_new(o, "seconds", json_real(result->seconds));
	json_object_set_new(o, "messages_per_second", json_real((double)n->messages / seconds));
	json_object_set_new(o, "threads", number(result->threads));
	json_object_set_new(o, "kernel", json_string(result->kernel));
	json_object_set_new(o, "io", json_string(result->io));
	if (job->verb == BX_VERB_INFO)
		add_info(o, result);
	if (fail->code != BX_OK) {
		json_t *e = json_object();

		json_object_set_new(e, "message", json_string(fail->msg));
		if (fail->offset != BX_NOWHERE)
			json_object_set_new(e, "offset", number(fail->offset));
		if (fail->hint[0] != '\0')
			json_object_set_new(e, "hint", json_string(fail->hint));
		json_object_set_new(o, "error", e);
	}

	char *text = json_dumps(o, JSON_COMPACT);

	if (text != NULL)
		(void)fprintf(on_stderr ? stderr : stdout, "%s\n", text);
	free(text);
	json_decref(o);
}

/* --- words ----------------------------------------------------------------------------------- */

static void
part(FILE *to, const char *words, uint64_t count)
{
	if (count != 0)
		(void)fprintf(to, ", %" PRIu64 " %s", count, words);
}

static void
print_words(const char *name, const struct bx_job *job, const struct bx_job_result *result)
{
	const struct bx_job_counts *n = &result->counts;
	double seconds = result->seconds > 0 ? result->seconds : 1e-9;

	(void)fprintf(stderr, "boxcar: %s: %" PRIu64 " messages", name, n->messages);
	part(stderr, "opened", n->opened);
	part(stderr, "sealed", n->sealed);
	part(stderr, "in clear (no key)", n->clear_no_key);
	part(stderr, "in clear (no role)", n->clear_no_role);
	part(stderr, "in clear (URI not known)", n->clear_unknown);
	part(stderr, "in clear (reserved)", n->clear_reserved);
	part(stderr, "already sealed", n->already_sealed);
	part(stderr, "plain", n->plain);
	part(stderr, "plaintext on keyed URIs", n->keyed_plain);
	part(stderr, "served by a prefix that ends inside a component (keyring which URI)",
	     n->surprises);
	part(stderr, "foreign payloads", n->foreign);
	part(stderr, "of unsupported serializers", n->unsupported);
	part(stderr, "kept though malformed", n->unparsed);
	part(stderr, "reencoded", n->reencoded);
	part(stderr, "trusted by key only", n->trusted_by_key);
	part(stderr, "with duplicate keys", n->duplicate_keys);
	for (int f = 1; f < BX_FAILURE_COUNT; f++)
		if (n->failed[f] != 0)
			(void)fprintf(stderr, ", %" PRIu64 " failed (%s)", n->failed[f],
				      bx_failure_name((enum bx_failure)f));
	part(stderr, "skipped", n->skipped);
	part(stderr, "passed as they were", n->passed);
	(void)fprintf(stderr,
		      "; %" PRIu64 " bytes in, %" PRIu64
		      " bytes out, %.3f s, %.0f messages/s, %.1f MB/s\n",
		      n->bytes_in, n->bytes_out, result->seconds, (double)n->messages / seconds,
		      (double)n->bytes_in / 1e6 / seconds);
	if (job->verb == BX_VERB_SEAL && n->passed != 0)
		bx_cli_warn("%" PRIu64 " messages were passed in clear: the output holds plaintext",
			    n->passed);
}

static void
print_time(const char *label, int64_t ns)
{
	time_t seconds = (time_t)(ns / 1000000000 - (ns % 1000000000 < 0 ? 1 : 0));
	int64_t rest = ns - (int64_t)seconds * 1000000000;
	struct tm tm;
	char text[64];

	if (gmtime_r(&seconds, &tm) == NULL || strftime(text, sizeof(text), "%FT%T", &tm) == 0)
		return;
	(void)printf("%-10s %s.%09" PRId64 "Z\n", label, text, rest);
}

static void
print_rows(const char *title, const struct bx_info_row *row, size_t count, size_t limit, bool by_id)
{
	if (count == 0)
		return;
	(void)printf("\n%-44s %12s %14s %10s %10s\n", title, "messages", "bytes", "sealed",
		     "plain");
	for (size_t i = 0; i < count && i < limit; i++) {
		char id[32];

		(void)snprintf(id, sizeof(id), "%" PRIu64, row[i].id);
		(void)printf("%-44s %12" PRIu64 " %14" PRIu64 " %10" PRIu64 " %10" PRIu64 "\n",
			     by_id ? id : (row[i].name[0] != '\0' ? row[i].name : "(not known)"),
			     row[i].messages, row[i].bytes, row[i].sealed, row[i].plain);
	}
	if (count > limit)
		(void)printf("... and %zu more (--json lists them)\n", count - limit);
}

static void
print_info(const struct bx_job_result *result)
{
	const struct bx_job_counts *n = &result->counts;

	(void)printf("%-10s %s\n%-10s %" PRIu64 "\n%-10s %" PRIu64 "\n", "format",
		     bx_format_name(result->from), "messages", n->messages, "bytes", n->bytes_in);
	(void)printf("%-10s %" PRIu64 " of %" PRIu64 " payloads\n", "sealed", n->already_sealed,
		     n->payloads);
	if (n->unsupported != 0)
		(void)printf("%-10s %" PRIu64 " messages of serializers that are only carried\n",
			     "carried", n->unsupported);
	if (n->unparsed != 0)
		(void)printf("%-10s %" PRIu64 " messages\n", "malformed", n->unparsed);
	if (result->has_time) {
		print_time("first", result->ts_min);
		print_time("last", result->ts_max);
	}
	print_rows("type", result->types, result->type_count, 64, false);
	print_rows("uri", result->uris, result->uri_count, 50, false);
	print_rows("session", result->sessions, result->session_count, 50, true);
}

void
bx_summary_print(const char *name, const struct bx_job *job, const struct bx_job_result *result,
		 const struct bx_fail *fail, int exit_code,
		 const struct bx_summary_options *options)
{
	if (options->json) {
		print_json(name, job, result, fail, exit_code, options->on_stderr);
		(void)fflush(stdout);
		return;
	}
	if (job->verb == BX_VERB_INFO && result->counts.bytes_in != 0) {
		print_info(result);
		(void)fflush(stdout);
	}
	if (options->verbose)
		(void)fprintf(stderr, "boxcar: %s: %s -> %s, %u threads, kernel %s, %s\n", name,
			      bx_format_name(result->from), bx_format_name(result->to),
			      result->threads, result->kernel, result->io);
	if (!options->quiet && job->verb != BX_VERB_CAT && job->verb != BX_VERB_INFO)
		print_words(name, job, result);
}
