/* boxcar gen */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boxcar/gen.h"
#include "cli.h"

struct choices {
	const char *size, *workload, *format;
	bool quiet, json;
};

/* natural, fixed:N, uniform:A-B, lognormal:MEDIAN, or a plain number. */
static bool
parse_size(const char *text, struct bx_gen *gen)
{
	char copy[64];

	if (strcmp(text, "natural") == 0)
		return true;
	if (strncmp(text, "lognormal:", 10) == 0) {
		gen->size_kind = BX_SIZE_LOGNORMAL;
		return bx_cli_number(text + 10, &gen->size_a);
	}
	if (strncmp(text, "uniform:", 8) == 0) {
		(void)snprintf(copy, sizeof(copy), "%s", text + 8);

		char *dash = strchr(copy, '-');

		if (dash == NULL)
			return false;
		*dash = '\0';
		gen->size_kind = BX_SIZE_UNIFORM;
		return bx_cli_number(copy, &gen->size_a) && bx_cli_number(dash + 1, &gen->size_b) &&
		       gen->size_a <= gen->size_b;
	}
	gen->size_kind = BX_SIZE_FIXED;
	return bx_cli_number(strncmp(text, "fixed:", 6) == 0 ? text + 6 : text, &gen->size_a);
}

static int
apply(const struct choices *c, struct bx_gen *gen)
{
	static const char *const workloads[] = { "telemetry", "orders", "rpc", "blobs" };

	if (c->size != NULL &&
	    (!parse_size(c->size, gen) || gen->size_a > (16u << 20) || gen->size_b > (16u << 20))) {
		bx_cli_error("gen: --size is natural, N, uniform:A-B or lognormal:MEDIAN (up to "
			     "16Mi), not \"%.60s\"",
			     c->size);
		return BX_EXIT_USAGE;
	}
	for (size_t i = 0; c->workload != NULL; i++) {
		if (i == 4) {
			const char *near = bx_cli_nearest(c->workload, workloads, 4);

			bx_cli_error("gen: no workload \"%.60s\"; did you mean %s?", c->workload,
				     near != NULL ? near : "telemetry, orders, rpc or blobs");
			return BX_EXIT_USAGE;
		}
		if (strcmp(c->workload, workloads[i]) == 0) {
			gen->workload = (enum bx_workload)i;
			break;
		}
	}
	if (c->format != NULL) {
		gen->format = bx_format_of_name(c->format, &gen->zst);
		if (gen->format == BX_FORMAT_UNKNOWN) {
			bx_cli_error("gen: no format \"%.60s\"", c->format);
			bx_cli_hint("boxcar help formats");
			return BX_EXIT_USAGE;
		}
	}
	if (gen->uris == 0 || gen->uris > 1000000) {
		bx_cli_error("gen: --uris is 1 to 1000000");
		return BX_EXIT_USAGE;
	}
	return -1;
}

int
bx_verb_gen(int argc, char **argv)
{
	struct bx_gen gen = BX_GEN_DEFAULT;
	struct choices c = { 0 };
	const struct bx_cli_option options[] = {
		{ "messages", 'n', BX_CLI_NUMBER, &gen.messages, "N",
		  "how many (default: 100000)" },
		{ "size", 0, BX_CLI_TEXT, &c.size, "SIZE",
		  "bytes of a message: natural, N, uniform:A-B, lognormal:MEDIAN (default: "
		  "natural)" },
		{ "workload", 0, BX_CLI_TEXT, &c.workload, "NAME",
		  "telemetry, orders, rpc or blobs (default: telemetry)" },
		{ "uris", 0, BX_CLI_NUMBER, &gen.uris, "N", "distinct URIs (default: 100)" },
		{ "uri-prefix", 0, BX_CLI_TEXT, &gen.uri_prefix, "TEXT", "default: com.acme." },
		{ "seed", 0, BX_CLI_NUMBER, &gen.seed, "N",
		  "the same seed gives the same bytes (default: 1)" },
		{ "interval", 0, BX_CLI_DURATION, &gen.interval_ns, "TIME",
		  "mean time between messages in a trace (default: 100us)" },
		{ "serializer", 0, BX_CLI_TEXT, &gen.serializer, "NAME",
		  "json, msgpack or cbor (default: by the format, else msgpack)" },
		{ "output", 'o', BX_CLI_TEXT, &gen.output, "FILE", "output (default: stdout)" },
		{ "to", 't', BX_CLI_TEXT, &c.format, "FORMAT",
		  "default: by the name of -o, else rawsocket" },
		{ "force", 0, BX_CLI_FLAG, &gen.force, NULL, "replace an existing output" },
		{ "json", 0, BX_CLI_FLAG, &c.json, NULL, "the result as one JSON object" },
		{ "quiet", 'q', BX_CLI_FLAG, &c.quiet, NULL, "no summary" },
	};
	const struct bx_cli_command command = {
		.verb = "gen",
		.usage = "gen [options] [-o FILE]",
		.about = "Makes a synthetic recording: one session, seeded, in every format.",
		.example = "boxcar gen --messages 1e6 --size lognormal:200 -o t.rs",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
	};
	struct bx_cli_list operands;
	struct bx_fail fail = { 0 };
	uint64_t bytes = 0;
	int code = bx_cli_parse(&command, argc, argv, &operands);

	if (code == -1)
		code = apply(&c, &gen);
	if (code != -1)
		return code;
	gen.stop_fd = bx_cli_stop_fd();
	if (bx_gen_run(&gen, &bytes, &fail) != BX_OK)
		return bx_cli_fail(&fail);

	bool to_stdout = gen.output == NULL || strcmp(gen.output, "-") == 0;

	if (c.json)
		(void)fprintf(to_stdout ? stderr : stdout,
			      "{\"schema\":1,\"verb\":\"gen\",\"messages\":%" PRIu64
			      ",\"bytes_out\":%" PRIu64 ",\"seed\":%" PRIu64 "}\n",
			      gen.messages, bytes, gen.seed);
	else if (!c.quiet)
		(void)fprintf(stderr, "boxcar: gen: %" PRIu64 " messages, %" PRIu64 " bytes\n",
			      gen.messages, bytes);
	return BX_EXIT_OK;
}
