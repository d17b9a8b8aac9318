/*
 * What this machine's storage and page cache give, with the engine's own lanes, sources and drains,
 * next to the same work in the plainest calls: the controls that the ladder divides by.
 *
 *   io_bench [-n REPS] [-s MIB] [-q DEPTH] [-b CHUNK_KIB] DIR
 *
 * Makes a file of MIB in DIR, then runs every test once per repetition, in turn, because the device
 * drifts: compare only medians of one run. One JSON object on stdout. Not for tmpfs.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/slab.h"
#include "io/io.h"

#define REPS_MAX 64
#define DEPTH_MAX 16u

struct bench {
	unsigned reps;
	unsigned depth;
	size_t size;
	size_t chunk;
	uint8_t *slab; /* depth chunks of huge pages, touched */
	struct bx_fail fail;
};

/* One way to do it; leaves "out" behind, or not. False: bench->fail says why. */
typedef bool (*test_fn)(struct bench *bench);

static bool
sys_fail(struct bench *bench, const char *what)
{
	(void)bx_fail_set(&bench->fail, BX_ERR_SYS, errno, BX_NOWHERE, "%s", what);
	return false;
}

static double
now(clockid_t clock)
{
	struct timespec t;

	(void)clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* The input leaves the page cache, or is put there. */
static bool
set_cache(struct bench *bench, bool warm)
{
	int fd = open("in", O_RDONLY | O_CLOEXEC);
	bool ok = fd != -1;

	if (ok && !warm)
		ok = posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) == 0;
	while (ok && warm) {
		ssize_t n = read(fd, bench->slab, bench->chunk);

		ok = n >= 0;
		if (n <= 0)
			break;
	}
	if (fd != -1)
		(void)close(fd);
	return ok || sys_fail(bench, "prepare the cache");
}

/* --- controls: the plainest calls --------------------------------------------------------------
 */

/*
 * The best copy known here: O_DIRECT both ways, huge pages, allocated output, `depth` chunks in
 * flight, fsync. Reads or writes alone when one descriptor is -1.
 */
static bool
copy_direct(struct bench *bench, int in, int out)
{
	struct bx_lane *lane = NULL;
	unsigned depth = bench->depth;
	bool ok = bx_lane_new(&lane, BX_IO_AUTO, depth, NULL, &bench->fail) == BX_OK;
	size_t chunks = bench->size / bench->chunk;
	/* Request i of the reads or writes uses slot i % depth: read, then write from it. */
	size_t done;

	for (size_t i = 0; ok && i < chunks + depth; i++) {
		unsigned id = (unsigned)(i % depth);
		uint8_t *buf = bench->slab + id * bench->chunk;

		/* What this slot did last (its write, or all it does). */
		if (i >= depth)
			ok = bx_lane_wait(lane, id, &done, &bench->fail) == BX_OK;
		if (ok && in != -1 && i < chunks)
			ok = bx_lane_read(lane, id, in, buf, bench->chunk, i * bench->chunk,
					  &bench->fail) == BX_OK;
		if (ok && in == -1 && i < chunks)
			ok = bx_lane_write(lane, id, out, buf, bench->chunk, i * bench->chunk,
					   &bench->fail) == BX_OK;
		/* Half a round later the read has most likely come: its write takes the slot over.
		 */
		if (in == -1 || out == -1 || i < depth / 2)
			continue;

		size_t w = i - depth / 2;
		unsigned wid = (unsigned)(w % depth);

		if (ok && w < chunks) {
			ok = bx_lane_wait(lane, wid, &done, &bench->fail) == BX_OK &&
			     bx_lane_write(lane, wid, out, bench->slab + wid * bench->chunk,
					   bench->chunk, w * bench->chunk, &bench->fail) == BX_OK;
		}
	}
	bx_lane_free(lane);
	return ok;
}

