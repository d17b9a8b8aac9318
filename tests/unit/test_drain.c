/* Drains: whole or not there, in any order and at every fault. */
#include <criterion/criterion.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "io/edge.h"
#include "io/io.h"
#include "io_faults.h"

TestSuite(drain, .init = scratch_enter, .fini = scratch_leave);

#define LEN ((size_t)200 * 1000)
#define BIG ((size_t)17 << 20) /* beyond the size from which O_DIRECT pays */

static struct bx_drain *
must_open(const struct bx_drain_options *options)
{
	struct bx_drain *drain = NULL;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_drain_open(&drain, options, &fail), BX_OK, "%s (%d)", fail.msg, fail.sys);
	return drain;
}

static enum bx_err
write_pieces(struct bx_drain *drain, const uint8_t *bytes, size_t len, size_t piece,
	     struct bx_fail *fail)
{
	enum bx_err err = BX_OK;

	for (size_t at = 0; at < len && err == BX_OK; at += piece)
		err = bx_drain_write(drain, bytes + at, len - at < piece ? len - at : piece, fail);
	return err;
}

/* Opens, writes, commits, closes. */
static enum bx_err
run(const struct bx_drain_options *options, const uint8_t *bytes, size_t len, size_t piece,
    struct bx_fail *fail)
{
	struct bx_drain *drain = NULL;
	enum bx_err err = bx_drain_open(&drain, options, fail);

	if (err == BX_OK)
		err = write_pieces(drain, bytes, len, piece, fail);
	if (err == BX_OK)
		err = bx_drain_commit(drain, len, fail);
	if (drain != NULL)
		bx_drain_close(drain);
	return err;
}

static mode_t
mode_of(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0);
	return st.st_mode & 07777;
}

/* --- names --------------------------------------------------------------------------------------
 */

Test(drain, file_appears_when_it_is_complete)
{
	uint8_t *bytes = make_bytes(LEN, 1);
	struct faults faults;

	faults_init(&faults);
	for (int named = 0; named < 2; named++) {
		struct bx_drain_options options = { .path = "f", .calls = &faults.calls };

		faults.no_tmpfile = named == 1;

		struct bx_drain *drain = must_open(&options);

		cr_assert(bx_drain_is_placed(drain));
		cr_assert_str_eq(bx_drain_name(drain), "f");
		cr_assert_eq(write_pieces(drain, bytes, LEN, 5000, NULL), BX_OK);
		cr_assert_eq(access("f", F_OK), -1);
		cr_assert_eq(scratch_count(), named == 1 ? 1 : 0);
		faults_set(&faults, ON_FSYNC, 0, 0, false);
		cr_assert_eq(bx_drain_commit(drain, LEN, NULL), BX_OK);
		cr_assert_eq(faults.seen[ON_FSYNC], 2, "the file and the folder");
		cr_assert(file_is("f", bytes, LEN));
		bx_drain_close(drain);
		cr_assert_eq(scratch_count(), 1);

		/* Given up: as if it had never been. */
		options.force = true;
		drain = must_open(&options);
		cr_assert_eq(write_pieces(drain, bytes, 100, 5000, NULL), BX_OK);
		bx_drain_close(drain);
		cr_assert(file_is("f", bytes, LEN));
		cr_assert_eq(scratch_count(), 1);
		unlink("f");
	}
	bx_drain_close(NULL);
	free(bytes);
}

Test(drain, nothing_makes_an_empty_file)
{
	cr_assert_eq(run(&(struct bx_drain_options){ .path = "f" }, NULL, 0, 1, NULL), BX_OK);
	cr_assert(file_is("f", NULL, 0));
	cr_assert_eq(run(&(struct bx_drain_options){ .path = "g", .zst = true }, NULL, 0, 1, NULL),
		     BX_OK);

	struct bx_source *source;
	uint8_t byte;
	size_t len;

	cr_assert_eq(bx_source_open(&source, &(struct bx_source_options){ .path = "g" }, NULL),
		     BX_OK);
	cr_assert(bx_source_is_zst(source));
	cr_assert_eq(bx_source_read(source, &byte, 1, &len, NULL), BX_OK);
	cr_assert_eq(len, 0);
	bx_source_close(source);
}

Test(drain, no_sync_syncs_nothing)
{
	struct faults faults;

	faults_init(&faults);
	cr_assert_eq(
	    run(&(struct bx_drain_options){ .path = "f", .no_sync = true, .calls = &faults.calls },
		(const uint8_t *)"abc", 3, 1, NULL),
	    BX_OK);
	cr_assert_eq(faults.seen[ON_FSYNC] + faults.seen[ON_FDATASYNC], 0);
	cr_assert(file_is("f", (const uint8_t *)"abc", 3));
}

Test(drain, modes_are_private_or_by_umask)
{
	struct faults faults;

	faults_init(&faults);
	umask(027);
	for (int named = 0; named < 2; named++) {
		struct bx_drain_options options = { .path = "f",
						    .force = true,
						    .calls = &faults.calls };

		faults.no_tmpfile = named == 1;
		cr_assert_eq(run(&options, NULL, 0, 1, NULL), BX_OK);
		cr_assert_eq(mode_of("f"), 0640);
		options.private_mode = true;
		cr_assert_eq(run(&options, NULL, 0, 1, NULL), BX_OK);
		cr_assert_eq(mode_of("f"), 0600);
	}
}

static void
is_refused(const struct bx_drain_options *options, enum bx_err want, int sys)
{
	struct bx_drain *drain = NULL;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_drain_open(&drain, options, &fail), want, "%s: %s", options->path,
		     fail.msg);
	cr_assert_eq(fail.sys, sys, "%s: %d", fail.msg, fail.sys);
	cr_assert_eq(want == BX_ERR_USAGE && sys == EEXIST, fail.hint[0] != '\0');
}

