/* boxcar convert */
#include "job_cli.h"

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
		{ "conn", 0, BX_CLI_TEXT, &c.conn, "N", "only this connection" },
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
	return bx_job_cli_run(BX_VERB_CONVERT, &c, &operands, "convert");
}
