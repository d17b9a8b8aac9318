/*
 * box_bench: the batch kernels against libsodium called message by message, in the same run.
 *
 * Every round times each contender once, one after the other, so that slow phases of the machine
 * hit all of them; what counts is the ratio of the medians. Nothing is printed about a run but its
 * times: that the results are right is the business of the tests.
 */
#include <getopt.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <sodium.h>

#include "base/cpu.h"
#include "box/box_kernel.h"
#include "box/nonce.h"

#define BATCH 512u
#define KEYS_MAX 512u
#define BYTES_MAX ((size_t)512 << 10) /* text of a batch: with its boxes it fits into L2 */
#define ROUNDS_MAX 1001u
#define KERNELS_MAX 4u
#define LOG_NORMAL 0u /* as a size: log-normal, median 200 bytes, sigma 1 */

static const char usage[] =
    "usage: box_bench [--sizes A,B,...] [--rounds N] [--keys N] [--kernel NAME] [--json FILE]\n"
    "\n"
    "  --sizes LIST   bytes of text, 0 = log-normal with median 200 (default 32,...,65536,0)\n"
    "  --rounds N     times each contender runs (default 31, at most 1001)\n"
    "  --keys N       different keys in a batch, taken in turn (default 4, at most 512)\n"
    "  --kernel NAME  only this kernel\n"
    "  --json FILE    the same numbers as a JSON array\n"
    "\n"
    "example: box_bench --sizes 64,256 --rounds 101\n";

enum work {
	SEAL_CAR,       /* nonces of a car: the first 16 bytes are shared */
	SEAL_RANDOM,    /* nonces with nothing in common */
	SEAL_AND_NONCE, /* drawing the nonces is part of the time */
	OPEN_CAR,
	OPEN_RANDOM,
	WORK_COUNT,
};

static const char *const work_names[WORK_COUNT] = { "seal-car", "seal-random", "seal+nonce",
						    "open-car", "open-random" };

struct options {
	size_t sizes[32];
	size_t size_count;
	unsigned rounds;
	unsigned keys;
	const char *kernel;
	FILE *json;
};

struct batch {
	size_t count;
	size_t lens[BATCH];
	uint8_t keys[KEYS_MAX][BX_BOX_KEY_LEN];
	uint8_t nonces[BATCH][BX_BOX_NONCE_LEN];
	uint8_t *text;
	uint8_t *boxes;
	uint8_t *out;
	struct bx_box_item seal[BATCH];
	struct bx_box_item open[BATCH];
	struct bx_nonce_source source;
};

struct times {
	double min, median, max;
};

static void
die(const char *what)
{
	fprintf(stderr, "box_bench: error: %s\n", what);
	exit(1);
}

static double
now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* Box-Muller on a fixed generator: every run has the same sizes. */
static size_t
log_normal_size(size_t i)
{
	uint64_t x = (i + 1) * 0x9e3779b97f4a7c15u;
	uint64_t y = (x ^ x >> 29) * 0xbf58476d1ce4e5b9u;
	double u = ((double)(y >> 40) + 1) / (double)(1 << 24);
	double v = (double)(y & 0xffffff) / (double)(1 << 24);
	double normal = sqrt(-2 * log(u)) * cos(2 * 3.14159265358979 * v);

	return (size_t)(200 * exp(normal));
}

static void
make_lens(struct batch *b, size_t size)
{
	size_t total = 0;

	for (b->count = 0; b->count < BATCH; b->count++) {
		size_t len = size == LOG_NORMAL ? log_normal_size(b->count) : size;

		if (total + len > BYTES_MAX && b->count >= 32)
			break;
		total += len;
		b->lens[b->count] = len;
	}
	free(b->text);
	free(b->boxes);
	free(b->out);
	b->text = malloc(total + 1);
	b->out = malloc(total + 1);
	b->boxes = malloc(total + BATCH * BX_BOX_TAG_LEN);
	if (b->text == NULL || b->out == NULL || b->boxes == NULL)
		die("out of memory");
	randombytes_buf(b->text, total + 1);
	memset(b->out, 1, total + 1);
}