Test(drain, existing_targets_want_force)
{
	uint8_t *bytes = make_bytes(LEN, 2);
	struct bx_drain_options options = { .path = "f" };

	write_file("f", (const uint8_t *)"old", 3);
	is_refused(&options, BX_ERR_USAGE, EEXIST);
	options.zst = true;
	is_refused(&options, BX_ERR_USAGE, EEXIST);
	cr_assert(file_is("f", (const uint8_t *)"old", 3));
	options.zst = false;
	options.force = true;
	cr_assert_eq(run(&options, bytes, LEN, 7000, NULL), BX_OK);
	cr_assert(file_is("f", bytes, LEN));
	cr_assert_eq(scratch_count(), 1);

	/* It comes between open and commit. */
	struct faults faults;

	faults_init(&faults);
	for (int how = 0; how < 4; how++) {
		struct bx_drain_options late = { .path = "g", .calls = &faults.calls };
		struct bx_fail fail = { 0 };

		faults.no_tmpfile = how >= 1;
		faults.no_flags = how >= 2;

		struct bx_drain *drain = must_open(&late);

		/* The last way: no links either. */
		faults_set(&faults, ON_LINKAT, how == 3 ? 1 : 0, EPERM, true);
		cr_assert_eq(bx_drain_write(drain, bytes, LEN, NULL), BX_OK);
		write_file("g", (const uint8_t *)"new", 3);
		cr_assert_eq(bx_drain_commit(drain, LEN, &fail), BX_ERR_USAGE, "how %d: %s", how,
			     fail.msg);
		cr_assert_str_not_empty(fail.hint);
		bx_drain_close(drain);
		cr_assert(file_is("g", (const uint8_t *)"new", 3));
		cr_assert_eq(scratch_count(), 2);
		unlink("g");

		/* And when it does not come. */
		drain = must_open(&late);
		cr_assert_eq(bx_drain_write(drain, bytes, LEN, NULL), BX_OK);
		cr_assert_eq(bx_drain_commit(drain, LEN, &fail), BX_OK, "how %d", how);
		bx_drain_close(drain);
		cr_assert(file_is("g", bytes, LEN));
		cr_assert_eq(scratch_count(), 2);
		unlink("g");
	}
	free(bytes);
}

Test(drain, symlinks_are_replaced_not_followed)
{
	struct bx_drain_options options = { .path = "link" };
	struct stat st;

	write_file("f", (const uint8_t *)"old", 3);
	for (int dangling = 0; dangling < 2; dangling++) {
		options.force = false;
		cr_assert_eq(symlink(dangling ? "nowhere" : "f", "link"), 0);
		is_refused(&options, BX_ERR_USAGE, EEXIST);
		options.force = true;
		cr_assert_eq(run(&options, (const uint8_t *)"abc", 3, 3, NULL), BX_OK);
		cr_assert(file_is("f", (const uint8_t *)"old", 3));
		cr_assert_eq(access("nowhere", F_OK), -1);
		cr_assert_eq(lstat("link", &st), 0);
		cr_assert(S_ISREG(st.st_mode));
		cr_assert(file_is("link", (const uint8_t *)"abc", 3));
		unlink("link");
	}
}

Test(drain, folders_are_no_targets)
{
	struct bx_drain_options options = { .path = "dir", .force = true };

	cr_assert_eq(mkdir("dir", 0700), 0);
	is_refused(&options, BX_ERR_SYS, EISDIR);
	options.path = "dir/";
	is_refused(&options, BX_ERR_SYS, EISDIR);
	options.path = ".";
	is_refused(&options, BX_ERR_SYS, EISDIR);
	options.path = "/";
	is_refused(&options, BX_ERR_SYS, EISDIR);
	cr_assert_eq(symlink("dir", "link"), 0);
	options.path = "link";
	is_refused(&options, BX_ERR_SYS, EISDIR);
	options.path = "nowhere/f";
	is_refused(&options, BX_ERR_SYS, ENOENT);
	write_file("f", NULL, 0);
	options.path = "f/g";
	is_refused(&options, BX_ERR_SYS, ENOTDIR);
	options.path = "dir/f";
	cr_assert_eq(run(&options, (const uint8_t *)"abc", 3, 3, NULL), BX_OK);
	cr_assert(file_is("dir/f", (const uint8_t *)"abc", 3));
	unlink("dir/f");

	/* As long as a name can be. */
	char name[256];

	memset(name, 'n', 255);
	name[255] = '\0';
	options.path = name;
	cr_assert_eq(run(&options, (const uint8_t *)"abc", 3, 3, NULL), BX_OK);
	cr_assert(file_is(name, (const uint8_t *)"abc", 3));
}

Test(drain, other_filesystem_is_as_good)
{
	uint8_t *bytes = make_bytes(BIG, 3);
	char dir[] = "/dev/shm/bx-test-XXXXXX";
	char path[64];

	if (mkdtemp(dir) == NULL)
		cr_skip_test("no /dev/shm here");
	snprintf(path, sizeof(path), "%s/f", dir);

	struct bx_drain_options options = { .path = path, .size_hint = BIG };
	struct bx_drain *drain = must_open(&options);

	cr_assert(!bx_drain_is_direct(drain), "memory is not written around the cache");
	bx_drain_close(drain);
	cr_assert_eq(run(&options, bytes, BIG, 1 << 20, NULL), BX_OK);
	cr_assert(file_is(path, bytes, BIG));
	unlink(path);
	cr_assert_eq(rmdir(dir), 0, "something was left");
	free(bytes);
}

/* --- streams ------------------------------------------------------------------------------------
 */

Test(drain, devices_are_written_as_they_are)
{
	uint8_t *bytes = make_bytes(LEN, 4);
	struct bx_fail fail = { 0 };

	cr_assert_eq(run(&(struct bx_drain_options){ .path = "/dev/null" }, bytes, LEN, 999, NULL),
		     BX_OK);
	cr_assert_eq(run(&(struct bx_drain_options){ .path = "/dev/full" }, bytes, LEN, LEN, &fail),
		     BX_ERR_SYS);
	cr_assert_eq(fail.sys, ENOSPC);
	is_refused(&(struct bx_drain_options){ .path = "/dev/null", .visible = BX_VISIBLE_PART },
		   BX_ERR_USAGE, 0);
	free(bytes);
}

/* A child that reads `fd` to the end and exits 0 if it was `bytes`. */
static pid_t
expect(int fd, int other, const uint8_t *bytes, size_t len)
{
	pid_t pid = fork();

	if (pid != 0) {
		close(fd);
		return pid;
	}
	close(other);

	uint8_t buf[30000];
	size_t at = 0;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		if ((size_t)n > len - at || memcmp(bytes + at, buf, (size_t)n) != 0)
			_exit(1);
		at += (size_t)n;
	}
	_exit(n == 0 && at == len ? 0 : 2);
}

static int
reap(pid_t pid)
{
	int status = -1;

	cr_assert_eq(waitpid(pid, &status, 0), pid);
	return status;
}

static int saved_stdout = -1;

static void
stdout_is(int fd)
{
	fflush(stdout);
	if (saved_stdout == -1)
		saved_stdout = dup(STDOUT_FILENO);
	dup2(fd, STDOUT_FILENO);
}

static void
stdout_back(void)
{
	dup2(saved_stdout, STDOUT_FILENO);
}

