/* Lanes: the same bytes by ring and by plain calls, whatever the kernel says in between. */
#include <criterion/criterion.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "io/lane.h"
#include "io_faults.h"

TestSuite(lane, .init = scratch_enter, .fini = scratch_leave);

#define FILE_LEN ((size_t)300 * 1000)
#define DEPTH 4u
#define CHUNK ((size_t)32 << 10)

static bool
have_ring(void)
{
	struct bx_lane *lane;
	bool have = bx_lane_new(&lane, BX_IO_URING, 1, NULL, NULL) == BX_OK;

	if (have)
		bx_lane_free(lane);
	return have;
}

/* SYNC, and URING where this machine has it. */
static unsigned
modes(enum bx_io_mode mode[2])
{
	mode[0] = BX_IO_SYNC;
	mode[1] = BX_IO_URING;
	return have_ring() ? 2 : 1;
}

static struct bx_lane *
new_lane(enum bx_io_mode mode, const struct bx_io_calls *calls)
{
	struct bx_lane *lane;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_lane_new(&lane, mode, DEPTH, calls, &fail), BX_OK, "%s", fail.msg);
	cr_assert_eq(bx_lane_is_uring(lane), mode == BX_IO_URING);
	return lane;
}

/* Reads all of `fd` in chunks, DEPTH at a time, and waits for them backwards. */
static enum bx_err
read_all(struct bx_lane *lane, int fd, uint8_t *out, size_t *out_len, struct bx_fail *fail)
{
	uint8_t *bufs = aligned_alloc(4096, DEPTH * CHUNK);
	uint64_t at = 0;
	enum bx_err first = BX_OK;

	*out_len = 0;
	for (bool ended = false; !ended && first == BX_OK; at += DEPTH * CHUNK) {
		size_t got[DEPTH] = { 0 };

		for (unsigned id = 0; id < DEPTH; id++)
			cr_assert_eq(bx_lane_read(lane, id, fd, bufs + id * CHUNK, CHUNK,
						  at + id * CHUNK, fail),
				     BX_OK);
		for (unsigned id = DEPTH; id-- > 0;) {
			enum bx_err err = bx_lane_wait(lane, id, &got[id], fail);

			if (first == BX_OK)
				first = err;
		}
		for (unsigned id = 0; id < DEPTH && first == BX_OK; id++) {
			cr_assert(!ended || got[id] == 0, "bytes after the end");
			memcpy(out + *out_len, bufs + id * CHUNK, got[id]);
			*out_len += got[id];
			ended = ended || got[id] < CHUNK;
		}
	}
	free(bufs);
	return first;
}

/* Writes `bytes` in chunks, DEPTH at a time, and waits for them backwards. */
static enum bx_err
write_all(struct bx_lane *lane, int fd, const uint8_t *bytes, size_t len, struct bx_fail *fail)
{
	enum bx_err first = BX_OK;

	for (size_t at = 0; at < len && first == BX_OK;) {
		size_t sizes[DEPTH] = { 0 };

		for (unsigned id = 0; id < DEPTH; id++) {
			sizes[id] = len - at < CHUNK ? len - at : CHUNK;
			cr_assert_eq(bx_lane_write(lane, id, fd, bytes + at, sizes[id], at, fail),
				     BX_OK);
			at += sizes[id];
		}
		for (unsigned id = DEPTH; id-- > 0;) {
			size_t done = SIZE_MAX;
			enum bx_err err = bx_lane_wait(lane, id, &done, fail);

			cr_assert(err != BX_OK || done == sizes[id]);
			if (first == BX_OK)
				first = err;
		}
	}
	return first;
}

Test(lane, reads_and_writes_what_is_there)
{
	enum bx_io_mode mode[2];
	uint8_t *bytes = make_bytes(FILE_LEN, 1);
	uint8_t *got = malloc(FILE_LEN + DEPTH * CHUNK);

	for (unsigned m = 0, count = modes(mode); m < count; m++) {
		struct bx_lane *lane = new_lane(mode[m], NULL);
		int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
		size_t got_len;

		cr_assert_eq(write_all(lane, fd, bytes, FILE_LEN, NULL), BX_OK);
		cr_assert(file_is("f", bytes, FILE_LEN));
		cr_assert_eq(read_all(lane, fd, got, &got_len, NULL), BX_OK);
		cr_assert_eq(got_len, FILE_LEN);
		cr_assert_eq(memcmp(got, bytes, FILE_LEN), 0);

		/* Nothing to do is done at once; beyond the end there is nothing. */
		size_t done = 7;

		cr_assert_eq(bx_lane_write(lane, 0, fd, bytes, 0, 0, NULL), BX_OK);
		cr_assert_eq(bx_lane_wait(lane, 0, &done, NULL), BX_OK);
		cr_assert_eq(done, 0);
		cr_assert_eq(bx_lane_read(lane, 0, fd, got, 4096, FILE_LEN + 5, NULL), BX_OK);
		cr_assert_eq(bx_lane_wait(lane, 0, &done, NULL), BX_OK);
		cr_assert_eq(done, 0);
		close(fd);
		bx_lane_free(lane);
	}
	free(bytes);
	free(got);
}