static bool
with_files(struct bench *bench, int in_flags, int out_flags,
	   bool (*work)(struct bench *bench, int in, int out))
{
	int in = in_flags == -1 ? -1 : open("in", in_flags | O_RDONLY | O_CLOEXEC);
	int out = -1;
	bool ok = in_flags == -1 || in != -1;

	if (ok && out_flags != -1) {
		out = open("out", out_flags | O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		ok = out != -1 &&
		     ((out_flags & O_DIRECT) == 0 || fallocate(out, 0, 0, (off_t)bench->size) == 0);
	}
	if (!ok)
		(void)sys_fail(bench, "open the files");
	ok = ok && work(bench, in, out);
	if (ok && out != -1 && fsync(out) != 0)
		ok = sys_fail(bench, "fsync");
	if (in != -1)
		(void)close(in);
	if (out != -1)
		(void)close(out);
	return ok;
}

static bool
control_read(struct bench *bench)
{
	return with_files(bench, O_DIRECT, -1, copy_direct);
}

static bool
control_write(struct bench *bench)
{
	return with_files(bench, -1, O_DIRECT, copy_direct);
}

static bool
control_copy(struct bench *bench)
{
	return with_files(bench, O_DIRECT, O_DIRECT, copy_direct);
}

static bool
loop_buffered(struct bench *bench, int in, int out)
{
	for (;;) {
		ssize_t n = read(in, bench->slab, (size_t)1 << 20);

		if (n == 0)
			return true;
		if (n < 0 || (out != -1 && write(out, bench->slab, (size_t)n) != n))
			return sys_fail(bench, "copy");
	}
}

static bool
control_read_warm(struct bench *bench)
{
	return with_files(bench, 0, -1, loop_buffered);
}

static bool
control_copy_warm(struct bench *bench)
{
	return with_files(bench, 0, 0, loop_buffered);
}

/* --- the engine: what the pipe does with a source and a drain ------------------------------------
 */

/* Reads by lane as the source advises; places at the drain's phase, 4 KiB of room around. */
static bool
engine_loop(struct bench *bench, struct bx_source *source, struct bx_drain *drain)
{
	struct bx_lane *lane = NULL;
	int direct = bx_source_direct_fd(source);
	int fd = direct != -1 ? direct : bx_source_fd(source);
	unsigned slots = bench->depth;
	bool ok = bx_lane_new(&lane, BX_IO_AUTO, slots, NULL, &bench->fail) == BX_OK;
	size_t chunks = bench->size / bench->chunk;
	size_t done;

	for (size_t i = 0; ok && i < chunks + slots; i++) {
		unsigned id = (unsigned)(i % slots);

		if (i >= slots)
			ok = bx_lane_wait(lane, id, &done, &bench->fail) == BX_OK;
		if (ok && i < chunks)
			ok = bx_lane_read(lane, id, fd, bench->slab + id * bench->chunk,
					  bench->chunk, i * bench->chunk, &bench->fail) == BX_OK;
		if (drain == NULL || i < slots / 2)
			continue;

		size_t w = i - slots / 2;
		unsigned wid = (unsigned)(w % slots);

		if (ok && w < chunks) {
			ok = bx_lane_wait(lane, wid, &done, &bench->fail) == BX_OK &&
			     bx_drain_place_lane(drain, lane, wid, bench->slab + wid * bench->chunk,
						 0, bench->chunk, w * bench->chunk,
						 &bench->fail) == BX_OK;
		}
	}
	bx_lane_free(lane);
	return ok;
}

static bool
engine_copy(struct bench *bench, bool sync)
{
	struct bx_source_options from = { .path = "in" };
	struct bx_drain_options to = { .path = "out", .size_hint = bench->size, .no_sync = !sync };
	struct bx_source *source = NULL;
	struct bx_drain *drain = NULL;
	bool ok = bx_source_open(&source, &from, &bench->fail) == BX_OK &&
		  bx_drain_open(&drain, &to, &bench->fail) == BX_OK &&
		  engine_loop(bench, source, drain) &&
		  bx_drain_commit(drain, bench->size, &bench->fail) == BX_OK;

	bx_drain_close(drain);
	bx_source_close(source);
	return ok;
}

static bool
engine_copy_synced(struct bench *bench)
{
	return engine_copy(bench, true);
}

static bool
engine_copy_no_sync(struct bench *bench)
{
	return engine_copy(bench, false);
}

static bool
engine_read(struct bench *bench)
{
	struct bx_source_options from = { .path = "in" };
	struct bx_source *source = NULL;
	bool ok = bx_source_open(&source, &from, &bench->fail) == BX_OK &&
		  engine_loop(bench, source, NULL);

	bx_source_close(source);
	return ok;
}

/* --- running ------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	test_fn run;
	bool warm; /* the input is in the page cache */
} tests[] = {
	{ "control_read_direct", control_read, false },   /* device alone, reading */
	{ "control_write_direct", control_write, false }, /* device alone, writing, fsync */
	{ "control_copy_direct", control_copy, false },   /* the best copy */
	{ "control_read_warm", control_read_warm, true }, /* page cache, read() of 1 MiB */
	{ "control_copy_warm_buffered", control_copy_warm, true }, /* and write(), fsync */
	{ "engine_read_cold", engine_read, false },
	{ "engine_read_warm", engine_read, true },
	{ "engine_copy_cold", engine_copy_synced, false },
	{ "engine_copy_warm", engine_copy_synced, true },
	{ "engine_copy_warm_no_sync", engine_copy_no_sync, true },
};

#define TESTS (sizeof(tests) / sizeof(tests[0]))

struct result {
	double seconds[REPS_MAX];
	double cpu[REPS_MAX];
};

static double
cpu_seconds(void)
{
	struct rusage used;

	(void)getrusage(RUSAGE_SELF, &used);
	return (double)used.ru_utime.tv_sec + (double)used.ru_stime.tv_sec +
	       ((double)used.ru_utime.tv_usec + (double)used.ru_stime.tv_usec) * 1e-6;
}