/* Through a pipe or a socket as stdout, with and without a stop that never comes. */
static void
streams(bool socket, bool nonblocking, bool stoppable)
{
	uint8_t *bytes = make_bytes(LEN * 5, 5);
	int ends[2];
	int stop = stoppable ? eventfd(0, EFD_CLOEXEC) : 0;

	if (socket)
		cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	else
		cr_assert_eq(pipe(ends), 0);

	pid_t pid = expect(ends[0], ends[1], bytes, LEN * 5);

	stdout_is(ends[1]);
	close(ends[1]);
	if (nonblocking)
		cr_assert_eq(fcntl(STDOUT_FILENO, F_SETFL, O_NONBLOCK), 0);

	struct bx_fail fail = { 0 };
	struct bx_drain_options options = { .path = "-", .stop_fd = stop };
	enum bx_err err = run(&options, bytes, LEN * 5, LEN * 2, &fail);
	bool left_alone = ((fcntl(STDOUT_FILENO, F_GETFL) & O_NONBLOCK) != 0) == nonblocking;

	stdout_back();
	cr_assert_eq(err, BX_OK, "%s %d", fail.msg, fail.sys);
	cr_assert(left_alone, "the pipe's other users must not find it non-blocking");
	cr_assert_eq(reap(pid), 0);
	if (stop > 0)
		close(stop);
	free(bytes);
}

Test(drain, stdout_may_be_a_pipe_or_a_socket)
{
	for (unsigned i = 0; i < 8; i++)
		streams((i & 1) != 0, (i & 2) != 0, (i & 4) != 0);
}

/* The reader is gone: EPIPE, and for a socket no SIGPIPE even where that would kill. */
Test(drain, reader_that_is_gone_is_epipe)
{
	uint8_t *bytes = make_bytes(LEN, 6);

	for (int socket = 0; socket < 2; socket++) {
		int ends[2];
		struct bx_fail fail = { 0 };
		struct bx_drain_options options = { .path = NULL };

		if (socket)
			cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		else
			cr_assert_eq(pipe(ends), 0);
		(void)signal(SIGPIPE, socket ? SIG_DFL : SIG_IGN);
		stdout_is(ends[1]);
		close(ends[1]);
		close(ends[0]);

		struct bx_drain *drain = must_open(&options);
		enum bx_err err = bx_drain_write(drain, bytes, LEN, &fail);
		enum bx_err later = bx_drain_write(drain, bytes, LEN, NULL);
		enum bx_err commit = bx_drain_commit(drain, LEN, NULL);

		bx_drain_close(drain);
		stdout_back();
		cr_assert_eq(err, BX_ERR_SYS);
		cr_assert_eq(fail.sys, EPIPE);
		cr_assert_eq(later, BX_ERR_SYS);
		cr_assert_eq(commit, BX_ERR_SYS);
	}
	free(bytes);
}

static void *
stop_soon(void *arg)
{
	uint64_t one = 1;

	usleep(50000);
	(void)!write(*(int *)arg, &one, sizeof(one));
	return NULL;
}

/* A pipe that nobody reads holds a write up until the stop. */
Test(drain, stop_ends_a_wait)
{
	uint8_t *bytes = make_bytes((size_t)4 << 20, 7);

	for (int how = 0; how < 4; how++) {
		int ends[2];
		int stop = eventfd(0, EFD_CLOEXEC);
		pthread_t thread;
		struct faults faults;
		struct bx_fail fail = { 0 };
		struct bx_drain_options options = {
			.path = "-", .stop_fd = stop, .zst = how == 2, .calls = &faults.calls
		};

		faults_init(&faults);
		/* The pipe cannot be had non-blocking: pieces that surely fit. */
		if (how == 3)
			faults_set(&faults, ON_OPENAT, 1, EACCES, true);
		if (how == 1)
			cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
		else
			cr_assert_eq(pipe(ends), 0);
		if (how == 1)
			options.calls = NULL; /* the hook knows only write() */
		stdout_is(ends[1]);
		close(ends[1]);

		struct bx_drain *drain = must_open(&options);

		cr_assert_eq(pthread_create(&thread, NULL, stop_soon, &stop), 0);

		enum bx_err err = bx_drain_write(drain, bytes, (size_t)4 << 20, &fail);
		enum bx_err later = bx_drain_commit(drain, (size_t)4 << 20, NULL);

		bx_drain_close(drain);
		stdout_back();
		pthread_join(thread, NULL);
		cr_assert_eq(err, BX_ERR_INTERRUPTED, "how %d", how);
		cr_assert_eq(later, BX_ERR_INTERRUPTED);
		close(stop);
		close(ends[0]);
	}
	free(bytes);
}

Test(drain, fifo_waits_for_its_reader)
{
	uint8_t *bytes = make_bytes(LEN, 8);
	struct bx_drain_options options = { .path = "fifo" };

	cr_assert_eq(mkfifo("fifo", 0600), 0);

	pid_t pid = fork();

	if (pid == 0) {
		usleep(30000);

		int fd = open("fifo", O_RDONLY);
		uint8_t buf[5000];
		size_t at = 0;
		ssize_t n;

		while ((n = read(fd, buf, sizeof(buf))) > 0) {
			if (memcmp(buf, bytes + at, (size_t)n) != 0)
				_exit(1);
			at += (size_t)n;
		}
		_exit(at == LEN ? 0 : 2);
	}
	cr_assert_eq(run(&options, bytes, LEN, 70000, NULL), BX_OK);
	cr_assert_eq(reap(pid), 0);
	cr_assert_eq(scratch_count(), 1);

	/* None comes. */
	int stop = eventfd(0, EFD_CLOEXEC);
	pthread_t thread;

	options.stop_fd = stop;
	cr_assert_eq(pthread_create(&thread, NULL, stop_soon, &stop), 0);
	is_refused(&options, BX_ERR_INTERRUPTED, ECANCELED);
	pthread_join(thread, NULL);
	close(stop);
	free(bytes);
}

Test(drain, closed_stdout_is_an_error)
{
	stdout_is(STDOUT_FILENO);
	close(STDOUT_FILENO);

	struct bx_drain *drain = NULL;
	struct bx_fail fail = { 0 };
	enum bx_err err = bx_drain_open(&drain, &(struct bx_drain_options){ .path = "-" }, &fail);

	stdout_back();
	cr_assert_eq(err, BX_ERR_SYS);
	cr_assert_eq(fail.sys, EBADF);
}

/* --- stdout that is a file
 * ------------------------------------------------------------------------ */

