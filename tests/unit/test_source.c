/* Sources: the same bytes from files, pipes, sockets and zstd, however they arrive. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <zstd.h>

#include "io/io.h"
#include "io_faults.h"

TestSuite(source, .init = scratch_enter, .fini = scratch_leave);

#define LEN ((size_t)700 * 1000)

static struct bx_source *
must_open(const struct bx_source_options *options)
{
	struct bx_source *source = NULL;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_source_open(&source, options, &fail), BX_OK, "%s (%d)", fail.msg, fail.sys);
	return source;
}

/* Reads to the end in calls of at most `cap`; *out is malloc'ed and grows. */
static enum bx_err
read_rest(struct bx_source *source, size_t cap, uint8_t **out, size_t *len, struct bx_fail *fail)
{
	size_t room = LEN + cap;

	*out = malloc(room);
	*len = 0;
	for (;;) {
		size_t got = SIZE_MAX;

		if (room - *len < cap) {
			room *= 2;
			*out = realloc(*out, room);
		}

		enum bx_err err = bx_source_read(source, *out + *len, cap, &got, fail);

		if (err != BX_OK)
			return err;
		cr_assert_leq(got, cap);
		if (got == 0)
			break;
		*len += got;
	}

	/* The end stays the end. */
	size_t again = 1;

	cr_assert_eq(bx_source_read(source, *out, cap, &again, fail), BX_OK);
	cr_assert_eq(again, 0);
	return BX_OK;
}

static void
gives(const struct bx_source_options *options, size_t cap, const uint8_t *bytes, size_t len)
{
	struct bx_source *source = must_open(options);
	struct bx_fail fail = { 0 };
	uint8_t *got;
	size_t got_len;

	cr_assert_eq(read_rest(source, cap, &got, &got_len, &fail), BX_OK, "%s", fail.msg);
	cr_assert_eq(got_len, len);
	cr_assert(len == 0 || memcmp(got, bytes, len) == 0);
	cr_assert_eq(bx_source_unchanged(source, &fail), BX_OK);
	free(got);
	bx_source_close(source);
}

/* A child that writes `bytes` into `fd`, in pieces of 1..piece bytes, and ends. */
static pid_t
feed(int fd, int other, const uint8_t *bytes, size_t len, size_t piece, bool dawdles)
{
	pid_t pid = fork();
	unsigned seed = 3;

	if (pid != 0) {
		close(fd);
		return pid;
	}
	(void)signal(SIGPIPE, SIG_IGN);
	close(other);
	for (size_t at = 0; at < len;) {
		size_t n = 1 + (size_t)rand_r(&seed) % piece;
		ssize_t rc = write(fd, bytes + at, n < len - at ? n : len - at);

		if (rc <= 0)
			_exit(1);
		at += (size_t)rc;
		if (dawdles && rand_r(&seed) % 64 == 0)
			usleep(100);
	}
	_exit(0);
}

/* Stdin is the reading end of a pipe that a child fills. */
static pid_t
feed_stdin(const uint8_t *bytes, size_t len, size_t piece, bool dawdles)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);

	pid_t pid = feed(ends[1], ends[0], bytes, len, piece, dawdles);

	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	return pid;
}

