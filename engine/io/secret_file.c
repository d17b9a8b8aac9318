#include "io/secret_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static size_t
page_size(void)
{
	const long page = sysconf(_SC_PAGESIZE);

	return page > 0 ? (size_t)page : 4096;
}

static size_t
inner_size(size_t len, size_t page)
{
	return len == 0 ? page : (len + page - 1) / page * page;
}

/*
 * Guarded memory: one inaccessible page on each side, the bytes against the second, so that the
 * first byte past them faults. Locked, not dumped, empty in a child.
 *
 *	| guard | pages, the bytes at their end | guard |
 */
static uint8_t *
guarded_new(size_t len)
{
	const size_t page = page_size();
	const size_t inner = inner_size(len, page);
	uint8_t *base = mmap(NULL, inner + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (base == MAP_FAILED)
		return NULL;
	if (mprotect(base + page, inner, PROT_READ | PROT_WRITE) != 0) {
		(void)munmap(base, inner + 2 * page);
		return NULL;
	}
	/* As far as the limits and the kernel go: none of these is needed to be correct. */
	(void)mlock(base + page, inner);
	(void)madvise(base + page, inner, MADV_DONTDUMP);
	(void)madvise(base + page, inner, MADV_WIPEONFORK);
	return base + page + inner - len;
}

void
bx_secret_free(uint8_t *bytes, size_t len)
{
	if (bytes == NULL)
		return;

	const size_t page = page_size();
	const size_t inner = inner_size(len, page);
	uint8_t *base = bytes + len - inner - page;

	explicit_bzero(bytes, len);
	(void)munlock(base + page, inner);
	(void)munmap(base, inner + 2 * page);
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Nobody else could have read or placed it (threat-model.md section 6, decisions.md 3). */
static enum bx_err
check_file(const struct stat *st, const char *path, size_t max, bool allow_lax_modes, bool *was_lax,
	   struct bx_fail *fail)
{
	const bool foreign = st->st_uid != geteuid() && st->st_uid != 0;
	const bool open = (st->st_mode & (S_IRWXG | S_IRWXO)) != 0;

	if (!S_ISREG(st->st_mode))
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "%s holds secrets and must be a regular file, not a %s", path,
				   S_ISDIR(st->st_mode)    ? "directory"
				   : S_ISFIFO(st->st_mode) ? "pipe"
							   : "device");
	if (st->st_size < 0 || (uint64_t)st->st_size > max)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE, "%s is larger than %zu bytes",
				   path, max);
	if (was_lax != NULL)
		*was_lax = foreign || open;
	if (allow_lax_modes || (!foreign && !open))
		return BX_OK;
	if (foreign)
		(void)bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				  "%s holds secrets but belongs to another user (uid %u)", path,
				  (unsigned)st->st_uid);
	else
		(void)bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				  "%s holds secrets but others may use it (mode %04o)", path,
				  (unsigned)(st->st_mode & 07777));
	bx_fail_hint(fail, foreign ? "take it over, then chmod 600 %s" : "chmod 600 %s", path);
	return BX_ERR_USAGE;
}

/* Exactly `len` bytes, then the end of the file. */
static enum bx_err
read_whole(int fd, uint8_t *bytes, size_t len, const char *path, struct bx_fail *fail)
{
	size_t have = 0;
	uint8_t more;

	while (have < len) {
		const ssize_t got = read(fd, bytes + have, len - have);

		if (got > 0)
			have += (size_t)got;
		else if (got == 0)
			break;
		else if (errno != EINTR)
			return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "read %s", path);
	}

	ssize_t got;

	do
		got = read(fd, &more, 1);
	while (got == -1 && errno == EINTR);
	explicit_bzero(&more, 1);
	if (have < len || got != 0)
		return bx_fail_set(fail, BX_ERR_SYS, 0, BX_NOWHERE, "%s changed while it was read",
				   path);
	return BX_OK;
}

static enum bx_err
read_open(int fd, uint8_t **bytes, size_t *len, const char *path, size_t max, bool allow_lax_modes,
	  bool *was_lax, struct bx_fail *fail)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "stat %s", path);

	enum bx_err err = check_file(&st, path, max, allow_lax_modes, was_lax, fail);

	if (err != BX_OK)
		return err;

	const size_t size = (size_t)st.st_size;
	uint8_t *guarded = guarded_new(size);

	if (guarded == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, errno, BX_NOWHERE, "no memory for %s", path);
	err = read_whole(fd, guarded, size, path, fail);
	if (err != BX_OK) {
		bx_secret_free(guarded, size);
		return err;
	}
	*bytes = guarded;
	*len = size;
	return BX_OK;
}