/* Stdout is "f", which holds "head"; how it is opened and where it stands. */
static struct bx_drain *
open_stdout_file(int flags, off_t at, uint64_t hint)
{
	write_file("f", (const uint8_t *)"head", 4);

	int fd = open("f", O_RDWR | flags);

	stdout_is(fd);
	close(fd);
	(void)lseek(STDOUT_FILENO, at, SEEK_SET);

	struct bx_drain *drain = NULL;
	struct bx_drain_options options = { .path = "-", .size_hint = hint };

	if (bx_drain_open(&drain, &options, NULL) != BX_OK) {
		stdout_back();
		cr_assert_fail("stdout cannot be opened");
	}
	return drain;
}

Test(drain, stdout_file_is_placed_from_its_offset)
{
	uint8_t *bytes = make_bytes(BIG, 9);
	uint8_t *want = malloc(BIG + 8);
	static const uint64_t hints[] = { 0, BIG };

	memcpy(want, "head", 4);
	memcpy(want + 4, bytes, BIG);
	memcpy(want + 4 + BIG, "tail", 4);
	for (int i = 0; i < 2; i++) {
		struct bx_drain *drain = open_stdout_file(0, 4, hints[i]);
		bool placed = bx_drain_is_placed(drain);
		size_t half = BIG / 2 + 77;
		enum bx_err err = bx_drain_place(drain, bytes + half, BIG - half, half, NULL);

		if (err == BX_OK)
			err = bx_drain_place(drain, bytes, half, 0, NULL);
		if (err == BX_OK)
			err = bx_drain_commit(drain, BIG, NULL);
		bx_drain_close(drain);

		/* Who writes next writes behind us. */
		ssize_t n = write(STDOUT_FILENO, "tail", 4);

		stdout_back();
		cr_assert(placed);
		cr_assert_eq(err, BX_OK);
		cr_assert_eq(n, 4);
		cr_assert(file_is("f", want, BIG + 8));

		/* Given up: what was there before is left, and nothing else. */
		drain = open_stdout_file(0, 4, hints[i]);
		err = bx_drain_place(drain, bytes + half, BIG - half, half, NULL);
		bx_drain_close(drain);
		stdout_back();
		cr_assert_eq(err, BX_OK);
		cr_assert(file_is("f", (const uint8_t *)"head", 4));
	}
	free(bytes);
	free(want);
}

Test(drain, stdout_file_is_ordered_where_offsets_do_not_hold)
{
	uint8_t want[8] = "headabcd";

	/* O_APPEND: offsets are ignored. */
	struct bx_drain *drain = open_stdout_file(O_APPEND, 0, 100);
	bool placed = bx_drain_is_placed(drain);
	enum bx_err err = write_pieces(drain, (const uint8_t *)"abcd", 4, 1, NULL);

	if (err == BX_OK)
		err = bx_drain_commit(drain, 4, NULL);
	bx_drain_close(drain);
	stdout_back();
	cr_assert(!placed);
	cr_assert_eq(err, BX_OK);
	cr_assert(file_is("f", want, 8));

	/* Bytes behind the offset: overwritten as far as ours go, and not cut. */
	drain = open_stdout_file(0, 1, 100);
	placed = bx_drain_is_placed(drain);
	err = write_pieces(drain, (const uint8_t *)"AB", 2, 1, NULL);
	if (err == BX_OK)
		err = bx_drain_commit(drain, 2, NULL);
	bx_drain_close(drain);
	stdout_back();
	cr_assert(!placed);
	cr_assert_eq(err, BX_OK);
	cr_assert(file_is("f", (const uint8_t *)"hABd", 4));

	/* Shared with stderr, whose words go to the same offset. */
	int saved = dup(STDERR_FILENO);

	write_file("f", NULL, 0);

	int fd = open("f", O_RDWR);

	stdout_is(fd);
	dup2(fd, STDERR_FILENO);
	close(fd);
	err = bx_drain_open(&drain, &(struct bx_drain_options){ .path = "/dev/stdout" }, NULL);
	placed = err == BX_OK && bx_drain_is_placed(drain);
	if (err == BX_OK)
		err = write_pieces(drain, (const uint8_t *)"ab", 2, 2, NULL);
	(void)!write(STDERR_FILENO, "!", 1);
	if (err == BX_OK)
		err = write_pieces(drain, (const uint8_t *)"cd", 2, 2, NULL);
	if (err == BX_OK)
		err = bx_drain_commit(drain, 4, NULL);
	bx_drain_close(drain);
	dup2(saved, STDERR_FILENO);
	stdout_back();
	cr_assert_eq(err, BX_OK);
	cr_assert(!placed);
	cr_assert(file_is("f", (const uint8_t *)"ab!cd", 5));
}

/* --- placing ------------------------------------------------------------------------------------
 */

#define PLACERS 4u
#define REGIONS 400u

/* What the threads share: regions of random sizes, taken in turn. */
struct placing {
	struct bx_drain *drain;
	const struct bx_io_calls *calls;
	const uint8_t *bytes;
	size_t starts[REGIONS + 1];
	_Atomic unsigned next;
	bool lanes;
	bool phased;
	bool has_room;
	enum bx_io_mode mode;
	enum bx_err errs[PLACERS];
};

/* Sizes that meet every case: less than a block, exactly blocks, and many of them. */
static void
cut_regions(struct placing *p, size_t len, unsigned seed)
{
	size_t at = 0;

	for (unsigned i = 0; i < REGIONS; i++) {
		static const size_t most[] = { 20, 5000, 4096, 20000, 150000 };
		size_t n = (size_t)rand_r(&seed) % most[rand_r(&seed) % 5];

		if (rand_r(&seed) % 4 == 0)
			n = n / 4096 * 4096;
		p->starts[i] = at;
		at = at + n < len ? at + n : len;
	}
	p->starts[REGIONS] = len;
}

struct placer {
	struct placing *p;
	unsigned index;
};

/* Guard bytes around a region: nothing may be written there without room. */
#define ROOM 4096u

static enum bx_err
place_by_lane(struct placing *p, struct bx_lane *lane, uint8_t *slab, unsigned id, unsigned region)
{
	size_t at = p->starts[region];
	size_t len = p->starts[region + 1] - at;
	size_t phase = p->phased ? bx_drain_phase(p->drain, at) : 33;
	uint8_t *buf = slab + ROOM + phase;
	size_t done = SIZE_MAX;
	struct bx_fail fail = { 0 };

	memset(slab, 0xee, ROOM + phase);
	memcpy(buf, p->bytes + at, len);
	memset(buf + len, 0xee, ROOM);

	enum bx_err err =
	    bx_drain_place_lane(p->drain, lane, id, buf, p->has_room ? ROOM : 0, len, at, &fail);

	if (err == BX_OK)
		err = bx_lane_wait(lane, id, &done, &fail);
	if (err != BX_OK)
		return err;
	cr_assert_eq(done, len);
	cr_assert_eq(memcmp(buf, p->bytes + at, len), 0);
	for (size_t i = 0; i < ROOM && !p->has_room; i++)
		cr_assert(slab[phase + i] == 0xee && buf[len + i] == 0xee);
	return BX_OK;
}