static int
reap(pid_t pid)
{
	int status = -1;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

/* `bytes` as frames of `frame` bytes each, for the caller to free. */
static uint8_t *
deflate_frames(const uint8_t *bytes, size_t len, size_t frame, size_t *out_len)
{
	size_t cap = 2 * len + 100000;
	uint8_t *out = malloc(cap);

	*out_len = 0;
	for (size_t at = 0; at < len || (len == 0 && *out_len == 0);) {
		size_t n = len - at < frame ? len - at : frame;
		size_t rc = ZSTD_compress(out + *out_len, cap - *out_len, bytes + at, n, 1);

		cr_assert(!ZSTD_isError(rc));
		*out_len += rc;
		at += n;
	}
	return out;
}

Test(source, file_gives_its_bytes_and_facts)
{
	uint8_t *bytes = make_bytes(LEN, 1);
	struct bx_source_options options = { .path = "f" };

	write_file("f", bytes, LEN);

	struct bx_source *source = must_open(&options);

	cr_assert(bx_source_is_file(source));
	cr_assert(!bx_source_is_zst(source));
	cr_assert_eq(bx_source_start(source), 0);
	cr_assert_eq(bx_source_size(source), LEN);
	cr_assert_str_eq(bx_source_name(source), "f");
	cr_assert_eq(bx_source_taken(source), 0);
	cr_assert(bx_source_is_path(source, "./f"));
	cr_assert(!bx_source_is_path(source, "g"));
	write_file("g", bytes, 1);
	cr_assert(!bx_source_is_path(source, "g"));
	cr_assert_eq(symlink("f", "s"), 0);
	cr_assert(bx_source_is_path(source, "s"));

	uint8_t *got;
	size_t len;

	cr_assert_eq(read_rest(source, 10000, &got, &len, NULL), BX_OK);
	cr_assert(len == LEN && memcmp(got, bytes, LEN) == 0);
	cr_assert_eq(bx_source_taken(source), LEN);
	bx_source_close(source);
	bx_source_close(NULL);
	free(got);
	for (size_t n = 0; n <= 5; n++) {
		write_file("f", bytes, n);
		gives(&options, 3, bytes, n);
	}
	free(bytes);
}

Test(source, files_without_a_size_are_streams)
{
	struct bx_source_options options = { .path = "/proc/self/status" };
	struct bx_source *source = must_open(&options);
	uint8_t *got;
	size_t len;

	cr_assert(!bx_source_is_file(source));
	cr_assert_eq(bx_source_size(source), UINT64_MAX);
	cr_assert_eq(read_rest(source, 4096, &got, &len, NULL), BX_OK);
	cr_assert_gt(len, 100);
	cr_assert_eq(memcmp(got, "Name:", 5), 0);
	free(got);
	bx_source_close(source);

	options.path = "/dev/null";
	gives(&options, 10, NULL, 0);
}

Test(source, stdin_that_is_a_file_begins_where_it_stands)
{
	uint8_t *bytes = make_bytes(LEN, 2);
	struct bx_source_options options = { .path = "-" };
	int fd;

	write_file("f", bytes, LEN);
	fd = open("f", O_RDONLY);
	dup2(fd, STDIN_FILENO);
	cr_assert_eq(lseek(STDIN_FILENO, 12345, SEEK_SET), 12345);

	struct bx_source *source = must_open(&options);

	cr_assert(bx_source_is_file(source));
	cr_assert_eq(bx_source_start(source), 12345);
	cr_assert_eq(bx_source_size(source), LEN);
	cr_assert_eq(bx_source_direct_fd(source), -1, "an odd start is not for O_DIRECT");
	cr_assert_str_eq(bx_source_name(source), "stdin");
	bx_source_close(source);
	gives(&options, 9999, bytes + 12345, LEN - 12345);

	/* At and beyond the end there is nothing. */
	cr_assert_eq(lseek(STDIN_FILENO, (off_t)LEN, SEEK_SET), (off_t)LEN);
	gives(&options, 10, NULL, 0);
	cr_assert_eq(lseek(STDIN_FILENO, (off_t)LEN + 99, SEEK_SET), (off_t)LEN + 99);
	options.path = NULL;
	gives(&options, 10, NULL, 0);
	close(fd);
	free(bytes);
}

Test(source, what_cannot_be_opened_says_so)
{
	struct bx_source *source;
	struct bx_fail fail = { 0 };
	struct bx_source_options options = { .path = "nowhere" };

	cr_assert_eq(bx_source_open(&source, &options, &fail), BX_ERR_SYS);
	cr_assert_eq(fail.sys, ENOENT);
	cr_assert_not_null(strstr(fail.msg, "nowhere"));

	fail = (struct bx_fail){ 0 };
	options.path = ".";
	cr_assert_eq(bx_source_open(&source, &options, &fail), BX_ERR_SYS);
	cr_assert_eq(fail.sys, EISDIR);

	fail = (struct bx_fail){ 0 };
	options.path = "-";
	close(STDIN_FILENO);
	cr_assert_eq(bx_source_open(&source, &options, &fail), BX_ERR_SYS);
	cr_assert_eq(fail.sys, EBADF);
	cr_assert_eq(open("/dev/null", O_RDONLY), STDIN_FILENO);
}

Test(source, pipes_give_the_same_in_any_pieces)
{
	static const size_t pieces[] = { 1, 2, 7, 1000, 65536, 300000 };
	uint8_t *bytes = make_bytes(LEN, 3);
	struct bx_source_options options = { .path = "-" };

	for (size_t i = 0; i < 6; i++) {
		size_t len = pieces[i] < 8 ? 5000 : LEN;
		pid_t pid = feed_stdin(bytes, len, pieces[i], true);

		gives(&options, i % 2 == 0 ? 100 : 1 << 20, bytes, len);
		cr_assert_eq(reap(pid), 0);
	}
	for (size_t len = 0; len <= 5; len++) {
		pid_t pid = feed_stdin(bytes, len, 1, false);

		gives(&options, 100, bytes, len);
		cr_assert_eq(reap(pid), 0);
	}

	/* And when each read() gives one byte. */
	struct faults faults;

	faults_init(&faults);
	faults.max_piece = 1;
	options.calls = &faults.calls;

	pid_t pid = feed_stdin(bytes, 70000, 5000, false);

	gives(&options, 5000, bytes, 70000);
	cr_assert_eq(reap(pid), 0);
	cr_assert_geq(faults.seen[ON_READ], 70000);
	free(bytes);
}

Test(source, pipe_is_no_file)
{
	pid_t pid = feed_stdin((const uint8_t *)"0123456789", 10, 10, false);
	struct bx_source_options options = { .path = "-" };
	struct bx_source *source = must_open(&options);

	cr_assert(!bx_source_is_file(source));
	cr_assert_eq(bx_source_size(source), UINT64_MAX);
	cr_assert_eq(bx_source_start(source), 0);
	cr_assert_eq(bx_source_direct_fd(source), -1);
	cr_assert_eq(bx_source_unchanged(source, NULL), BX_OK);
	bx_source_close(source);
	(void)reap(pid);
}

Test(source, nonblocking_pipe_and_socket_are_waited_for)
{
	uint8_t *bytes = make_bytes(LEN, 4);
	struct bx_source_options options = { .path = "-" };
	pid_t pid = feed_stdin(bytes, 100000, 3000, true);

	cr_assert_eq(fcntl(STDIN_FILENO, F_SETFL, O_NONBLOCK), 0);
	gives(&options, 4096, bytes, 100000);
	cr_assert_eq(reap(pid), 0);

	int ends[2];

	cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	pid = feed(ends[1], ends[0], bytes, 100000, 3000, true);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	gives(&options, 4096, bytes, 100000);
	cr_assert_eq(reap(pid), 0);
	free(bytes);
}

Test(source, fifo_waits_for_its_writer)
{
	uint8_t *bytes = make_bytes(LEN, 5);
	struct bx_source_options options = { .path = "fifo" };

	cr_assert_eq(mkfifo("fifo", 0600), 0);

	pid_t pid = fork();

	if (pid == 0) {
		usleep(30000);

		int fd = open("fifo", O_WRONLY);

		for (size_t at = 0; at < LEN;) {
			ssize_t n = write(fd, bytes + at, LEN - at < 5000 ? LEN - at : 5000);

			if (n <= 0)
				_exit(1);
			at += (size_t)n;
		}
		_exit(0);
	}
	gives(&options, 100000, bytes, LEN);
	cr_assert_eq(reap(pid), 0);

	/* A writer that comes and goes without a word. */
	pid = fork();
	if (pid == 0) {
		usleep(30000);
		close(open("fifo", O_WRONLY));
		_exit(0);
	}
	gives(&options, 100000, NULL, 0);
	cr_assert_eq(reap(pid), 0);
	free(bytes);
}

/* --- stopping -----------------------------------------------------------------------------------
 */

static void *
stop_soon(void *arg)
{
	uint64_t one = 1;

	usleep(50000);
	(void)!write(*(int *)arg, &one, sizeof(one));
	return NULL;
}

static void
stops(const char *path, const uint8_t *first, size_t first_len)
{
	int ends[2];
	int stop = eventfd(0, EFD_CLOEXEC);
	pthread_t thread;
	struct bx_source *source = NULL;
	struct bx_fail fail = { 0 };
	struct bx_source_options options = { .path = path, .stop_fd = stop };

	cr_assert_eq(pipe(ends), 0);
	dup2(ends[0], STDIN_FILENO);
	close(ends[0]);
	cr_assert_eq(write(ends[1], first, first_len), (ssize_t)first_len);
	cr_assert_eq(pthread_create(&thread, NULL, stop_soon, &stop), 0);

	enum bx_err err = bx_source_open(&source, &options, &fail);
	size_t len;
	uint8_t buf[100];

	while (err == BX_OK)
		err = bx_source_read(source, buf, sizeof(buf), &len, &fail);
	cr_assert_eq(err, BX_ERR_INTERRUPTED);
	cr_assert_eq(fail.code, BX_ERR_INTERRUPTED);
	bx_source_close(source);
	pthread_join(thread, NULL);
	close(ends[1]);
	close(stop);
}

Test(source, stop_ends_a_wait)
{
	uint8_t zst[64];
	size_t zst_len = ZSTD_compress(zst, sizeof(zst), "abc", 3, 1);

	stops("-", NULL, 0);
	stops("-", (const uint8_t *)"a", 1);
	stops("-", (const uint8_t *)"0123456789", 10);
	stops("-", zst, zst_len - 2);
	cr_assert_eq(mkfifo("fifo", 0600), 0);
	stops("fifo", NULL, 0);
}

Test(source, stop_ends_a_peek)
{
	int ends[2];
	int stop = eventfd(0, EFD_CLOEXEC);
	pthread_t thread;
	struct bx_source_options options = { .path = "-", .stop_fd = stop };

	cr_assert_eq(pipe(ends), 0);
	dup2(ends[0], STDIN_FILENO);
	cr_assert_eq(write(ends[1], "0123456789", 10), 10);

	struct bx_source *source = must_open(&options);
	struct bx_span head;
	bool whole;

	cr_assert_eq(pthread_create(&thread, NULL, stop_soon, &stop), 0);
	cr_assert_eq(bx_source_peek(source, &head, &whole, NULL), BX_ERR_INTERRUPTED);
	pthread_join(thread, NULL);
	bx_source_close(source);
}

/* --- peek ---------------------------------------------------------------------------------------
 */

static void
peeks(const struct bx_source_options *options, const uint8_t *bytes, size_t len, bool file)
{
	struct bx_source *source = must_open(options);
	struct bx_span head = { NULL, 0 };
	bool whole;
	size_t most = (size_t)64 << 10;

	for (int i = 0; i < 2; i++) {
		cr_assert_eq(bx_source_peek(source, &head, &whole, NULL), BX_OK);
		cr_assert_eq(head.len, len < most ? len : most);
		cr_assert_eq(memcmp(head.ptr, bytes, head.len), 0);
		cr_assert(whole ? len <= most : len >= most, "%zu", len);
	}

	uint8_t *got;
	size_t got_len;

	cr_assert_eq(bx_source_is_file(source), file);
	cr_assert_eq(read_rest(source, 50000, &got, &got_len, NULL), BX_OK);
	cr_assert(got_len == len && memcmp(got, bytes, len) == 0);
	free(got);
	bx_source_close(source);
}

Test(source, peek_consumes_nothing)
{
	static const size_t lens[] = { 0, 1, 4, 1000, 65535, 65536, 65537, LEN };
	uint8_t *bytes = make_bytes(LEN, 6);

	for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
		struct bx_source_options options = { .path = "f" };
		size_t zst_len;
		uint8_t *zst = deflate_frames(bytes, lens[i], 30000, &zst_len);

		write_file("f", bytes, lens[i]);
		peeks(&options, bytes, lens[i], true);
		write_file("f", zst, zst_len);
		peeks(&options, bytes, lens[i], false);
		options.path = "-";

		pid_t pid = feed_stdin(bytes, lens[i], 5000, true);

		peeks(&options, bytes, lens[i], false);
		cr_assert_eq(reap(pid), 0);
		pid = feed_stdin(zst, zst_len, 5000, true);
		peeks(&options, bytes, lens[i], false);
		cr_assert_eq(reap(pid), 0);
		free(zst);
	}
	free(bytes);
}