static bool
make_input(struct bench *bench)
{
	int fd = open("in", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	uint64_t x = 88172645463325252u;
	bool ok = fd != -1;

	for (size_t i = 0; i < bench->chunk / 8; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		memcpy(bench->slab + i * 8, &x, 8);
	}
	for (size_t at = 0; ok && at < bench->size; at += bench->chunk)
		ok = write(fd, bench->slab, bench->chunk) == (ssize_t)bench->chunk;
	ok = ok && fsync(fd) == 0;
	if (fd != -1)
		(void)close(fd);
	return ok || sys_fail(bench, "make the input");
}

/* The clock runs from opening to after the fsync. */
static bool
run_once(struct bench *bench, size_t test, double *seconds, double *cpu)
{
	if (!set_cache(bench, tests[test].warm))
		return false;

	double began = now(CLOCK_MONOTONIC);
	double cpu_began = cpu_seconds();
	bool ok = tests[test].run(bench);

	*cpu = cpu_seconds() - cpu_began;
	*seconds = now(CLOCK_MONOTONIC) - began;
	(void)unlink("out");
	return ok;
}

static int
by_value(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
print_result(const struct bench *bench, size_t test, struct result *r)
{
	double mb = (double)bench->size * 1e-6;

	qsort(r->seconds, bench->reps, sizeof(double), by_value);
	qsort(r->cpu, bench->reps, sizeof(double), by_value);
	printf("%s    \"%s\": { \"mb_per_s\": %.0f, \"min\": %.0f, \"max\": %.0f, "
	       "\"cpu_s_per_gb\": %.4f }",
	       test == 0 ? "" : ",\n", tests[test].name, mb / r->seconds[bench->reps / 2],
	       mb / r->seconds[bench->reps - 1], mb / r->seconds[0],
	       r->cpu[bench->reps / 2] / mb * 1000);
}

static bool
run_all(struct bench *bench, struct result *results)
{
	if (!make_input(bench))
		return false;
	for (unsigned rep = 0; rep < bench->reps; rep++) {
		for (size_t t = 0; t < TESTS; t++) {
			if (!run_once(bench, t, &results[t].seconds[rep], &results[t].cpu[rep]))
				return false;
		}
	}
	return true;
}

static bool
parse(struct bench *bench, int argc, char **argv)
{
	int option;

	while ((option = getopt(argc, argv, "n:s:q:b:")) != -1) {
		unsigned long value = optarg != NULL ? strtoul(optarg, NULL, 10) : 0;

		switch (option) {
		case 'n':
			bench->reps = (unsigned)value;
			break;
		case 's':
			bench->size = (size_t)value << 20;
			break;
		case 'q':
			bench->depth = (unsigned)value;
			break;
		case 'b':
			bench->chunk = (size_t)value << 10;
			break;
		default:
			return false;
		}
	}
	if (bench->chunk == 0 || bench->chunk % BX_IO_ALIGN != 0)
		return false;
	bench->size = bench->size / bench->chunk * bench->chunk;
	return optind + 1 == argc && bench->size > 0 && bench->reps >= 1 &&
	       bench->reps <= REPS_MAX && bench->depth >= 2 && bench->depth <= DEPTH_MAX;
}

int
main(int argc, char **argv)
{
	struct bench bench = {
		.reps = 3,
		.depth = 6,
		.size = (size_t)1024 << 20,
		.chunk = (size_t)4 << 20,
	};
	static struct result results[TESTS];
	struct bx_slab slab = { 0 };

	if (!parse(&bench, argc, argv)) {
		fprintf(stderr,
			"usage: io_bench [-n REPS] [-s MIB] [-q DEPTH] [-b CHUNK_KIB] DIR\n");
		return 2;
	}
	if (chdir(argv[optind]) != 0 ||
	    !bx_slab_init(&slab, bench.depth * bench.chunk, bench.depth * bench.chunk)) {
		perror("io_bench");
		return 1;
	}
	bench.slab = slab.ptr;
	memset(slab.ptr, 1, bench.depth * bench.chunk);

	bool ok = run_all(&bench, results);

	(void)unlink("in");
	(void)unlink("out");
	bx_slab_free(&slab);
	if (!ok) {
		fprintf(stderr, "io_bench: %s: %s\n", bench.fail.msg, strerror(bench.fail.sys));
		return 1;
	}
	printf(
	    "{\n  \"bytes\": %zu, \"chunk\": %zu, \"depth\": %u, \"reps\": %u,\n  \"tests\": {\n",
	    bench.size, bench.chunk, bench.depth, bench.reps);
	for (size_t t = 0; t < TESTS; t++)
		print_result(&bench, t, &results[t]);
	printf("\n  }\n}\n");
	return 0;
}
