/* boxcar cat */
#include "job_cli.h"

int
bx_verb_cat(int argc, char **argv)
{
	struct bx_job_cli c = { 0 };
	const struct bx_cli_option options[] = {
		BX_JOB_CLI_INPUT(&c),
		BX_JOB_CLI_KEYS(&c),
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
		{ "limit", 0, BX_CLI_TEXT, &c.limit, "N", "stop after N messages" },
		{ "raw", 0, BX_CLI_FLAG, &c.raw, NULL, "print trace lines instead" },
		{ "follow", 0, BX_CLI_FLAG, &c.follow, NULL,
		  "at the end wait for more, until interrupted" },
		{ "output", 'o', BX_CLI_TEXT, &c.output, "FILE", "output (default: stdout)" },
		{ "force", 0, BX_CLI_FLAG, &c.force, NULL, "replace an existing output" },
		BX_JOB_CLI_RUN(&c),
	};
	const struct bx_cli_command command = {
		.verb = "cat",
		.usage = "cat [options] [FILE...]",
		.about = "Prints messages, one JSON object a line. Opens sealed ones with -k.",
		.example = "boxcar cat -k ring.json --uri com.acme. --match prefix day.sealed.rs",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	struct bx_cli_list operands;
	int code = bx_cli_parse(&command, argc, argv, &operands);

	if (code != -1)
		return code;
	return bx_job_cli_run(BX_VERB_CAT, &c, &operands, "cat");
}