static void
make_items(struct batch *b, const struct options *o)
{
	size_t at = 0;

	for (size_t i = 0; i < b->count; i++) {
		const uint8_t *key = b->keys[i % o->keys];
		uint8_t *box = b->boxes + at + i * BX_BOX_TAG_LEN;

		b->seal[i] =
		    (struct bx_box_item){ key, b->nonces[i], b->text + at, box, b->lens[i], false };
		b->open[i] =
		    (struct bx_box_item){ key, b->nonces[i], box, b->out + at, b->lens[i], false };
		at += b->lens[i];
	}
}

static void
fill_nonces(struct batch *b, enum work work)
{
	struct bx_fail fail = { 0 };

	if (work == SEAL_RANDOM || work == OPEN_RANDOM) {
		randombytes_buf(b->nonces, sizeof(b->nonces));
		return;
	}
	if (bx_nonce_fill(&b->source, 1, 1, NULL, b->nonces[0], b->count, &fail) != BX_OK)
		die(fail.msg);
}

static void
seal_singly(const struct batch *b, bool draw)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct bx_box_item *m = &b->seal[i];

		if (draw)
			randombytes_buf((uint8_t *)(uintptr_t)m->nonce, BX_BOX_NONCE_LEN);
		if (crypto_box_easy_afternm(m->out, m->in, m->len, m->nonce, m->key) != 0)
			die("libsodium did not seal");
	}
}

static void
open_singly(const struct batch *b)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct bx_box_item *m = &b->open[i];

		if (crypto_box_open_easy_afternm(m->out, m->in, m->len + BX_BOX_TAG_LEN, m->nonce,
						 m->key) != 0)
			die("libsodium did not open");
	}
}

/* One pass over the batch; kernel NULL is libsodium. */
static void
pass(struct batch *b, const struct bx_box_kernel *kernel, enum work work)
{
	if (work == OPEN_CAR || work == OPEN_RANDOM) {
		if (kernel == NULL) {
			open_singly(b);
			return;
		}
		bx_box_open_many(kernel, b->open, b->count);
		if (!b->open[b->count - 1].ok)
			die("the kernel did not open");
		return;
	}
	if (kernel == NULL) {
		seal_singly(b, work == SEAL_AND_NONCE);
		return;
	}
	if (work == SEAL_AND_NONCE)
		fill_nonces(b, work);
	bx_box_seal_many(kernel, b->seal, b->count);
}

