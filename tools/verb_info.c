/* boxcar info */
#include "job_cli.h"

int
bx_verb_info(int argc, char **argv)
{
	struct bx_job_cli c = { 0 };
	const struct bx_cli_option options[] = {
		BX_JOB_CLI_INPUT(&c),
		BX_JOB_CLI_RUN(&c),
	};
	const struct bx_cli_command command = {
		.verb = "info",
		.usage = "info [options] [FILE...]",
		.about = "Tells what a recording holds: messages by type, URI and session, time "
			 "range, sealed or plain.\n"
			 "Needs no key.",
		.example = "boxcar info day.trace.jsonl.zst",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	struct bx_cli_list operands;
	int code = bx_cli_parse(&command, argc, argv, &operands);

	if (code != -1)
		return code;
	return bx_job_cli_run(BX_VERB_INFO, &c, &operands, "info");
}