/* --- zstd ---------------------------------------------------------------------------------------
 */

Test(source, zstd_of_many_frames_is_one_stream)
{
	static const size_t frames[] = { 1000, 65536, 131072, 300001, LEN };
	uint8_t *bytes = make_bytes(LEN, 7);

	for (size_t i = 0; i < sizeof(frames) / sizeof(frames[0]); i++) {
		size_t len;
		uint8_t *zst = deflate_frames(bytes, LEN, frames[i], &len);
		struct bx_source_options options = { .path = "f" };

		write_file("f", zst, len);

		struct bx_source *source = must_open(&options);

		cr_assert(bx_source_is_zst(source));
		cr_assert(!bx_source_is_file(source));
		cr_assert_eq(bx_source_size(source), len);

		uint8_t *got;
		size_t got_len;

		cr_assert_eq(read_rest(source, 7777, &got, &got_len, NULL), BX_OK);
		cr_assert(got_len == LEN && memcmp(got, bytes, LEN) == 0);
		cr_assert_eq(bx_source_taken(source), len);
		free(got);
		bx_source_close(source);

		/* As it is stored. */
		options.raw_zst = true;
		source = must_open(&options);
		cr_assert(bx_source_is_file(source) && !bx_source_is_zst(source));
		bx_source_close(source);
		gives(&options, 5000, zst, len);

		options = (struct bx_source_options){ .path = "-" };

		pid_t pid = feed_stdin(zst, len, 3000, true);

		gives(&options, 100000, bytes, LEN);
		cr_assert_eq(reap(pid), 0);
		pid = feed_stdin(zst, len, 3000, true);
		options.raw_zst = true;
		gives(&options, 100000, zst, len);
		cr_assert_eq(reap(pid), 0);
		free(zst);
	}
	free(bytes);
}

