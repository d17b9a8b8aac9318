/* io/secret_file: who may have touched a key file, guarded memory, and writing. */
#include "io/secret_file.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

static char folder[64];

static const char *
in_folder(const char *name)
{
	static char paths[4][160];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder, name);
	return path;
}

static void
make_folder(void)
{
	snprintf(folder, sizeof(folder), "/tmp/test_secret_file.XXXXXX");
	cr_assert_not_null(mkdtemp(folder));
}

static void
remove_folder(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", folder);
	cr_assert_eq(system(command), 0);
}

TestSuite(secret_file, .init = make_folder, .fini = remove_folder);

static const char *
write_plain(const char *name, const char *text, mode_t mode)
{
	const char *path = in_folder(name);
	const int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert_neq(fd, -1);
	cr_assert_eq(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	cr_assert_eq(fchmod(fd, mode), 0);
	close(fd);
	return path;
}

static void
expect_text(const char *path, const char *text)
{
	uint8_t *bytes = NULL;
	size_t len = 99;
	bool lax = true;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_secret_read(&bytes, &len, path, 1 << 20, false, &lax, &fail), BX_OK, "%s",
		     fail.msg);
	cr_assert_eq(len, strlen(text));
	cr_assert_eq(memcmp(bytes, text, len), 0);
	cr_assert_not(lax);
	bx_secret_free(bytes, len);
}

static void
refuse(const char *path, size_t max, bool lax, enum bx_err err, const char *part)
{
	uint8_t *bytes = NULL;
	size_t len = 99;
	struct bx_fail fail = { 0 };

	cr_assert_eq(bx_secret_read(&bytes, &len, path, max, lax, NULL, &fail), err, "%s: %s", path,
		     fail.msg);
	cr_assert_null(bytes);
	cr_assert_eq(len, 99);
	cr_assert_not_null(strstr(fail.msg, part), "'%s' lacks '%s'", fail.msg, part);
}

Test(secret_file, reads_private_files)
{
	expect_text(write_plain("a", "hello", 0600), "hello");
	expect_text(write_plain("b", "", 0400), "");
	expect_text(write_plain("c", "x", 0700), "x");
}

Test(secret_file, modes)
{
	static const mode_t bad[] = { 0640, 0604, 0660, 0620, 0602, 0610, 0601, 0644, 0666, 0777 };

	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *path = write_plain("open", "hello", bad[i]);
		char mode[16], hint[200];
		struct bx_fail fail = { 0 };
		uint8_t *bytes = NULL;
		size_t len = 0;
		bool lax = false;

		snprintf(mode, sizeof(mode), "mode %04o", bad[i]);
		refuse(path, 100, false, BX_ERR_USAGE, mode);
		cr_assert_eq(bx_secret_read(&bytes, &len, path, 100, false, NULL, &fail),
			     BX_ERR_USAGE);
		snprintf(hint, sizeof(hint), "chmod 600 %s", path);
		cr_assert_str_eq(fail.hint, hint);

		fail = (struct bx_fail){ 0 };
		cr_assert_eq(bx_secret_read(&bytes, &len, path, 100, true, &lax, &fail), BX_OK);
		cr_assert(lax);
		cr_assert(len == 5 && memcmp(bytes, "hello", 5) == 0);
		bx_secret_free(bytes, len);
	}
}

Test(secret_file, other_owner)
{
	if (geteuid() != 0)
		cr_skip_test("only root can give a file away");

	const char *path = write_plain("theirs", "hello", 0600);
	bool lax = false;
	uint8_t *bytes = NULL;
	size_t len;
	struct bx_fail fail = { 0 };

	cr_assert_eq(chown(path, 12345, 12345), 0);
	refuse(path, 100, false, BX_ERR_USAGE, "belongs to another user (uid 12345)");
	cr_assert_eq(bx_secret_read(&bytes, &len, path, 100, true, &lax, &fail), BX_OK);
	cr_assert(lax);
	bx_secret_free(bytes, len);

	/* root's files are good for everybody who may read them. */
	const char *roots = write_plain("roots", "hello", 0600);

	cr_assert_eq(chmod(folder, 0755), 0);
	cr_assert_eq(chown(roots, 0, 0), 0);
	cr_assert_eq(seteuid(12345), 0);
	refuse(roots, 100, false, BX_ERR_SYS, "open");
	expect_text(path, "hello"); /* and one's own */
	cr_assert_eq(seteuid(0), 0);
}

Test(secret_file, only_regular_files)
{
	const char *target = write_plain("target", "hello", 0600);
	const char *link = in_folder("link");

	cr_assert_eq(symlink(target, link), 0);
	refuse(link, 100, true, BX_ERR_USAGE, "not a symbolic link");
	refuse(folder, 100, true, BX_ERR_USAGE, "not a directory");
	cr_assert_eq(mkfifo(in_folder("fifo"), 0600), 0);
	refuse(in_folder("fifo"), 100, true, BX_ERR_USAGE, "not a pipe"); /* at once */
	refuse("/dev/null", 100, true, BX_ERR_USAGE, "not a device");
	refuse(in_folder("absent"), 100, true, BX_ERR_SYS, "open");

	struct sockaddr_un name = { .sun_family = AF_UNIX };
	const int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(name.sun_path, sizeof(name.sun_path), "%s/socket", folder);
	cr_assert_eq(bind(fd, (struct sockaddr *)&name, sizeof(name)), 0);
	refuse(name.sun_path, 100, true, BX_ERR_USAGE, "not a socket");
	close(fd);
}