/* O_DIRECT: the end lies within a block, where a read can neither stop nor begin. */
Test(lane, direct_reads_end_within_a_block)
{
	static const size_t lens[] = {
		1,         511,   512,         513,          4096, 4097, 3 * 4096 + 100,
		CHUNK - 1, CHUNK, CHUNK + 512, 5 * CHUNK + 1
	};
	enum bx_io_mode mode[2];
	uint8_t *bytes = make_bytes(FILE_LEN, 2);
	uint8_t *got = malloc(FILE_LEN + DEPTH * CHUNK);
	struct faults faults;

	faults_init(&faults);
	for (unsigned m = 0, count = modes(mode); m < count; m++) {
		for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
			struct bx_lane *lane = new_lane(mode[m], &faults.calls);
			size_t got_len;

			write_file("f", bytes, lens[i]);

			int fd = open("f", O_RDONLY | O_DIRECT);

			if (fd == -1)
				cr_skip_test("no O_DIRECT here");
			cr_assert_eq(read_all(lane, fd, got, &got_len, NULL), BX_OK, "length %zu",
				     lens[i]);
			cr_assert_eq(got_len, lens[i]);
			cr_assert_eq(memcmp(got, bytes, got_len), 0);
			close(fd);
			bx_lane_free(lane);
		}
	}
	free(bytes);
	free(got);
}

/* What passes, passes without a trace: at every call, once, and all the time where that ends. */
static void
survives(enum bx_io_mode mode, enum fault_call on, bool writes, int fault, bool persistent)
{
	struct faults faults;
	uint8_t *bytes = make_bytes(FILE_LEN, 3);
	uint8_t *got = malloc(FILE_LEN + DEPTH * CHUNK);
	unsigned nth = 0;

	faults_init(&faults);
	do {
		struct bx_lane *lane = new_lane(mode, &faults.calls);
		struct bx_fail fail = { 0 };
		size_t got_len;

		faults_set(&faults, on, ++nth, fault, persistent);
		if (writes) {
			int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);

			cr_assert_eq(write_all(lane, fd, bytes, FILE_LEN, &fail), BX_OK,
				     "%s %d at %u: %s %d", fault_names[on], fault, nth, fail.msg,
				     fail.sys);
			cr_assert(file_is("f", bytes, FILE_LEN));
			close(fd);
		} else {
			write_file("f", bytes, FILE_LEN);

			int fd = open("f", O_RDONLY);

			cr_assert_eq(read_all(lane, fd, got, &got_len, &fail), BX_OK,
				     "%s %d at %u: %s", fault_names[on], fault, nth, fail.msg);
			cr_assert_eq(got_len, FILE_LEN);
			cr_assert_eq(memcmp(got, bytes, FILE_LEN), 0);
			close(fd);
		}
		bx_lane_free(lane);
	} while (faults.fired > 0 && !persistent);
	cr_assert_gt(nth, persistent ? 0 : 5);
	free(bytes);
	free(got);
}

Test(lane, plain_calls_survive_interruptions)
{
	static const int passing[] = { EINTR, EAGAIN, FAULT_SHORT };

	for (size_t i = 0; i < 3; i++) {
		survives(BX_IO_SYNC, ON_PREAD, false, passing[i], false);
		survives(BX_IO_SYNC, ON_PWRITE, true, passing[i], false);
	}
	survives(BX_IO_SYNC, ON_PREAD, false, FAULT_SHORT, true);
	survives(BX_IO_SYNC, ON_PWRITE, true, FAULT_SHORT, true);
}