Test(source, zstd_skips_skippable_and_empty_frames)
{
	uint8_t zst[400];
	size_t len = 0;
	const uint8_t skip[] = { 0x5a, 0x2a, 0x4d, 0x18, 5, 0, 0, 0, 1, 2, 3, 4, 5 };

	memcpy(zst, skip, sizeof(skip));
	len += sizeof(skip);
	len += ZSTD_compress(zst + len, sizeof(zst) - len, "hello ", 6, 1);
	len += ZSTD_compress(zst + len, sizeof(zst) - len, "", 0, 1);
	memcpy(zst + len, skip, sizeof(skip));
	len += sizeof(skip);
	len += ZSTD_compress(zst + len, sizeof(zst) - len, "world", 5, 1);
	memcpy(zst + len, skip, sizeof(skip));
	len += sizeof(skip);
	write_file("f", zst, len);
	gives(&(struct bx_source_options){ .path = "f" }, 100, (const uint8_t *)"hello world", 11);
	gives(&(struct bx_source_options){ .path = "f" }, 1, (const uint8_t *)"hello world", 11);
}

/* The error of a damaged file of zstd, which must have one. */
static struct bx_fail
zstd_fails(const uint8_t *zst, size_t len, uint64_t max)
{
	struct bx_source_options options = { .path = "f", .max_inflated = max };
	struct bx_fail fail = { 0 };
	uint8_t *got;
	size_t got_len;

	write_file("f", zst, len);

	struct bx_source *source = must_open(&options);
	enum bx_err err = read_rest(source, 9000, &got, &got_len, &fail);

	cr_assert_neq(err, BX_OK);
	cr_assert_eq(err, fail.code);
	free(got);
	bx_source_close(source);
	return fail;
}

