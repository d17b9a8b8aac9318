/* boxcar bench */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "boxcar/bench.h"
#include "cli.h"

struct choices {
	const char *keyring, *from, *nonce;
	bool json, insecure;
	uint64_t rounds;
};

/* The whole, as `seal` runs it, beside the sum of its rungs. */
static double
whole_ns(const struct bx_bench *bench, const struct bx_keyring *ring, unsigned threads,
	 struct bx_fail *fail)
{
	struct bx_job job = BX_JOB_DEFAULT(BX_VERB_SEAL);
	struct bx_job_result result;

	job.inputs = &bench->input;
	job.input_count = 1;
	job.output = "/dev/null";
	job.from = bench->from;
	job.rings = &ring;
	job.ring_count = 1;
	job.threads = threads;
	job.kernel = bench->kernel;
	job.random_nonces = bench->random_nonces;
	job.no_sync = true;
	job.stop_fd = bench->stop_fd;

	enum bx_err err = bx_job_run(&job, &result, fail);
	double ns =
	    result.counts.messages != 0 ? result.seconds * 1e9 / (double)result.counts.messages : 0;

	bx_job_result_free(&result);
	return err == BX_OK ? ns : -1;
}

/* The median of three: one run alone may meet a slow phase of the machine. */
static double
whole_median(const struct bx_bench *bench, const struct bx_keyring *ring, unsigned threads,
	     struct bx_fail *fail)
{
	double ns[3];

	for (int i = 0; i < 3; i++) {
		ns[i] = whole_ns(bench, ring, threads, fail);
		if (ns[i] < 0)
			return -1;
	}

	double low = ns[0] < ns[1] ? ns[0] : ns[1], high = ns[0] < ns[1] ? ns[1] : ns[0];

	return ns[2] < low ? low : (ns[2] > high ? high : ns[2]);
}

static void
print_table(const struct bx_bench_result *r, double one, double all)
{
	double mean = r->messages != 0 ? (double)r->bytes_in / (double)r->messages : 0;
	enum bx_rung slowest = BX_RUNG_READ;

	(void)printf("%" PRIu64 " messages of %.0f bytes on average, %" PRIu64
		     " sealed, %s, kernel %s\n\n%-12s %10s %10s %10s   ns per message\n",
		     r->messages, mean, r->sealed, bx_format_name(r->format), r->kernel, "stage",
		     "min", "median", "max");
	for (int i = 0; i < BX_RUNG_COUNT; i++) {
		const struct bx_rung_time *t = &r->rungs[i];

		(void)printf("%-12s %10.1f %10.1f %10.1f\n", bx_rung_name((enum bx_rung)i), t->min,
			     t->median, t->max);
		if (i != BX_RUNG_MEMORY && i < BX_RUNG_OPEN && t->median > r->rungs[slowest].median)
			slowest = (enum bx_rung)i;
	}
	(void)printf("\nseal: the stages add up to %.0f ns, open: %.0f ns\n", r->seal_sum,
		     r->open_sum);
	(void)printf("seal as a whole, into nothing: %.0f ns on one thread, %.0f ns on all\n", one,
		     all);
	(void)printf("the slowest stage of sealing is %s: %.0f %% of the sum\n",
		     bx_rung_name(slowest), 100 * r->rungs[slowest].median / r->seal_sum);
}

static void
print_json(const struct bx_bench_result *r, double one, double all)
{
	(void)printf("{\"schema\":1,\"verb\":\"bench\",\"messages\":%" PRIu64 ",\"sealed\":%" PRIu64
		     ",\"bytes_in\":%" PRIu64 ",\"bytes_sealed\":%" PRIu64
		     ",\"format\":\"%s\",\"kernel\":\"%s\",\"stages\":{",
		     r->messages, r->sealed, r->bytes_in, r->bytes_sealed,
		     bx_format_name(r->format), r->kernel);
	for (int i = 0; i < BX_RUNG_COUNT; i++)
		(void)printf("%s\"%s\":[%.2f,%.2f,%.2f]", i == 0 ? "" : ",",
			     bx_rung_name((enum bx_rung)i), r->rungs[i].min, r->rungs[i].median,
			     r->rungs[i].max);
	(void)printf(
	    "},\"seal_sum\":%.2f,\"open_sum\":%.2f,\"whole_one\":%.2f,\"whole_all\":%.2f}\n",
	    r->seal_sum, r->open_sum, one, all);
}