Test(secret_file, size_limit)
{
	const char *path = write_plain("a", "hello", 0600);

	refuse(path, 4, false, BX_ERR_USAGE, "larger than 4 bytes");
	expect_text(path, "hello");
}

/* True when the kernel can read `len` bytes there for us. */
static bool
is_readable(const uint8_t *at, size_t len)
{
	int ends[2];

	cr_assert_eq(pipe(ends), 0);

	const ssize_t put = write(ends[1], at, len);
	const bool faulted = put == -1 && errno == EFAULT;

	close(ends[0]);
	close(ends[1]);
	cr_assert(faulted || put == (ssize_t)len);
	return !faulted;
}

Test(secret_file, memory_is_guarded)
{
	static const size_t sizes[] = { 0, 1, 5, 4095, 4096, 4097, 10000 };
	char text[10001];

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		const size_t size = sizes[i];
		uint8_t *bytes = NULL;
		size_t len = 0;
		struct bx_fail fail = { 0 };

		memset(text, 'k', size);
		text[size] = '\0';
		cr_assert_eq(bx_secret_read(&bytes, &len, write_plain("a", text, 0600), 20000,
					    false, NULL, &fail),
			     BX_OK);
		cr_assert_eq(len, size);
		cr_assert_eq(memcmp(bytes, text, size), 0);
		cr_assert_not(is_readable(bytes + len, 1), "the byte after %zu", size);
		cr_assert_not(
		    is_readable((uint8_t *)(((uintptr_t)bytes - (size == 0)) & ~4095ul) - 1, 1));
		bx_secret_free(bytes, len);
		cr_assert(size == 0 || !is_readable(bytes, 1));
	}
	bx_secret_free(NULL, 0);
}

Test(secret_file, writes_with_private_mode)
{
	const char *path = in_folder("new");
	struct stat st;
	struct bx_fail fail = { 0 };

	umask(0);
	cr_assert_eq(bx_secret_write(path, (const uint8_t *)"first", 5, false, &fail), BX_OK, "%s",
		     fail.msg);
	cr_assert_eq(stat(path, &st), 0);
	cr_assert_eq(st.st_mode & 07777, 0600);
	expect_text(path, "first");

	cr_assert_eq(bx_secret_write(path, (const uint8_t *)"second", 6, false, &fail),
		     BX_ERR_USAGE);
	cr_assert_not_null(strstr(fail.msg, "exists"));
	cr_assert_not_null(strstr(fail.hint, "--force"));
	expect_text(path, "first");

	fail = (struct bx_fail){ 0 };
	cr_assert_eq(chmod(path, 0666), 0);
	cr_assert_eq(bx_secret_write(path, (const uint8_t *)"second", 6, true, &fail), BX_OK);
	expect_text(path, "second"); /* 0600 again */
	cr_assert_eq(bx_secret_write(path, NULL, 0, true, &fail), BX_OK);
	expect_text(path, "");
}

static size_t
files_in_folder(void)
{
	char command[128];
	unsigned count = 0;

	snprintf(command, sizeof(command), "ls -A %s | wc -l", folder);

	FILE *out = popen(command, "r");

	cr_assert_eq(fscanf(out, "%u", &count), 1);
	pclose(out);
	return count;
}

Test(secret_file, failures_leave_nothing)
{
	struct bx_fail fail = { 0 };
	const uint8_t *text = (const uint8_t *)"x";

	cr_assert_eq(mkdir(in_folder("sub"), 0700), 0);
	cr_assert_eq(bx_secret_write(in_folder("sub"), text, 1, false, &fail), BX_ERR_USAGE);
	fail = (struct bx_fail){ 0 };
	cr_assert_eq(bx_secret_write(in_folder("sub"), text, 1, true, &fail), BX_ERR_SYS);
	fail = (struct bx_fail){ 0 };
	cr_assert_eq(bx_secret_write(in_folder("no/such"), text, 1, false, &fail), BX_ERR_SYS);
	cr_assert_eq(fail.sys, ENOENT);
	cr_assert_eq(files_in_folder(), 1); /* sub */

	/* A dangling link is a name that is taken; with force the link itself is replaced. */
	cr_assert_eq(symlink("/nowhere/at/all", in_folder("link")), 0);
	fail = (struct bx_fail){ 0 };
	cr_assert_eq(bx_secret_write(in_folder("link"), text, 1, false, &fail), BX_ERR_USAGE);
	cr_assert_eq(bx_secret_write(in_folder("link"), text, 1, true, &fail), BX_OK);
	expect_text(in_folder("link"), "x");
}

Test(secret_file, relative_paths)
{
	struct bx_fail fail = { 0 };

	cr_assert_eq(chdir(folder), 0);
	cr_assert_eq(bx_secret_write("here", (const uint8_t *)"x", 1, false, &fail), BX_OK, "%s",
		     fail.msg);
	expect_text("here", "x");
	expect_text(in_folder("here"), "x");
}