Test(source, zstd_cut_anywhere_is_a_format_error)
{
	uint8_t *bytes = make_bytes(3000, 8);
	size_t len;
	uint8_t *zst = deflate_frames(bytes, 3000, 1000, &len);
	size_t edge[4] = { 0 };

	for (size_t i = 0; i < 3; i++)
		edge[i + 1] = edge[i] + ZSTD_findFrameCompressedSize(zst + edge[i], len - edge[i]);
	cr_assert_eq(edge[3], len);
	for (size_t cut = 4; cut < len; cut++) {
		if (cut == edge[1] || cut == edge[2])
			continue; /* a cut between frames cannot be seen */

		struct bx_fail fail = zstd_fails(zst, cut, 0);

		cr_assert_eq(fail.code, BX_ERR_FORMAT, "cut at %zu", cut);
		cr_assert_eq(fail.offset, cut);
	}
	free(bytes);
	free(zst);
}

Test(source, zstd_damage_is_a_format_error)
{
	uint8_t *bytes = make_bytes(3000, 9);
	size_t len;
	uint8_t *zst = deflate_frames(bytes, 3000, 3000, &len);

	zst = realloc(zst, len + 10);
	memcpy(zst + len, "garbage!", 8);
	cr_assert_eq(zstd_fails(zst, len + 8, 0).code, BX_ERR_FORMAT);
	memset(zst + len, 0, 8);
	cr_assert_eq(zstd_fails(zst, len + 8, 0).code, BX_ERR_FORMAT);
	zst[5] ^= 0xff;
	cr_assert_eq(zstd_fails(zst, len, 0).code, BX_ERR_FORMAT);

	/* A window of 2 GiB is refused before any memory is had for it. */
	const uint8_t wide[] = { 0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa8, 0x01, 0x00, 0x00 };
	struct bx_fail fail = zstd_fails(wide, sizeof(wide), 0);

	cr_assert_eq(fail.code, BX_ERR_LIMIT);
	cr_assert_str_not_empty(fail.hint);
	free(bytes);
	free(zst);
}