Test(lane, ring_survives_interruptions)
{
	static const int passing[] = { EINTR, EAGAIN, FAULT_SHORT, FAULT_HOLD };

	if (!have_ring())
		cr_skip_test("no io_uring here");
	for (size_t i = 0; i < 4; i++) {
		survives(BX_IO_URING, ON_COMPLETED, false, passing[i], false);
		survives(BX_IO_URING, ON_COMPLETED, true, passing[i], false);
	}
	/* All are short; all come in another order. */
	survives(BX_IO_URING, ON_COMPLETED, false, FAULT_SHORT, true);
	survives(BX_IO_URING, ON_COMPLETED, true, FAULT_SHORT, true);
	survives(BX_IO_URING, ON_COMPLETED, false, FAULT_HOLD, true);
	survives(BX_IO_URING, ON_COMPLETED, true, FAULT_HOLD, true);
}

/* What does not pass is an error with its number, and leaves the lane usable. */
static void
reports(enum bx_io_mode mode, enum fault_call on, bool writes, int fault, bool persistent)
{
	struct faults faults;
	uint8_t *bytes = make_bytes(FILE_LEN, 4);
	uint8_t *got = malloc(FILE_LEN + DEPTH * CHUNK);

	faults_init(&faults);
	write_file("f", bytes, FILE_LEN);
	for (unsigned nth = 1;; nth++) {
		struct bx_lane *lane = new_lane(mode, &faults.calls);
		struct bx_fail fail = { 0 };
		int fd = open("f", O_RDWR);
		size_t len;

		faults_set(&faults, on, nth, fault, persistent);

		enum bx_err err = writes ? write_all(lane, fd, bytes, FILE_LEN, &fail)
					 : read_all(lane, fd, got, &len, &fail);

		if (faults.fired == 0) {
			cr_assert_eq(err, BX_OK);
			cr_assert_gt(nth, 5);
			nth = 0;
		} else {
			cr_assert_eq(err, BX_ERR_SYS, "%s at %u", fault_names[on], nth);
			cr_assert_eq(fail.sys, fault);
			cr_assert_eq(fail.code, BX_ERR_SYS);
			cr_assert_neq(fail.offset, BX_NOWHERE);
		}
		faults_set(&faults, on, 0, 0, false);
		cr_assert_eq(read_all(lane, fd, got, &len, NULL), BX_OK);
		cr_assert(len == FILE_LEN && memcmp(got, bytes, len) == 0);
		close(fd);
		bx_lane_free(lane);
		if (nth == 0)
			break;
	}
	free(bytes);
	free(got);
}

Test(lane, plain_calls_report_errors)
{
	reports(BX_IO_SYNC, ON_PREAD, false, EIO, false);
	reports(BX_IO_SYNC, ON_PREAD, false, EIO, true);
	reports(BX_IO_SYNC, ON_PREAD, false, EINTR, true);
	reports(BX_IO_SYNC, ON_PWRITE, true, EIO, false);
	reports(BX_IO_SYNC, ON_PWRITE, true, ENOSPC, true);
	reports(BX_IO_SYNC, ON_PWRITE, true, EDQUOT, false);
	reports(BX_IO_SYNC, ON_PWRITE, true, EINTR, true);
}

Test(lane, ring_reports_errors)
{
	if (!have_ring())
		cr_skip_test("no io_uring here");
	reports(BX_IO_URING, ON_COMPLETED, false, EIO, false);
	reports(BX_IO_URING, ON_COMPLETED, false, EIO, true);
	reports(BX_IO_URING, ON_COMPLETED, false, EINTR, true);
	reports(BX_IO_URING, ON_COMPLETED, false, EAGAIN, true);
	reports(BX_IO_URING, ON_COMPLETED, true, EIO, false);
	reports(BX_IO_URING, ON_COMPLETED, true, ENOSPC, true);
	reports(BX_IO_URING, ON_COMPLETED, true, EDQUOT, false);
	reports(BX_IO_URING, ON_COMPLETED, true, EINTR, true);
}

/* EAGAIN that never ends costs a millisecond a try, so only one place of it. */
Test(lane, endless_eagain_is_an_error)
{
	struct faults faults;
	struct bx_fail fail = { 0 };
	uint8_t byte = 1;
	size_t done;

	faults_init(&faults);

	struct bx_lane *lane = new_lane(BX_IO_SYNC, &faults.calls);
	int fd = open("f", O_RDWR | O_CREAT, 0600);

	faults_set(&faults, ON_PWRITE, 1, EAGAIN, true);
	cr_assert_eq(bx_lane_write(lane, 2, fd, &byte, 1, 0, &fail), BX_OK);
	cr_assert_eq(bx_lane_wait(lane, 2, &done, &fail), BX_ERR_SYS);
	cr_assert_eq(fail.sys, EAGAIN);
	close(fd);
	bx_lane_free(lane);
}

