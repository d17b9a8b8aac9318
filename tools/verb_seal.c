/* boxcar seal */
#include "job_cli.h"

int
bx_verb_seal(int argc, char **argv)
{
	struct bx_job_cli c = { 0 };
	const struct bx_cli_option options[] = {
		BX_JOB_CLI_INPUT(&c),
		BX_JOB_CLI_OUTPUT(&c),
		BX_JOB_CLI_KEYS(&c),
		{ "strict", 0, BX_CLI_FLAG, &c.strict, NULL,
		  "a message that would pass in clear is an error" },
		{ "lossless", 0, BX_CLI_FLAG, &c.lossless, NULL,
		  "sealing that could not give back the same bytes is an error" },
		{ "nonce", 0, BX_CLI_TEXT, &c.nonce, "MODE", "car or random (default: car)" },
		{ "dry-run", 0, BX_CLI_FLAG, &c.dry_run, NULL, "count, write nothing" },
		BX_JOB_CLI_POLICY(&c),
		BX_JOB_CLI_RUN(&c),
	};
	const struct bx_cli_command command = {
		.verb = "seal",
		.usage = "seal -k RING [options] [FILE...] [-o FILE]",
		.about = "Seals the payload of every message whose URI has a key, as Autobahn and "
			 "Crossbar.io do\n"
			 "(crypto_box, the payload in place of args and kwargs). Everything else "
			 "passes unchanged.",
		.example = "boxcar seal -k ring.json day.rs -o day.sealed.rs",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_max = SIZE_MAX,
	};
	struct bx_cli_list operands;
	int code = bx_cli_parse(&command, argc, argv, &operands);

	if (code == -1)
		code = bx_job_cli_want_keyring(&c, "seal");
	if (code != -1)
		return code;
	if (c.keyrings.count > 1) {
		bx_cli_error("seal: one keyring seals; -k was given %zu times", c.keyrings.count);
		return BX_EXIT_USAGE;
	}
	return bx_job_cli_run(BX_VERB_SEAL, &c, &operands, "seal");
}
