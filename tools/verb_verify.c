/* boxcar verify */
#include "job_cli.h"

int
bx_verb_verify(int argc, char **argv)
{
	struct bx_job_cli c = { 0 };
	const struct bx_cli_option options[] = {
		BX_JOB_CLI_INPUT(&c),
		BX_JOB_CLI_KEYS(&c),
		{ "strict", 0, BX_CLI_FLAG, &c.strict, NULL,
		  "plaintext on a keyed URI is exit 5, not 3" },
		BX_JOB_CLI_RUN(&c),
	};
	const struct bx_cli_command command = {
		.verb = "verify",
		.usage = "verify -k RING [options] [FILE...]",
		.about = "Authenticates every sealed payload and writes nothing. Reports plaintext "
			 "on keyed URIs.\n"
			 "Never stops early.",
		.example = "boxcar verify -k ring.json day.sealed.rs",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	struct bx_cli_list operands;
	int code = bx_cli_parse(&command, argc, argv, &operands);

	if (code == -1)
		code = bx_job_cli_want_keyring(&c, "verify");
	if (code != -1)
		return code;
	return bx_job_cli_run(BX_VERB_VERIFY, &c, &operands, "verify");
}