static int
measure(const struct choices *c, struct bx_bench *bench)
{
	struct bx_keyring *ring = NULL;
	struct bx_bench_result result;
	struct bx_fail fail = { 0 };
	int code = BX_EXIT_OK;

	if (bx_keyring_load(&ring, c->keyring, c->insecure, NULL, &fail) != BX_OK)
		return bx_cli_fail(&fail);
	bench->ring = ring;
	if (bx_bench_run(bench, &result, &fail) != BX_OK) {
		code = bx_cli_fail(&fail);
	} else {
		double one = whole_median(bench, ring, 1, &fail);
		double all = whole_median(bench, ring, 0, &fail);

		if (one < 0 || all < 0)
			code = bx_cli_fail(&fail);
		else if (c->json)
			print_json(&result, one, all);
		else
			print_table(&result, one, all);
	}
	bx_keyring_free(ring);
	return code;
}

int
bx_verb_bench(int argc, char **argv)
{
	struct bx_bench bench = { .stop_fd = -1 };
	struct choices c = { 0 };
	const struct bx_cli_option options[] = {
		{ "keyring", 'k', BX_CLI_TEXT, &c.keyring, "FILE", "the keys to seal with" },
		{ "insecure-key-modes", 0, BX_CLI_FLAG, &c.insecure, NULL,
		  "accept key files that others may read" },
		{ "from", 'f', BX_CLI_TEXT, &c.from, "FORMAT",
		  "input format (default: recognised)" },
		{ "kernel", 0, BX_CLI_TEXT, &bench.kernel, "NAME",
		  "auto, avx512, avx2 or portable (default: auto)" },
		{ "nonce", 0, BX_CLI_TEXT, &c.nonce, "MODE", "car or random (default: car)" },
		{ "rounds", 0, BX_CLI_NUMBER, &c.rounds, "N", "rounds of the ladder (default: 7)" },
		{ "bytes", 0, BX_CLI_NUMBER, &bench.bytes_max, "N",
		  "how much of the file the stages look at (default: 32Mi)" },
		{ "json", 0, BX_CLI_FLAG, &c.json, NULL, "the result as one JSON object" },
	};
	const struct bx_cli_command command = {
		.verb = "bench",
		.usage = "bench -k RING [options] FILE",
		.about = "Measures what this machine does with this file and these keys: each "
			 "stage alone, then the\n"
			 "whole, and which stage limits. Reads FILE, writes nothing.",
		.example = "boxcar bench -k ring.json day.rs",
		.options = options,
		.option_count = sizeof(options) / sizeof(options[0]),
		.operands_min = 1,
		.operands_max = 1,
	};
	struct bx_cli_list operands;
	int code = bx_cli_parse(&command, argc, argv, &operands);

	if (code != -1)
		return code;
	if (c.keyring == NULL) {
		bx_cli_error("bench: no keyring");
		bx_cli_hint("name one with -k RING");
		return BX_EXIT_USAGE;
	}
	if (c.from != NULL && (bench.from = bx_format_of_name(c.from, NULL)) == BX_FORMAT_UNKNOWN) {
		bx_cli_error("bench: no format \"%.40s\"", c.from);
		bx_cli_hint("boxcar help formats");
		return BX_EXIT_USAGE;
	}
	if (c.nonce != NULL && strcmp(c.nonce, "car") != 0 && strcmp(c.nonce, "random") != 0) {
		bx_cli_error("bench: --nonce is car or random, not \"%.40s\"", c.nonce);
		return BX_EXIT_USAGE;
	}
	bench.random_nonces = c.nonce != NULL && strcmp(c.nonce, "random") == 0;
	bench.rounds = (unsigned)(c.rounds < 64 ? c.rounds : 64);
	bench.input = operands.items[0];
	bench.stop_fd = bx_cli_stop_fd();
	return measure(&c, &bench);
}