enum bx_err
bx_secret_read(uint8_t **bytes, size_t *len, const char *path, size_t max, bool allow_lax_modes,
	       bool *was_lax, struct bx_fail *fail)
{
	/* O_NONBLOCK: opening a FIFO must not wait for its writer. */
	const int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd == -1 && errno == ELOOP)
		return bx_fail_set(
		    fail, BX_ERR_USAGE, 0, BX_NOWHERE,
		    "%s holds secrets and must be a regular file, not a symbolic link", path);
	if (fd == -1 && errno == ENXIO)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "%s holds secrets and must be a regular file, not a socket",
				   path);
	if (fd == -1)
		return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "open %s", path);

	const enum bx_err err =
	    read_open(fd, bytes, len, path, max, allow_lax_modes, was_lax, fail);

	(void)close(fd);
	return err;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* The folder of a path, and a random name there that no other file has. */
struct place {
	char folder[4096];
	char temporary[4096 + 64];
};

static bool
place_of(struct place *place, const char *path)
{
	const char *slash = strrchr(path, '/');
	const size_t folder_len = slash == NULL ? 0 : (size_t)(slash - path) + 1;
	uint64_t random;

	if (folder_len + 2 > sizeof(place->folder) ||
	    getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return false;
	memcpy(place->folder, path, folder_len);
	memcpy(place->folder + folder_len, ".", 2);
	(void)snprintf(place->temporary, sizeof(place->temporary), "%.*s.boxcar-%016llx",
		       (int)folder_len, path, (unsigned long long)random);
	return true;
}

static bool
write_whole(int fd, const uint8_t *bytes, size_t len)
{
	for (size_t done = 0; done < len;) {
		const ssize_t put = write(fd, bytes + done, len - done);

		if (put >= 0)
			done += (size_t)put;
		else if (errno != EINTR)
			return false;
	}
	return fchmod(fd, 0600) == 0 && fsync(fd) == 0;
}

/*
 * A file without a name where the file system can do that: a crash leaves nothing. *named tells
 * that it has its temporary name already.
 */
static int
open_temporary(const struct place *place, bool *named)
{
	int fd = open(place->folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);

	*named = false;
	if (fd != -1 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT))
		return fd;
	fd = open(place->temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	*named = fd != -1;
	return fd;
}

static bool
name_it(int fd, const char *name)
{
	char self[64];

	(void)snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
	return linkat(AT_FDCWD, self, AT_FDCWD, name, AT_SYMLINK_FOLLOW) == 0;
}

/* Gives the complete file its name; without `force` only if no file has it. */
static bool
publish(int fd, const struct place *place, const char *path, bool force, bool *named)
{
	if (!*named && !force)
		return name_it(fd, path);
	if (!*named && !name_it(fd, place->temporary))
		return false;
	*named = true;
	if (force)
		return rename(place->temporary, path) == 0;
	if (renameat2(AT_FDCWD, place->temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
		return true;
	/* A file system without that flag: a hard link refuses an existing name, too. */
	return errno == EINVAL && link(place->temporary, path) == 0 &&
	       unlink(place->temporary) == 0;
}

static bool
sync_folder(const char *folder)
{
	const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd == -1)
		return false;

	/* EINVAL: a file system that has nothing to sync there. */
	const bool synced = fsync(fd) == 0 || errno == EINVAL;

	(void)close(fd);
	return synced;
}

static enum bx_err
fail_exists(const char *path, struct bx_fail *fail)
{
	(void)bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE, "%s exists", path);
	bx_fail_hint(fail, "--force replaces it");
	return BX_ERR_USAGE;
}

enum bx_err
bx_secret_write(const char *path, const uint8_t *bytes, size_t len, bool force,
		struct bx_fail *fail)
{
	struct place place;
	struct stat st;
	bool named;

	if (!force && lstat(path, &st) == 0)
		return fail_exists(path, fail);
	if (!place_of(&place, path))
		return bx_fail_set(fail, BX_ERR_SYS, ENAMETOOLONG, BX_NOWHERE, "write %s", path);

	const int fd = open_temporary(&place, &named);

	if (fd == -1)
		return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "create a file in %s",
				   place.folder);

	enum bx_err err = BX_OK;

	if (!write_whole(fd, bytes, len))
		err = bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "write %s", path);
	else if (!publish(fd, &place, path, force, &named))
		err = errno == EEXIST && !force
			  ? fail_exists(path, fail)
			  : bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "write %s", path);
	if (err != BX_OK && named)
		(void)unlink(place.temporary);
	(void)close(fd);
	if (err == BX_OK && !sync_folder(place.folder))
		err = bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "sync %s", place.folder);
	return err;
}