Test(source, zstd_bombs_are_stopped)
{
	/* 2 GiB of zeros in frames of 64 MiB; 1 GiB is free, then 1000:1. */
	size_t frame = (size_t)64 << 20;
	uint8_t *zeros = calloc(1, frame);
	uint8_t *zst = malloc(1 << 20);
	size_t one = ZSTD_compress(zst, 1 << 20, zeros, frame, 1);
	size_t len = 0;

	cr_assert(!ZSTD_isError(one) && one * 32 < 1 << 20);
	cr_assert_gt(frame / one, 1000);
	for (int i = 0; i < 32; i++, len += one)
		memmove(zst + len, zst, one);
	write_file("f", zst, len);

	struct bx_source_options options = { .path = "f" };
	struct bx_source *source = must_open(&options);
	struct bx_fail fail = { 0 };
	uint64_t total = 0;
	size_t got = 1;
	enum bx_err err = BX_OK;

	while (err == BX_OK && got > 0) {
		err = bx_source_read(source, zeros, 1 << 20, &got, &fail);
		if (err == BX_OK)
			total += got;
	}
	cr_assert_eq(err, BX_ERR_LIMIT);
	cr_assert_geq(total, ((uint64_t)1 << 30) - (1 << 20));
	cr_assert_leq(total, (uint64_t)1 << 30);
	bx_source_close(source);

	/* A limit of one's own. */
	cr_assert_eq(zstd_fails(zst, one, frame - 1).code, BX_ERR_LIMIT);
	options.max_inflated = frame;
	write_file("f", zst, one);
	gives(&options, 1 << 20, zeros, frame);
	free(zeros);
	free(zst);
}

/* --- faults -------------------------------------------------------------------------------------
 */

enum shape { SHAPE_FILE, SHAPE_ZST, SHAPE_PIPE, SHAPE_ZST_PIPE };

/* One run over `bytes` in that shape; the outcome. */
static enum bx_err
run(enum shape shape, const struct bx_io_calls *calls, const uint8_t *bytes, size_t len,
    struct bx_fail *fail)
{
	bool pipe = shape == SHAPE_PIPE || shape == SHAPE_ZST_PIPE;
	struct bx_source_options options = { .path = pipe ? "-" : "f", .calls = calls };
	struct bx_source *source = NULL;
	struct bx_span head;
	bool whole;
	size_t zst_len;
	uint8_t *zst = deflate_frames(bytes, len, 100000, &zst_len);
	const uint8_t *stored = shape == SHAPE_ZST || shape == SHAPE_ZST_PIPE ? zst : bytes;
	size_t stored_len = stored == zst ? zst_len : len;
	pid_t pid = 0;