static void *
placer_run(void *arg)
{
	struct placer *placer = arg;
	struct placing *p = placer->p;
	size_t most = 0;
	struct bx_lane *lane;

	for (unsigned i = 0; i < REGIONS; i++) {
		size_t len = p->starts[i + 1] - p->starts[i];

		most = len > most ? len : most;
	}

	uint8_t *slab = aligned_alloc(4096, (most + 5 * ROOM) / ROOM * ROOM);

	cr_assert_eq(bx_lane_new(&lane, p->mode, 2, p->calls, NULL), BX_OK);
	for (;;) {
		/* Pairs in reverse: whoever comes second is sometimes the one in front. */
		unsigned n = atomic_fetch_add(&p->next, 1);

		if (n >= REGIONS)
			break;

		unsigned region = n ^ 1;
		size_t at = p->starts[region];
		enum bx_err err;

		if (p->lanes)
			err = place_by_lane(p, lane, slab, n % 2, region);
		else
			err = bx_drain_place(p->drain, p->bytes + at, p->starts[region + 1] - at,
					     at, NULL);
		if (err != BX_OK)
			p->errs[placer->index] = err;
	}
	bx_lane_free(lane);
	free(slab);
	return NULL;
}

static enum bx_err
place_in_threads(struct placing *p)
{
	pthread_t threads[PLACERS];
	struct placer placers[PLACERS];

	p->next = 0;
	for (unsigned i = 0; i < PLACERS; i++) {
		placers[i] = (struct placer){ p, i };
		p->errs[i] = BX_OK;
		cr_assert_eq(pthread_create(&threads[i], NULL, placer_run, &placers[i]), 0);
	}
	for (unsigned i = 0; i < PLACERS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned i = 0; i < PLACERS; i++) {
		if (p->errs[i] != BX_OK)
			return p->errs[i];
	}
	return BX_OK;
}

/* hint: 0 not known, 1 too small to be direct, else direct. */
static void
places(struct placing *p, uint64_t hint, struct faults *faults, unsigned seed)
{
	size_t len = BIG + 12345 + seed;
	uint8_t *bytes = make_bytes(len, seed);
	struct bx_drain_options options = {
		.path = "f", .force = true, .size_hint = hint, .calls = p->calls
	};

	p->bytes = bytes;
	p->drain = must_open(&options);
	cut_regions(p, len, seed);
	if (faults == NULL || !faults->no_direct)
		cr_assert_eq(bx_drain_is_direct(p->drain), hint != 1);
	cr_assert_eq(place_in_threads(p), BX_OK);
	cr_assert_eq(bx_drain_commit(p->drain, len, NULL), BX_OK);
	bx_drain_close(p->drain);
	cr_assert(file_is("f", bytes, len));
	cr_assert_eq(scratch_count(), 1);
	free(bytes);
}

Test(drain, regions_from_threads_make_one_file)
{
	static const uint64_t hints[] = { 1, 0, BIG, 3 * BIG };

	for (unsigned i = 0; i < 4; i++) {
		for (unsigned how = 0; how < 6; how++) {
			struct placing p = {
				.lanes = how > 0,
				.phased = how != 2,
				.has_room = how >= 4,
				.mode = how % 2 == 0 ? BX_IO_AUTO : BX_IO_SYNC,
			};

			places(&p, hints[i], NULL, 100 * i + how);
		}
	}
}

/* With completions that are short, late, or refused as O_DIRECT sometimes does. */
Test(drain, regions_survive_what_passes)
{
	static const int kinds[] = { FAULT_SHORT, FAULT_HOLD, EINVAL, EINTR };
	struct faults faults;

	faults_init(&faults);
	for (unsigned i = 0; i < 4; i++) {
		struct placing p = { .calls = &faults.calls,
				     .lanes = true,
				     .phased = true,
				     .has_room = true,
				     .mode = BX_IO_AUTO };

		faults_set(&faults, ON_COMPLETED, 1, kinds[i], kinds[i] != EINTR);
		places(&p, BIG, &faults, 50 + i);
		p.mode = BX_IO_SYNC;
		faults_set(&faults, ON_PWRITE, 20, kinds[i] > 0 ? kinds[i] : FAULT_SHORT, false);
		places(&p, BIG, &faults, 60 + i);
		p.lanes = false;
		faults_set(&faults, ON_PWRITE, 20, kinds[i] > 0 ? kinds[i] : FAULT_SHORT, false);
		places(&p, BIG, &faults, 70 + i);
	}

	/* Neither O_DIRECT nor allocation is needed. */
	struct placing p = { .calls = &faults.calls, .lanes = true, .phased = true };

	faults_set(&faults, ON_FALLOCATE, 1, EOPNOTSUPP, true);
	faults.no_direct = true;
	places(&p, BIG, &faults, 80);
	faults_set(&faults, ON_FALLOCATE, 1, ENOSPC, true);
	faults.no_direct = false;
	places(&p, 0, &faults, 81);
	faults.no_direct = true;
	faults_set(&faults, ON_FALLOCATE, 1, ENOSPC, true);
	places(&p, BIG, &faults, 82);
}

/* One that fails is enough: the file does not appear. */
Test(drain, one_failed_region_spends_the_drain)
{
	struct faults faults;
	uint8_t *bytes = make_bytes(BIG, 20);
	enum bx_io_mode mode[] = { BX_IO_AUTO, BX_IO_SYNC, BX_IO_SYNC };

	faults_init(&faults);
	for (unsigned how = 0; how < 3; how++) {
		struct bx_drain_options options = { .path = "f",
						    .size_hint = BIG,
						    .calls = &faults.calls };
		struct placing p = { .calls = &faults.calls,
				     .bytes = bytes,
				     .lanes = how < 2,
				     .phased = true,
				     .mode = mode[how] };
		struct bx_fail fail = { 0 };

		p.drain = must_open(&options);
		cut_regions(&p, BIG, how);
		faults_set(&faults, how == 0 ? ON_COMPLETED : ON_PWRITE, 30, ENOSPC, false);
		cr_assert_eq(place_in_threads(&p), BX_ERR_SYS);
		cr_assert_eq(bx_drain_place(p.drain, bytes, 10, 0, NULL), BX_ERR_SYS);
		cr_assert_eq(bx_drain_commit(p.drain, BIG, &fail), BX_ERR_SYS);
		cr_assert_eq(fail.sys, ENOSPC);
		bx_drain_close(p.drain);
		cr_assert_eq(scratch_count(), 0);
	}
	free(bytes);
}

