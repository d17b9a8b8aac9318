/* boxcar open */
#include "job_cli.h"

int
bx_verb_open(int argc, char **argv)
{
	struct bx_job_cli c = { 0 };
	const struct bx_cli_option options[] = {
		BX_JOB_CLI_INPUT(&c),
		BX_JOB_CLI_OUTPUT(&c),
		BX_JOB_CLI_KEYS(&c),
		{ "dry-run", 0, BX_CLI_FLAG, &c.dry_run, NULL, "open everything, write nothing" },
		BX_JOB_CLI_POLICY(&c),
		BX_JOB_CLI_RUN(&c),
	};
	const struct bx_cli_command command = {
		.verb = "open",
		.usage = "open -k RING [options] [FILE...] [-o FILE]",
		.about = "Authenticates and decrypts the payload of every sealed message. Plain "
			 "messages pass unchanged.",
		.example = "boxcar open -k ring.json day.sealed.rs -o day.rs",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	struct bx_cli_list operands;
	int code = bx_cli_parse(&command, argc, argv, &operands);

	if (code == -1)
		code = bx_job_cli_want_keyring(&c, "open");
	if (code != -1)
		return code;
	return bx_job_cli_run(BX_VERB_OPEN, &c, &operands, "open");
}