/* A write that O_DIRECT refuses, or leaves within a block, goes by the other descriptor. */
Test(lane, spare_descriptor_takes_what_direct_refuses)
{
	enum bx_io_mode mode[2];
	uint8_t *bytes = make_bytes(CHUNK, 5);
	struct faults faults;

	faults_init(&faults);
	for (unsigned m = 0, count = modes(mode); m < count; m++) {
		static const int how[] = { EINVAL, FAULT_SHORT };

		for (size_t i = 0; i < 2; i++) {
			struct bx_lane *lane = new_lane(mode[m], &faults.calls);
			_Atomic int spent = 0;
			_Atomic int flying = 0;
			int spare = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
			int direct = open("f", O_WRONLY | O_DIRECT);
			struct bx_lane_job job = {
				.name = "f",
				.fd = direct,
				.spare_fd = spare,
				.buf = bytes,
				.len = CHUNK - 4096 + 100, /* no multiple: refused for real, too */
				.report = 12345,
				.spent = &spent,
				.flying = &flying,
			};
			size_t done;

			faults_set(&faults, mode[m] == BX_IO_SYNC ? ON_PWRITE : ON_COMPLETED, 1,
				   how[i], false);
			cr_assert_eq(bx_lane_start_job(lane, 1, &job, NULL), BX_OK);
			cr_assert_eq(bx_lane_wait(lane, 1, &done, NULL), BX_OK);
			cr_assert_eq(done, 12345);
			cr_assert_eq(spent, 0);
			cr_assert_eq(flying, 0);
			cr_assert(file_is("f", bytes, job.len));

			/* And a failure is told to whoever owns the file. */
			faults_set(&faults, mode[m] == BX_IO_SYNC ? ON_PWRITE : ON_COMPLETED, 1,
				   ENOSPC, false);
			cr_assert_eq(bx_lane_start_job(lane, 1, &job, NULL), BX_OK);
			cr_assert_eq(bx_lane_wait(lane, 1, &done, NULL), BX_ERR_SYS);
			cr_assert_eq(spent, ENOSPC);
			cr_assert_eq(flying, 0);

			bx_lane_settle(lane, 3, 77);
			cr_assert_eq(bx_lane_wait(lane, 3, &done, NULL), BX_OK);
			cr_assert_eq(done, 77);
			close(spare);
			if (direct != -1)
				close(direct);
			bx_lane_free(lane);
		}
	}
	free(bytes);
}

Test(lane, free_waits_for_what_is_in_flight)
{
	enum bx_io_mode mode[2];
	uint8_t *bytes = make_bytes(FILE_LEN, 6);

	for (unsigned m = 0, count = modes(mode); m < count; m++) {
		struct bx_lane *lane = new_lane(mode[m], NULL);
		int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);

		for (unsigned id = 0; id < DEPTH; id++)
			cr_assert_eq(bx_lane_write(lane, id, fd, bytes + id * CHUNK, CHUNK,
						   id * CHUNK, NULL),
				     BX_OK);
		bx_lane_free(lane);
		cr_assert(file_is("f", bytes, DEPTH * CHUNK));
		close(fd);
	}
	bx_lane_free(NULL);
	free(bytes);
}

Test(lane, real_refusals_are_told)
{
	enum bx_io_mode mode[2];
	uint8_t *bytes = make_bytes(CHUNK, 7);
	struct rlimit small = { 10000, 10000 };

	(void)signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &small), 0);
	for (unsigned m = 0, count = modes(mode); m < count; m++) {
		struct bx_lane *lane = new_lane(mode[m], NULL);
		struct bx_fail fail = { 0 };
		int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);
		size_t done;

		cr_assert_eq(bx_lane_write(lane, 0, fd, bytes, CHUNK, 0, &fail), BX_OK);
		cr_assert_eq(bx_lane_wait(lane, 0, &done, &fail), BX_ERR_SYS);
		cr_assert_eq(fail.sys, EFBIG);
		close(fd);
		fail = (struct bx_fail){ 0 };
		cr_assert_eq(bx_lane_read(lane, 0, fd, bytes, CHUNK, 0, &fail), BX_OK);
		cr_assert_eq(bx_lane_wait(lane, 0, &done, &fail), BX_ERR_SYS);
		cr_assert_eq(fail.sys, EBADF);
		bx_lane_free(lane);
	}
	free(bytes);
}