	if (pipe)
		pid = feed_stdin(stored, stored_len, 100000, false);
	else
		write_file("f", stored, stored_len);

	enum bx_err err = bx_source_open(&source, &options, fail);

	if (err == BX_OK)
		err = bx_source_peek(source, &head, &whole, fail);
	if (err == BX_OK) {
		uint8_t *got;
		size_t got_len;

		err = read_rest(source, 60000, &got, &got_len, fail);
		if (err == BX_OK)
			cr_assert(got_len == len && memcmp(got, bytes, len) == 0);
		free(got);
	}
	bx_source_close(source);
	free(zst);
	if (pipe) {
		close(STDIN_FILENO); /* the child may still want to write */
		cr_assert_eq(open("/dev/null", O_RDONLY), STDIN_FILENO);
		(void)reap(pid);
	}
	return err;
}

static void
faults_everywhere(enum shape shape, enum fault_call on)
{
	static const struct {
		int fault;
		bool persistent;
		bool passes;
	} kinds[] = {
		{ EINTR, false, true }, { EAGAIN, false, true }, { FAULT_SHORT, false, true },
		{ EIO, false, false },  { EIO, true, false },    { EINTR, true, false },
	};
	uint8_t *bytes = make_bytes(LEN, 10);
	struct faults faults;

	faults_init(&faults);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		for (unsigned nth = 1;; nth++) {
			struct bx_fail fail = { 0 };

			faults_set(&faults, on, nth, kinds[k].fault, kinds[k].persistent);

			enum bx_err err = run(shape, &faults.calls, bytes, LEN, &fail);

			if (faults.fired == 0) {
				cr_assert_eq(err, BX_OK);
				cr_assert_gt(nth, 1);
				break;
			}
			if (kinds[k].passes) {
				cr_assert_eq(err, BX_OK, "%s %u: %s", fault_names[on], nth,
					     fail.msg);
				continue;
			}
			cr_assert_eq(err, BX_ERR_SYS);
			cr_assert_eq(fail.sys, kinds[k].fault);
		}
	}
	free(bytes);
}

Test(source, faults_of_file_reads)
{
	faults_everywhere(SHAPE_FILE, ON_PREAD);
}

Test(source, faults_of_zstd_file_reads)
{
	faults_everywhere(SHAPE_ZST, ON_PREAD);
}

Test(source, faults_of_pipe_reads)
{
	faults_everywhere(SHAPE_PIPE, ON_READ);
}

Test(source, faults_of_zstd_pipe_reads)
{
	faults_everywhere(SHAPE_ZST_PIPE, ON_READ);
}

Test(source, faults_of_open)
{
	struct faults faults;
	struct bx_fail fail = { 0 };
	const uint8_t bytes[100] = { 1 };

	faults_init(&faults);
	faults_set(&faults, ON_OPENAT, 1, EMFILE, false);
	cr_assert_eq(run(SHAPE_FILE, &faults.calls, bytes, 100, &fail), BX_ERR_SYS);
	cr_assert_eq(fail.sys, EMFILE);
	faults_set(&faults, ON_OPENAT, 1, EINTR, false);
	cr_assert_eq(run(SHAPE_FILE, &faults.calls, bytes, 100, NULL), BX_OK);
}

/* --- files that change, files that are cold ------------------------------------------------------
 */