static int
compare_doubles(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static struct times
times_of(double *samples, unsigned count)
{
	qsort(samples, count, sizeof(*samples), compare_doubles);
	return (struct times){ samples[0], samples[count / 2], samples[count - 1] };
}

static void
report(const struct options *o, size_t size, enum work work, const char *name, struct times t,
       double ratio)
{
	static bool any;
	char label[24];

	if (size == LOG_NORMAL)
		(void)snprintf(label, sizeof(label), "log-normal");
	else
		(void)snprintf(label, sizeof(label), "%zu", size);
	printf("%-11s %-12s %-10s %9.1f %9.1f %9.1f %7.2f\n", label, work_names[work], name, t.min,
	       t.median, t.max, ratio);
	if (o->json == NULL)
		return;
	fprintf(o->json,
		"%s\n{\"size\":\"%s\",\"work\":\"%s\",\"kernel\":\"%s\",\"min_ns\":%.2f,"
		"\"median_ns\":%.2f,\"max_ns\":%.2f,\"ratio\":%.3f}",
		any ? "," : "[", label, work_names[work], name, t.min, t.median, t.max, ratio);
	any = true;
}

static void
measure(struct batch *b, const struct options *o, const struct bx_box_kernel *const *kernels,
	size_t kernel_count, size_t size, enum work work)
{
	static double samples[KERNELS_MAX][ROUNDS_MAX];
	struct times reference;

	fill_nonces(b, work);
	seal_singly(b, false); /* what open opens */
	for (unsigned round = 0; round < o->rounds; round++) {
		for (size_t k = 0; k < kernel_count; k++) {
			/* The first pass of a contender warms its code and tables. */
			pass(b, kernels[k], work);

			double begin = now_ns();

			pass(b, kernels[k], work);
			samples[k][round] = (now_ns() - begin) / (double)b->count;
		}
	}
	for (size_t k = 0; k < kernel_count; k++) {
		struct times t = times_of(samples[k], o->rounds);

		if (k == 0)
			reference = t;
		report(o, size, work, kernels[k] == NULL ? "libsodium" : kernels[k]->name, t,
		       reference.median / t.median);
	}
}

static void
say_refused(void *context, const char *kernel, const char *why)
{
	(void)context;
	fprintf(stderr, "box_bench: %s is left out: %s\n", kernel, why);
}

static size_t
pick_kernels(const struct bx_box_kernel **kernels, const char *only)
{
	size_t count = 0;

	kernels[count++] = NULL; /* libsodium, message by message */
	for (size_t i = 0; bx_box_kernel_name_at(i) != NULL; i++) {
		const char *name = bx_box_kernel_name_at(i);
		struct bx_fail fail = { 0 };

		if (only != NULL ? strcmp(only, name) != 0 : strcmp(name, "portable") == 0)
			continue;
		if (bx_box_pick(&kernels[count], name, say_refused, NULL, &fail) == BX_OK)
			count++;
	}
	return count;
}

static void
parse_sizes(struct options *o, const char *text)
{
	for (o->size_count = 0; *text != 0 && o->size_count < 32; o->size_count++) {
		char *end;

		o->sizes[o->size_count] = strtoul(text, &end, 10);
		if (end == text)
			die("--sizes takes numbers with commas between");
		text = *end == ',' ? end + 1 : end;
	}
}

static void
parse_options(struct options *o, int argc, char **argv)
{
	static const struct option table[] = {
		{ "sizes", required_argument, NULL, 's' },
		{ "rounds", required_argument, NULL, 'r' },
		{ "keys", required_argument, NULL, 'k' },
		{ "kernel", required_argument, NULL, 'n' },
		{ "json", required_argument, NULL, 'j' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", table, NULL)) != -1) {
		if (c == 's')
			parse_sizes(o, optarg);
		else if (c == 'r')
			o->rounds = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'k')
			o->keys = (unsigned)strtoul(optarg, NULL, 10);
		else if (c == 'n')
			o->kernel = optarg;
		else if (c == 'j')
			o->json = fopen(optarg, "w");
		else {
			fputs(usage, c == 'h' ? stdout : stderr);
			exit(c == 'h' ? 0 : 2);
		}
		if (c == 'j' && o->json == NULL)
			die("cannot write the --json file");
	}
	if (o->rounds == 0 || o->rounds > ROUNDS_MAX || o->keys == 0 || o->keys > KEYS_MAX)
		die("--rounds or --keys is out of range");
}

int
main(int argc, char **argv)
{
	static struct batch b;
	struct options o = { .rounds = 31, .keys = 4 };
	const struct bx_box_kernel *kernels[KERNELS_MAX];
	struct utsname machine;
	size_t kernel_count;

	parse_sizes(&o, "32,64,128,256,512,1024,4096,16384,65536,0");
	parse_options(&o, argc, argv);
	if (sodium_init() < 0 || uname(&machine) != 0)
		die("cannot start");
	kernel_count = pick_kernels(kernels, o.kernel);
	randombytes_buf(b.keys, sizeof(b.keys));
	printf(
	    "# %s %s, libsodium %s, cpu bits %#x, batch %u, %u keys, %u rounds; ns per message\n",
	    machine.sysname, machine.release, sodium_version_string(), bx_cpu_features(), BATCH,
	    o.keys, o.rounds);
	printf("%-11s %-12s %-10s %9s %9s %9s %7s\n", "bytes", "work", "kernel", "min", "median",
	       "max", "ratio");
	for (size_t s = 0; s < o.size_count; s++) {
		make_lens(&b, o.sizes[s]);
		make_items(&b, &o);
		for (enum work work = 0; work < WORK_COUNT; work++)
			measure(&b, &o, kernels, kernel_count, o.sizes[s], work);
	}
	if (o.json != NULL) {
		fprintf(o.json, "\n]\n");
		if (fclose(o.json) != 0)
			die("cannot write the --json file");
	}
	free(b.text);
	free(b.boxes);
	free(b.out);
	return 0;
}