/* As container runtimes do: io_uring_setup is refused. */
static void
refuse_rings(int err)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)err),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	cr_assert_eq(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
		cr_skip_test("no seccomp here");
}

static void
falls_back(int err, const char *text)
{
	struct bx_lane *lane;
	struct bx_fail fail = { 0 };

	refuse_rings(err);
	for (int i = 0; i < 2; i++) { /* the second time from what was latched */
		cr_assert_eq(bx_lane_new(&lane, BX_IO_AUTO, DEPTH, NULL, &fail), BX_OK);
		cr_assert(!bx_lane_is_uring(lane));
		cr_assert_str_eq(bx_lane_why_sync(lane), text);
		bx_lane_free(lane);
	}
	cr_assert_eq(bx_lane_new(&lane, BX_IO_URING, DEPTH, NULL, &fail), BX_ERR_SYS);
	cr_assert_eq(fail.sys, err);
	cr_assert_str_not_empty(fail.hint);

	/* Asked for, not fallen back to: nothing to explain. */
	cr_assert_eq(bx_lane_new(&lane, BX_IO_SYNC, DEPTH, NULL, NULL), BX_OK);
	cr_assert_null(bx_lane_why_sync(lane));
	bx_lane_free(lane);
}

Test(lane, seccomp_eperm_means_plain_calls)
{
	falls_back(EPERM, "io_uring_queue_init: Operation not permitted");
}

Test(lane, seccomp_enosys_means_plain_calls)
{
	falls_back(ENOSYS, "io_uring_queue_init: Function not implemented");
}

Test(lane, auto_is_a_ring_where_there_are_rings)
{
	struct bx_lane *lane;

	cr_assert_eq(bx_lane_new(&lane, BX_IO_AUTO, DEPTH, NULL, NULL), BX_OK);
	cr_assert_eq(bx_lane_is_uring(lane), have_ring());
	cr_assert_eq(bx_lane_is_uring(lane), bx_lane_why_sync(lane) == NULL);
	bx_lane_free(lane);
}

/* A thousand requests in random order, pieces and completions, against a shadow in memory. */
Test(lane, random_requests_match_a_shadow)
{
	enum bx_io_mode mode[2];
	uint8_t *shadow = calloc(1, FILE_LEN);
	uint8_t *bufs = malloc(DEPTH * CHUNK);
	unsigned seed = 8;

	for (unsigned m = 0, count = modes(mode); m < count; m++) {
		struct faults faults;
		int fd = open("f", O_RDWR | O_CREAT | O_TRUNC, 0600);

		faults_init(&faults);
		faults.max_piece = 20000;
		faults.seed = 9;
		memset(shadow, 0, FILE_LEN);
		cr_assert_eq(ftruncate(fd, (off_t)FILE_LEN), 0);

		struct bx_lane *lane = new_lane(mode[m], &faults.calls);

		for (int round = 0; round < 250; round++) {
			/* Disjoint quarters, so that order does not matter. */
			size_t quarter = FILE_LEN / DEPTH;
			size_t at[DEPTH];
			size_t len[DEPTH];
			bool writes[DEPTH];

			for (unsigned id = 0; id < DEPTH; id++) {
				len[id] = 1 + (size_t)rand_r(&seed) % (CHUNK - 1);
				at[id] = id * quarter + (size_t)rand_r(&seed) % (quarter - len[id]);
				writes[id] = rand_r(&seed) % 2 == 0;

				uint8_t *buf = bufs + id * CHUNK;

				if (writes[id]) {
					memset(buf, rand_r(&seed), len[id]);
					memcpy(shadow + at[id], buf, len[id]);
					cr_assert_eq(
					    bx_lane_write(lane, id, fd, buf, len[id], at[id], NULL),
					    BX_OK);
				} else {
					cr_assert_eq(
					    bx_lane_read(lane, id, fd, buf, len[id], at[id], NULL),
					    BX_OK);
				}
			}
			for (unsigned i = 0, first = (unsigned)rand_r(&seed); i < DEPTH; i++) {
				unsigned id = (first + i) % DEPTH;
				size_t done;

				cr_assert_eq(bx_lane_wait(lane, id, &done, NULL), BX_OK);
				cr_assert_eq(done, len[id]);
				cr_assert_eq(memcmp(bufs + id * CHUNK, shadow + at[id], len[id]),
					     0);
			}
		}
		bx_lane_free(lane);
		cr_assert(file_is("f", shadow, FILE_LEN));
		close(fd);
	}
	free(shadow);
	free(bufs);
}