Test(source, change_underneath_is_noticed)
{
	uint8_t *bytes = make_bytes(LEN, 11);
	struct bx_source_options options = { .path = "f" };
	struct timespec times[2] = { { 0, UTIME_OMIT }, { 1000000, 0 } };

	for (int how = 0; how < 5; how++) {
		struct bx_fail fail = { 0 };

		write_file("f", bytes, LEN);
		/* An old file: what happens now has another time on any clock. */
		cr_assert_eq(utimensat(AT_FDCWD, "f", times, 0), 0);

		struct bx_source *source = must_open(&options);
		int fd = open("f", O_WRONLY);
		enum bx_err want = BX_ERR_SYS;

		switch (how) {
		case 0:
			cr_assert_eq(pwrite(fd, "x", 1, 5), 1);
			break;
		case 1:
			cr_assert_eq(pwrite(fd, "x", 1, (off_t)LEN), 1);
			break;
		case 2:
			cr_assert_eq(ftruncate(fd, 1000), 0);
			break;
		case 3: /* not its bytes */
			cr_assert_eq(fchmod(fd, 0600), 0);
			cr_assert_eq(rename("f", "g"), 0);
			cr_assert_eq(rename("g", "f"), 0);
			want = BX_OK;
			break;
		default: /* another file under the name is not ours */
			cr_assert_eq(unlink("f"), 0);
			write_file("f", bytes, 10);
			want = BX_OK;
			break;
		}
		close(fd);
		cr_assert_eq(bx_source_unchanged(source, &fail), want, "how %d", how);
		if (want != BX_OK)
			cr_assert_not_null(strstr(fail.msg, "changed while it was read"));
		if (how == 2) {
			uint8_t *got;
			size_t len;

			fail = (struct bx_fail){ 0 };
			cr_assert_eq(read_rest(source, 10000, &got, &len, &fail), BX_ERR_SYS);
			cr_assert_not_null(strstr(fail.msg, "changed while it was read"));
			free(got);
		}
		bx_source_close(source);
	}
	free(bytes);
}

Test(source, direct_descriptor_for_cold_files_only)
{
	size_t len = ((size_t)8 << 20) + 4321;
	uint8_t *bytes = make_bytes(len, 12);
	struct bx_source_options options = { .path = "f" };

	write_file("f", bytes, len);

	struct bx_source *source = must_open(&options);

	cr_assert_eq(bx_source_direct_fd(source), -1, "it was just written: warm");
	bx_source_close(source);

	int fd = open("f", O_RDONLY);

	cr_assert_eq(fsync(fd), 0);
	cr_assert_eq(posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
	close(fd);
	fd = open("f", O_RDONLY | O_DIRECT);
	if (fd == -1)
		cr_skip_test("no O_DIRECT here");
	close(fd);
	source = must_open(&options);
	fd = bx_source_direct_fd(source);
	if (fd == -1) {
		bx_source_close(source);
		cr_skip_test("the page cache did not let go");
	}
	cr_assert_eq(bx_source_direct_fd(source), fd);
	cr_assert_neq(fcntl(fd, F_GETFL) & O_DIRECT, 0);

	struct bx_lane *lane;
	uint8_t *buf = aligned_alloc(4096, (size_t)12 << 20);
	size_t done;

	cr_assert_eq(bx_lane_new(&lane, BX_IO_AUTO, 1, NULL, NULL), BX_OK);
	cr_assert_eq(bx_lane_read(lane, 0, fd, buf, (size_t)12 << 20, 0, NULL), BX_OK);
	cr_assert_eq(bx_lane_wait(lane, 0, &done, NULL), BX_OK);
	cr_assert_eq(done, len);
	cr_assert_eq(memcmp(buf, bytes, len), 0);
	bx_lane_free(lane);
	bx_source_close(source);

	/* Refused: there is none, and nothing else changes. */
	struct faults faults;

	faults_init(&faults);
	faults.no_direct = true;
	options.calls = &faults.calls;
	source = must_open(&options);
	cr_assert_eq(bx_source_direct_fd(source), -1);
	bx_source_close(source);
	free(buf);
	free(bytes);
}

Test(source, memory_files_are_not_read_direct)
{
	size_t len = (size_t)8 << 20;
	uint8_t *bytes = make_bytes(len, 13);
	char path[] = "/dev/shm/bx-test-XXXXXX";
	int fd = mkstemp(path);

	if (fd == -1)
		cr_skip_test("no /dev/shm here");
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);

	struct bx_source_options options = { .path = path };
	struct bx_source *source = must_open(&options);

	cr_assert(bx_source_is_file(source));
	cr_assert_eq(bx_source_direct_fd(source), -1);
	bx_source_close(source);
	gives(&options, 1 << 20, bytes, len);
	close(fd);
	unlink(path);
	free(bytes);
}