/* Bytes of a block from three sides, in every order; then alone at the end of the file. */
Test(drain, edges_come_together_in_any_order)
{
	static const unsigned orders[6][3] = { { 0, 1, 2 }, { 0, 2, 1 }, { 1, 0, 2 },
					       { 1, 2, 0 }, { 2, 0, 1 }, { 2, 1, 0 } };
	static const size_t cuts[4] = { 0, 100, 1000, 4096 };
	uint8_t *bytes = make_bytes(4096, 21);

	for (int i = 0; i < 12; i++) {
		struct bx_edges *edges;
		enum bx_edge_found found = BX_EDGE_LEFT;
		uint8_t *block = NULL;
		uint8_t *around = malloc(3 * 4096);
		bool has_room = i >= 6;

		cr_assert_eq(bx_edges_new(&edges, NULL), BX_OK);
		for (int j = 0; j < 3; j++) {
			unsigned k = orders[i % 6][j];
			struct bx_edge_part part = { 8192, cuts[k], cuts[k + 1] - cuts[k],
						     around + 4096 + cuts[k] };

			cr_assert_eq(found, BX_EDGE_LEFT);
			memset(around, 0, 3 * 4096);
			memcpy(part.bytes, bytes + part.skip, part.len);
			cr_assert_eq(bx_edges_bring(edges, &found, &block, &part, has_room, NULL),
				     BX_OK);
		}
		cr_assert_eq(found, has_room ? BX_EDGE_FILLED : BX_EDGE_COMPLETE);
		cr_assert_eq(memcmp(has_room ? around + 4096 : block, bytes, 4096), 0);
		free(block);
		free(around);
		bx_edges_free(edges);
	}
	free(bytes);
}

/* --- zstd ---------------------------------------------------------------------------------------
 */

Test(drain, zstd_depends_on_the_bytes_only)
{
	uint8_t *bytes = make_bytes(LEN * 3, 22);
	static const size_t pieces[] = { LEN * 3, 1, 1000, 131072, 131073, 262144, 77777 };
	uint8_t *first = NULL;
	size_t first_len = 0;

	/* Something to compress, too. */
	for (size_t i = 0; i < LEN; i++)
		bytes[i] = (uint8_t)("wamp"[i % 4] + (i / 1000) % 3);
	for (size_t i = 0; i < sizeof(pieces) / sizeof(pieces[0]); i++) {
		struct bx_drain_options options = { .path = "f.zst", .zst = true, .force = true };
		size_t len;

		cr_assert_eq(run(&options, bytes, LEN * 3, pieces[i], NULL), BX_OK);

		uint8_t *got = read_file("f.zst", &len);

		if (first == NULL) {
			first = got;
			first_len = len;
			continue;
		}
		cr_assert(len == first_len && memcmp(got, first, len) == 0, "pieces of %zu",
			  pieces[i]);
		free(got);
	}

	struct bx_source *source;
	uint8_t *got = malloc(LEN * 4);
	size_t at = 0;

	cr_assert_eq(bx_source_open(&source, &(struct bx_source_options){ .path = "f.zst" }, NULL),
		     BX_OK);
	cr_assert(bx_source_is_zst(source));
	for (size_t n = 1; n > 0; at += n)
		cr_assert_eq(bx_source_read(source, got + at, LEN * 4 - at, &n, NULL), BX_OK);
	cr_assert(at == LEN * 3 && memcmp(got, bytes, at) == 0);
	cr_assert_lt(first_len, at);
	bx_source_close(source);

	struct bx_drain *drain =
	    must_open(&(struct bx_drain_options){ .path = "g.zst", .zst = true, .size_hint = BIG });

	cr_assert(!bx_drain_is_placed(drain));
	bx_drain_close(drain);
	free(got);
	free(first);
	free(bytes);
}

/* --- faults -------------------------------------------------------------------------------------
 */

enum way { WAY_PLAIN, WAY_ZST, WAY_DIRECT, WAY_UNKNOWN, WAY_NAMED, WAY_FAT, WAY_COUNT };

static const struct {
	int fault;
	bool persistent;
} fault_kinds[] = {
	{ EIO, false },   { EIO, true },    { ENOSPC, false },     { ENOSPC, true },
	{ EDQUOT, true }, { EINTR, false }, { EINTR, true },       { EAGAIN, false },
	{ EINVAL, true }, { EACCES, true }, { FAULT_SHORT, true },
};

/*
 * One call fails. Then either nothing has gone wrong, and the file is right; or there is an error,
 * and the target is as it was (or, replaced, is complete), and nothing else lies about.
 */
static void
faults_everywhere(enum way way, bool force)
{
	/* A size that is not known turns direct late: few kinds, for each writes all that. */
	size_t len = way == WAY_UNKNOWN ? BIG : way == WAY_DIRECT ? 200000 : 30000;
	size_t kinds = way == WAY_UNKNOWN ? 3 : sizeof(fault_kinds) / sizeof(fault_kinds[0]);
	uint8_t *bytes = make_bytes(len, 23);
	struct faults faults;
	unsigned fired = 0;
	struct bx_drain_options options = { .path = "f",
					    .force = force,
					    .zst = way == WAY_ZST,
					    .size_hint = way == WAY_DIRECT ? BIG : 0,
					    .calls = &faults.calls };

	faults_init(&faults);
	faults.no_tmpfile = way == WAY_NAMED || way == WAY_FAT;
	faults.no_flags = way == WAY_FAT;
	for (int on = 0; on < ON_COUNT; on++) {
		for (size_t k = 0; k < kinds; k++) {
			for (unsigned nth = 1;; nth++) {
				struct bx_fail fail = { 0 };
				int fault = fault_kinds[k].fault;

				if (force)
					write_file("f", (const uint8_t *)"old", 3);
				faults_set(&faults, (enum fault_call)on, nth, fault,
					   fault_kinds[k].persistent);

				enum bx_err err = run(&options, bytes, len, len / 3 + 1, &fail);
				bool there = access("f", F_OK) == 0;

				if (err == BX_OK) {
					cr_assert(there);
					cr_assert(way == WAY_ZST || file_is("f", bytes, len));
				} else {
					cr_assert_gt(faults.fired, 0, "%s", fail.msg);
					cr_assert_eq(fail.code, err);
					cr_assert_str_not_empty(fail.msg);
					cr_assert_eq(there, force, "%s %d at %u", fault_names[on],
						     fault, nth);
					if (force && !file_is("f", (const uint8_t *)"old", 3))
						cr_assert(way == WAY_ZST ||
							  file_is("f", bytes, len));
				}
				cr_assert_eq(scratch_count(), there ? 1 : 0,
					     "%s %d at %u leaves something", fault_names[on], fault,
					     nth);
				/* What is lost at a sync does not come back by syncing again. */
				if (on == ON_FSYNC && nth == 1 && fault > 0) {
					cr_assert_eq(err, BX_ERR_SYS);
					cr_assert_eq(faults.seen[ON_FSYNC], 1);
				}
				unlink("f");
				fired += faults.fired > 0;
				if (faults.fired == 0)
					break;
			}
		}
	}
	cr_assert_gt(fired, kinds * 4);
	free(bytes);
}

