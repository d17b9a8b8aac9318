/* boxcar rekey */
#include "job_cli.h"

int
bx_verb_rekey(int argc, char **argv)
{
	struct bx_job_cli c = { 0 };
	const struct bx_cli_option options[] = {
		BX_JOB_CLI_INPUT(&c),
		BX_JOB_CLI_OUTPUT(&c),
		BX_JOB_CLI_KEYS(&c),
		{ "to-keyring", 'K', BX_CLI_TEXT, &c.to_keyring, "FILE", "the keyring that seals" },
		{ "restart", 0, BX_CLI_FLAG, &c.restart, NULL,
		  "discard what an interrupted run left and begin again" },
		{ "nonce", 0, BX_CLI_TEXT, &c.nonce, "MODE", "car or random (default: car)" },
		{ "dry-run", 0, BX_CLI_FLAG, &c.dry_run, NULL, "count, write nothing" },
		BX_JOB_CLI_POLICY(&c),
		BX_JOB_CLI_RUN(&c),
	};
	const struct bx_cli_command command = {
		.verb = "rekey",
		.usage = "rekey -k OLD -K NEW [options] [FILE...] [-o FILE]",
		.about =
		    "Opens with one keyring and seals with another. No plaintext leaves memory.",
		.example = "boxcar rekey -k old.json -K new.json day.sealed.rs -o day.new.rs",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	struct bx_cli_list operands;
	int code = bx_cli_parse(&command, argc, argv, &operands);

	if (code == -1)
		code = bx_job_cli_want_keyring(&c, "rekey");
	if (code != -1)
		return code;
	if (c.to_keyring == NULL) {
		bx_cli_error("rekey: no keyring to seal with");
		bx_cli_hint("name it with -K RING");
		return BX_EXIT_USAGE;
	}
	return bx_job_cli_run(BX_VERB_REKEY, &c, &operands, "rekey");
}
