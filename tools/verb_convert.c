/* boxcar convert */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "boxcar/join.h"
#include "job_cli.h"

/* --conn A.c2r,A.r2c[,times.jsonl]: two halves of one connection. */
static int
join_halves(const struct bx_job_cli *c)
{
	static char words[8192];
	struct bx_join join = {
		.output = c->output, .serializer = c->serializer, .stop_fd = -1, .force = c->force
	};
	struct bx_join_result result;
	struct bx_fail fail = { 0 };
	enum bx_format to = BX_FORMAT_UNKNOWN;

	if (snprintf(words, sizeof(words), "%s", c->conn) >= (int)sizeof(words)) {
		bx_cli_error("convert: --conn: names too long");
		return BX_EXIT_USAGE;
	}
	join.c2r = strtok(words, ",");
	join.r2c = strtok(NULL, ",");
	join.times = strtok(NULL, ",");
	if (join.r2c == NULL || strtok(NULL, ",") != NULL) {
		bx_cli_error("convert: --conn is a number, or A.c2r,A.r2c[,times.jsonl]");
		return BX_EXIT_USAGE;
	}
	if (c->from != NULL)
		join.from = bx_format_of_name(c->from, NULL);
	if (c->to != NULL)
		to = bx_format_of_name(c->to, &join.zst);
	else if (c->output != NULL)
		to = bx_format_of_path(c->output, &join.zst);
	if (to != BX_FORMAT_UNKNOWN && to != BX_FORMAT_TRACE) {
		bx_cli_error("convert: two halves make a trace, not %s", bx_format_name(to));
		bx_cli_hint("-t trace first, then convert that");
		return BX_EXIT_USAGE;
	}
	join.stop_fd = bx_cli_stop_fd();
	if (bx_join_run(&join, &result, &fail) != BX_OK)
		return bx_cli_fail(&fail);
	if (c->json)
		(void)fprintf(c->output == NULL ? stderr : stdout,
			      "{\"schema\":1,\"verb\":\"convert\",\"exit\":0,\"messages\":%" PRIu64
			      ",\"bytes_in\":%" PRIu64 ",\"bytes_out\":%" PRIu64 "}\n",
			      result.messages, result.bytes_in, result.bytes_out);
	else if (!c->quiet)
		(void)fprintf(stderr, "boxcar: convert: %" PRIu64 " messages joined\n",
			      result.messages);
	return BX_EXIT_OK;
}

int
bx_verb_convert(int argc, char **argv)
{
	struct bx_job_cli c = { 0 };
	const struct bx_cli_option options[] = {
		BX_JOB_CLI_INPUT(&c),
		BX_JOB_CLI_OUTPUT(&c),
		{ "uri", 0, BX_CLI_TEXT, &c.uri, "URI", "only messages of this URI" },
		{ "match", 0, BX_CLI_TEXT, &c.match, "HOW",
		  "exact, prefix or wildcard (default: exact)" },
		{ "type", 0, BX_CLI_LIST, &c.types, "TYPE",
		  "only messages of this type; may be repeated" },
		{ "session", 0, BX_CLI_TEXT, &c.session, "ID", "only this session" },
		{ "conn", 0, BX_CLI_TEXT, &c.conn, "N",
		  "only this connection; or A.c2r,A.r2c[,times.jsonl]: join two halves" },
		{ "dir", 0, BX_CLI_TEXT, &c.dir, "DIR", "only c2r or r2c" },
		{ "since", 0, BX_CLI_TEXT, &c.since, "TIME",
		  "from this time on (ns, or 2026-11-24T10:00:00Z)" },
		{ "until", 0, BX_CLI_TEXT, &c.until, "TIME", "before this time" },
		BX_JOB_CLI_POLICY(&c),
		BX_JOB_CLI_RUN(&c),
	};
	const struct bx_cli_command command = {
		.verb = "convert",
		.usage = "convert [options] [FILE...] [-o FILE]",
		.about =
		    "Writes a recording in another format. Sealed payloads stay byte for byte.",
		.example = "boxcar convert day.trace.jsonl.zst --conn 1 --dir c2r -o day.rs",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	struct bx_cli_list operands;
	int code = bx_cli_parse(&command, argc, argv, &operands);

	if (code != -1)
		return code;
	if (c.conn != NULL && strchr(c.conn, ',') != NULL) {
		if (operands.count != 0) {
			bx_cli_error("convert: --conn with two halves takes no other input");
			return BX_EXIT_USAGE;
		}
		return join_halves(&c);
	}
	return bx_job_cli_run(BX_VERB_CONVERT, &c, &operands, "convert");
}