Test(drain, faults_of_a_plain_file)
{
	faults_everywhere(WAY_PLAIN, false);
	faults_everywhere(WAY_PLAIN, true);
}

Test(drain, faults_of_a_zstd_file)
{
	faults_everywhere(WAY_ZST, false);
	faults_everywhere(WAY_ZST, true);
}

Test(drain, faults_of_a_direct_file)
{
	faults_everywhere(WAY_DIRECT, false);
}

Test(drain, faults_of_a_file_of_unknown_size)
{
	faults_everywhere(WAY_UNKNOWN, true);
}

Test(drain, faults_of_a_file_with_a_temporary_name)
{
	faults_everywhere(WAY_NAMED, false);
	faults_everywhere(WAY_NAMED, true);
	faults_everywhere(WAY_FAT, false);
	faults_everywhere(WAY_FAT, true);
}

Test(drain, faults_of_a_pipe)
{
	uint8_t *bytes = make_bytes(LEN, 24);
	static const int errs[] = { EINTR, EAGAIN, FAULT_SHORT, EIO, EPIPE };

	for (size_t k = 0; k < 5; k++) {
		for (unsigned nth = 1;; nth++) {
			struct faults faults;
			struct bx_fail fail = { 0 };
			int ends[2];
			struct bx_drain_options options = { .path = "-", .calls = &faults.calls };

			faults_init(&faults);
			faults.max_piece = 30000;
			faults_set(&faults, ON_WRITE, nth, errs[k], false);
			cr_assert_eq(pipe(ends), 0);

			pid_t pid = expect(ends[0], ends[1], bytes, LEN);

			stdout_is(ends[1]);
			close(ends[1]);

			enum bx_err err = run(&options, bytes, LEN, LEN, &fail);

			stdout_back();

			bool whole = reap(pid) == 0;
			bool passes = faults.fired == 0 || errs[k] == EINTR || errs[k] == EAGAIN ||
				      errs[k] == FAULT_SHORT;

			cr_assert_eq(err, passes ? BX_OK : BX_ERR_SYS);
			cr_assert_eq(whole, passes);
			if (!passes)
				cr_assert_eq(fail.sys, errs[k]);
			if (faults.fired == 0) {
				cr_assert_gt(nth, 5);
				break;
			}
		}
	}
	free(bytes);
}

Test(drain, file_size_limit_leaves_nothing)
{
	uint8_t *bytes = make_bytes(BIG, 25);
	struct rlimit small = { 1 << 20, 1 << 20 };
	static const uint64_t hints[] = { 0, 1, BIG };

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (int i = 0; i < 3; i++) {
		struct bx_drain_options options = { .path = "f", .size_hint = hints[i] };
		struct bx_fail fail = { 0 };

		cr_assert_eq(run(&options, bytes, BIG, 1 << 18, &fail), BX_ERR_SYS);
		cr_assert_eq(fail.sys, EFBIG);
		cr_assert_eq(scratch_count(), 0);
	}
	free(bytes);
}

/* A filesystem of 1 MiB, where this test may make one. */
Test(drain, full_filesystem_leaves_nothing)
{
	uint8_t *bytes = make_bytes(LEN * 20, 26);

	cr_assert_eq(mkdir("small", 0700), 0);
	if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
	    mount("small", "small", "tmpfs", 0, "size=1m") != 0)
		cr_skip_test("may not mount");
	write_file("small/old", (const uint8_t *)"old", 3);
	for (int zst = 0; zst < 2; zst++) {
		struct bx_drain_options options = { .path = "small/f", .zst = zst == 1 };
		struct bx_fail fail = { 0 };

		cr_assert_eq(run(&options, bytes, LEN * 20, LEN, &fail), BX_ERR_SYS);
		cr_assert_eq(fail.sys, ENOSPC);
		cr_assert_eq(access("small/f", F_OK), -1);
		options.path = "small/old";
		options.force = true;
		cr_assert_eq(run(&options, bytes, LEN * 20, LEN, NULL), BX_ERR_SYS);
		cr_assert(file_is("small/old", (const uint8_t *)"old", 3));
	}
	cr_assert_eq(chdir("small"), 0);

	unsigned left = scratch_count();

	cr_assert_eq(chdir(".."), 0);
	cr_assert_eq(left, 1);
	cr_assert_eq(umount("small"), 0);
	free(bytes);
}

/* --- files that are seen before the end
 * ------------------------------------------------------------ */

Test(drain, part_survives_and_goes_on)
{
	uint8_t *bytes = make_bytes(BIG * 2, 27);
	static const uint64_t hints[] = { 1, 0, BIG * 2 };
	size_t kept = BIG + 4321;

	for (int i = 0; i < 3; i++) {
		struct bx_drain_options options = { .path = "f",
						    .visible = BX_VISIBLE_PART,
						    .size_hint = hints[i] };
		struct bx_drain *drain = must_open(&options);

		cr_assert_eq(mode_of("f.part"), 0600);
		cr_assert_eq(bx_drain_write(drain, bytes, kept, NULL), BX_OK);
		cr_assert_eq(bx_drain_checkpoint(drain, kept, NULL), BX_OK);
		cr_assert_eq(bx_drain_write(drain, bytes + kept, 100, NULL), BX_OK);

		/* Two at once would spoil each other. */
		struct bx_drain_options resume = { .path = "f",
						   .visible = BX_VISIBLE_PART_RESUME,
						   .resume_at = kept,
						   .size_hint = hints[i] };

		is_refused(&resume, BX_ERR_USAGE, EWOULDBLOCK);
		bx_drain_close(drain);
		cr_assert_eq(access("f", F_OK), -1);

		size_t len;
		uint8_t *got = read_file("f.part", &len);

		cr_assert_geq(len, kept);
		cr_assert_eq(memcmp(got, bytes, kept), 0);
		free(got);
		is_refused(&options, BX_ERR_USAGE, EEXIST);

		/* Going on by writing and by placing. */
		drain = must_open(&resume);

		struct stat st;

		cr_assert_eq(fstat(bx_drain_fd(drain), &st), 0);
		cr_assert_geq(st.st_size, (off_t)kept);
		cr_assert_eq(bx_drain_write(drain, bytes + kept, 5000, NULL), BX_OK);
		cr_assert_eq(bx_drain_place(drain, bytes + kept + 5000, BIG * 2 - kept - 5000,
					    kept + 5000, NULL),
			     BX_OK);
		cr_assert_eq(bx_drain_commit(drain, BIG * 2, NULL), BX_OK);
		bx_drain_close(drain);
		cr_assert(file_is("f", bytes, BIG * 2));
		cr_assert_eq(access("f.part", F_OK), -1);
		cr_assert_eq(scratch_count(), 1);
		unlink("f");
	}

	/* Shorter than the state says; no file; not ours to cut. */
	struct bx_drain_options resume = { .path = "f",
					   .visible = BX_VISIBLE_PART_RESUME,
					   .resume_at = 10 };

	is_refused(&resume, BX_ERR_SYS, ENOENT);
	write_file("f.part", bytes, 9);
	is_refused(&resume, BX_ERR_USAGE, 0);
	cr_assert(file_is("f.part", bytes, 9));
	cr_assert_eq(link("f.part", "g"), 0);
	resume.resume_at = 5;
	is_refused(&resume, BX_ERR_USAGE, 0);
	unlink("g");
	cr_assert_eq(bx_drain_discard_part("f", NULL), BX_OK);
	cr_assert_eq(bx_drain_discard_part("f", NULL), BX_OK);
	cr_assert_eq(scratch_count(), 0);
	write_file("g", bytes, 9);
	cr_assert_eq(symlink("g", "f.part"), 0);
	is_refused(&resume, BX_ERR_SYS, ELOOP);
	cr_assert(file_is("g", bytes, 9));
	free(bytes);
}

Test(drain, part_wants_force_for_its_target_and_no_zstd)
{
	struct bx_drain_options options = { .path = "f", .visible = BX_VISIBLE_PART };

	write_file("f", (const uint8_t *)"old", 3);
	is_refused(&options, BX_ERR_USAGE, EEXIST);
	cr_assert_eq(scratch_count(), 1);
	options.force = true;
	cr_assert_eq(run(&options, (const uint8_t *)"abc", 3, 1, NULL), BX_OK);
	cr_assert(file_is("f", (const uint8_t *)"abc", 3));
	cr_assert_eq(scratch_count(), 1);
	options.zst = true;
	is_refused(&options, BX_ERR_USAGE, 0);
	options.zst = false;
	options.path = "-";
	is_refused(&options, BX_ERR_USAGE, 0);
}

Test(drain, part_is_kept_when_a_sync_fails)
{
	struct faults faults;
	struct bx_drain_options options = { .path = "f",
					    .visible = BX_VISIBLE_PART,
					    .calls = &faults.calls };

	faults_init(&faults);
	for (unsigned nth = 1; nth <= 3; nth++) {
		struct bx_drain *drain = must_open(&options);
		struct bx_fail fail = { 0 };

		cr_assert_eq(bx_drain_write(drain, (const uint8_t *)"abc", 3, NULL), BX_OK);
		faults_set(&faults, nth == 3 ? ON_FDATASYNC : ON_FSYNC, nth == 3 ? 1 : nth, EIO,
			   false);
		if (nth == 3) {
			/* After a checkpoint that failed nothing is promised any more. */
			cr_assert_eq(bx_drain_checkpoint(drain, 3, &fail), BX_ERR_SYS);
			cr_assert_eq(bx_drain_checkpoint(drain, 3, NULL), BX_ERR_SYS);
			cr_assert_eq(faults.seen[ON_FDATASYNC], 1);
		}
		cr_assert_eq(bx_drain_commit(drain, 3, &fail), BX_ERR_SYS);
		cr_assert_eq(fail.sys, EIO);
		bx_drain_close(drain);
		cr_assert(file_is("f.part", (const uint8_t *)"abc", 3));
		cr_assert_eq(scratch_count(), 1);
		cr_assert_eq(bx_drain_discard_part("f", NULL), BX_OK);
	}
}

Test(drain, live_file_is_there_from_the_start)
{
	uint8_t *bytes = make_bytes(LEN, 28);
	struct bx_drain_options options = { .path = "f", .visible = BX_VISIBLE_LIVE };
	struct bx_drain *drain = must_open(&options);

	cr_assert_eq(bx_drain_write(drain, bytes, 1000, NULL), BX_OK);
	cr_assert_eq(bx_drain_checkpoint(drain, 1000, NULL), BX_OK);
	cr_assert(file_is("f", bytes, 1000));

	struct bx_drain_options resume = { .path = "f",
					   .visible = BX_VISIBLE_LIVE_RESUME,
					   .resume_at = 500 };

	is_refused(&resume, BX_ERR_USAGE, EWOULDBLOCK);
	bx_drain_close(drain);
	cr_assert(file_is("f", bytes, 1000));
	is_refused(&options, BX_ERR_USAGE, EEXIST);
	drain = must_open(&resume);
	cr_assert(file_is("f", bytes, 500));
	cr_assert_eq(bx_drain_write(drain, bytes + 500, LEN - 500, NULL), BX_OK);
	cr_assert_eq(bx_drain_commit(drain, LEN, NULL), BX_OK);
	bx_drain_close(drain);
	cr_assert(file_is("f", bytes, LEN));

	/* By force: a new file in place of the old, which whoever reads it keeps. */
	int old = open("f", O_RDONLY);
	struct stat st;

	options.force = true;
	drain = must_open(&options);
	cr_assert(file_is("f", bytes, 0));
	cr_assert_eq(fstat(old, &st), 0);
	cr_assert_eq(st.st_size, (off_t)LEN);
	cr_assert_eq(bx_drain_write(drain, bytes, 10, NULL), BX_OK);
	cr_assert_eq(bx_drain_commit(drain, 10, NULL), BX_OK);
	bx_drain_close(drain);
	cr_assert(file_is("f", bytes, 10));
	cr_assert_eq(scratch_count(), 1);
	close(old);
	free(bytes);
}
