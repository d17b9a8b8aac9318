#include "io/target.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/calls.h"

#define TEMP_TRIES 16u

void
bx_target_init(struct bx_target *target, const struct bx_io_calls *calls)
{
	*target = (struct bx_target){ .calls = calls, .dir = -1 };
}

static enum bx_err
already_exists(const struct bx_target *target, struct bx_fail *fail)
{
	(void)bx_fail_set(fail, BX_ERR_USAGE, EEXIST, BX_NOWHERE, "%s exists already",
			  target->path);
	bx_fail_hint(fail, "use --force to replace it");
	return BX_ERR_USAGE;
}

static enum bx_err
sys_fail(const char *what, const char *name, struct bx_fail *fail)
{
	return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "%s %s", what, name);
}

/* Splits `path` into an open folder and a name in it. */
static enum bx_err
open_folder(struct bx_target *target, const char *path, struct bx_fail *fail)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	char *folder;

	if (slash == NULL)
		folder = strdup(".");
	else
		folder = strndup(path, slash == path ? 1 : (size_t)(slash - path));
	target->name = strdup(name);
	target->path = strdup(path);
	if (folder == NULL || target->name == NULL || target->path == NULL) {
		free(folder);
		return bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");
	}

	int flags = O_DIRECTORY | O_CLOEXEC;

	target->dir = bx_calls_openat(target->calls, AT_FDCWD, folder, O_RDONLY | flags, 0);
	target->dir_syncable = target->dir != -1;
	if (target->dir == -1 && errno == EACCES) /* may be entered, but not listed */
		target->dir = bx_calls_openat(target->calls, AT_FDCWD, folder, O_PATH | flags, 0);

	enum bx_err err = BX_OK;

	if (target->dir == -1) {
		err = sys_fail("open folder", folder, fail);
	} else if (name[0] == '\0') {
		errno = EISDIR;
		err = sys_fail("write", path, fail);
	}
	free(folder);
	return err;
}

/* An existing target of a kind that can be replaced, and may be; or none. */
static enum bx_err
check_existing(const struct bx_target *target, struct bx_fail *fail)
{
	struct stat st;

	if (fstatat(target->dir, target->name, &st, 0) == 0 && S_ISDIR(st.st_mode)) {
		errno = EISDIR;
		return sys_fail("write", target->path, fail);
	}
	if (fstatat(target->dir, target->name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT ? BX_OK : sys_fail("look at", target->path, fail);
	return target->force ? BX_OK : already_exists(target, fail);
}

/* Short and without the target's name, which may be as long as names can be. */
static bool
new_temp_name(struct bx_target *target)
{
	uint64_t random;

	if (getrandom(&random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return false;
	(void)snprintf(target->temp, sizeof(target->temp), ".boxcar-%016llx.tmp",
		       (unsigned long long)random);
	return true;
}

static int
open_named_temp(struct bx_target *target, mode_t mode)
{
	for (unsigned i = 0; i < TEMP_TRIES; i++) {
		if (!new_temp_name(target))
			return -1;

		int fd = bx_calls_openat(target->calls, target->dir, target->temp,
					 O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);

		if (fd != -1) {
			target->present = target->temp;
			return fd;
		}
		if (errno != EEXIST)
			return -1;
	}
	return -1;
}

/* Can a file without a name be given one later? Only by way of /proc. */
static bool
is_linkable(int fd)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return faccessat(AT_FDCWD, path, F_OK, 0) == 0;
}

static enum bx_err
open_temp(struct bx_target *target, int *fd, mode_t mode, struct bx_fail *fail)
{
	/* Without O_EXCL: with it the file could never be linked. */
	*fd =
	    bx_calls_openat(target->calls, target->dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
	if (*fd != -1 && is_linkable(*fd)) {
		target->anonymous = true;
		return BX_OK;
	}
	if (*fd != -1)
		(void)close(*fd);
	/* EOPNOTSUPP, EISDIR or EINVAL: unknown here. Others will show again below. */
	*fd = open_named_temp(target, mode);
	return *fd != -1 ? BX_OK : sys_fail("make a file beside", target->path, fail);
}

static enum bx_err
lock(int fd, const char *name, struct bx_fail *fail)
{
	if (flock(fd, LOCK_EX | LOCK_NB) == 0)
		return BX_OK;
	if (errno == EWOULDBLOCK)
		return bx_fail_set(fail, BX_ERR_USAGE, errno, BX_NOWHERE,
				   "%s is being written by another run", name);
	return sys_fail("lock", name, fail);
}

static enum bx_err
open_new(struct bx_target *target, int *fd, const char *name, mode_t mode, struct bx_fail *fail)
{
	*fd = bx_calls_openat(target->calls, target->dir, name,
			      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (*fd != -1) {
		target->present = name;
		return lock(*fd, name, fail);
	}
	if (errno != EEXIST)
		return sys_fail("make", name, fail);
	(void)bx_fail_set(fail, BX_ERR_USAGE, EEXIST, BX_NOWHERE, "%s exists already", name);
	bx_fail_hint(fail, "resume it with the same command, or begin anew with --restart");
	return BX_ERR_USAGE;
}

/* Ours, regular, and known under this name only: what follows may cut it. */
static enum bx_err
open_old(struct bx_target *target, int *fd, const char *name, uint64_t resume_at,
	 struct bx_fail *fail)
{
	struct stat st;

	*fd = bx_calls_openat(target->calls, target->dir, name,
			      O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
	if (*fd == -1 || fstat(*fd, &st) == -1)
		return sys_fail("open", name, fail);
	target->present = name;
	if (!S_ISREG(st.st_mode) || st.st_nlink != 1 || st.st_uid != geteuid())
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "%s is not a regular file of this user", name);
	if ((uint64_t)st.st_size < resume_at)
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "%s is shorter than what is to be kept of it", name);

	enum bx_err err = lock(*fd, name, fail);

	if (err != BX_OK)
		return err;
	if (bx_calls_ftruncate(target->calls, *fd, resume_at) == -1)
		return sys_fail("cut", name, fail);
	return BX_OK;
}

/* A new file under the real name; with force it takes the place of the old one, whole. */
static enum bx_err
open_live(struct bx_target *target, int *fd, mode_t mode, struct bx_fail *fail)
{
	if (!target->force)
		return open_new(target, fd, target->name, mode, fail);
	*fd = open_named_temp(target, mode);
	if (*fd == -1)
		return sys_fail("make a file beside", target->path, fail);

	enum bx_err err = lock(*fd, target->path, fail);

	if (err != BX_OK)
		return err;
	if (bx_calls_rename(target->calls, target->dir, target->temp, target->name, 0) == -1)
		return sys_fail("replace", target->path, fail);
	target->present = target->name;
	return BX_OK;
}

static enum bx_err
open_visible(struct bx_target *target, int *fd, enum bx_visible visible, mode_t mode,
	     uint64_t resume_at, struct bx_fail *fail)
{
	enum bx_err err;

	if (visible == BX_VISIBLE_PART || visible == BX_VISIBLE_PART_RESUME) {
		if (asprintf(&target->part, "%s.part", target->name) == -1) {
			target->part = NULL;
			return bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");
		}
	}
	switch (visible) {
	case BX_VISIBLE_PART:
		err = open_new(target, fd, target->part, 0600, fail);
		break;
	case BX_VISIBLE_PART_RESUME:
		err = open_old(target, fd, target->part, resume_at, fail);
		break;
	case BX_VISIBLE_LIVE:
		err = open_live(target, fd, mode, fail);
		break;
	default:
		err = open_old(target, fd, target->name, resume_at, fail);
		break;
	}
	/* Only what is ours by now stays; a temporary of open_live does not. */
	target->keep = target->present != target->temp;
	return err;
}

enum bx_err
bx_target_open(struct bx_target *target, int *fd, const char *path, enum bx_visible visible,
	       bool force, bool private_mode, uint64_t resume_at, struct bx_fail *fail)
{
	mode_t mode = private_mode ? 0600 : 0666;
	enum bx_err err;

	target->force = force;
	err = open_folder(target, path, fail);
	if (err == BX_OK && visible != BX_VISIBLE_LIVE_RESUME)
		err = check_existing(target, fail);
	if (err != BX_OK)
		return err;
	if (visible == BX_VISIBLE_AT_COMMIT)
		return open_temp(target, fd, mode, fail);
	return open_visible(target, fd, visible, mode, resume_at, fail);
}

/* Links the nameless file as `name`. */
static int
link_as(const struct bx_target *target, int fd, const char *name)
{
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return bx_calls_linkat(target->calls, AT_FDCWD, path, target->dir, name, AT_SYMLINK_FOLLOW);
}

/* linkat never replaces: a file that shall goes by way of a temporary name. */
static enum bx_err
link_temp(struct bx_target *target, int fd, struct bx_fail *fail)
{
	for (unsigned i = 0; i < TEMP_TRIES; i++) {
		if (!new_temp_name(target))
			break;
		if (link_as(target, fd, target->temp) == 0) {
			target->anonymous = false;
			target->present = target->temp;
			return BX_OK;
		}
		if (errno != EEXIST)
			break;
	}
	return sys_fail("name", target->path, fail);
}

/* Renames, but never over another file, on filesystems without RENAME_NOREPLACE as well. */
static int
rename_new(struct bx_target *target)
{
	if (bx_calls_rename(target->calls, target->dir, target->present, target->name,
			    RENAME_NOREPLACE) == 0)
		return 0;
	if (errno != EINVAL && errno != ENOSYS && errno != EOPNOTSUPP)
		return -1;
	if (bx_calls_linkat(target->calls, target->dir, target->present, target->dir, target->name,
			    0) == 0)
		return unlinkat(target->dir, target->present, 0) == 0 || errno == ENOENT ? 0 : -1;
	if (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)
		return -1;

	/* No links either (FAT): reserve the name, then replace our own empty file. */
	int fd = bx_calls_openat(target->calls, target->dir, target->name,
				 O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd == -1)
		return -1;
	(void)close(fd);
	if (bx_calls_rename(target->calls, target->dir, target->present, target->name, 0) == 0)
		return 0;

	int sys = errno;

	(void)unlinkat(target->dir, target->name, 0);
	errno = sys;
	return -1;
}

static enum bx_err
give_name(struct bx_target *target, int fd, struct bx_fail *fail)
{
	if (target->present == target->name) /* LIVE */
		return BX_OK;
	if (target->anonymous && !target->force) {
		if (link_as(target, fd, target->name) == 0)
			return BX_OK;
		return errno == EEXIST ? already_exists(target, fail)
				       : sys_fail("name", target->path, fail);
	}
	if (target->anonymous) {
		enum bx_err err = link_temp(target, fd, fail);

		if (err != BX_OK)
			return err;
	}

	int rc = target->force
		     ? bx_calls_rename(target->calls, target->dir, target->present, target->name, 0)
		     : rename_new(target);

	if (rc == 0)
		return BX_OK;
	return errno == EEXIST ? already_exists(target, fail)
			       : sys_fail("name", target->path, fail);
}

enum bx_err
bx_target_sync_folder(const struct bx_target *target, int fd, struct bx_fail *fail)
{
	/* Who may not open the folder can still sync the filesystem that it is on. */
	int rc = target->dir_syncable ? bx_calls_fsync(target->calls, target->dir) : syncfs(fd);

	return rc == 0 ? BX_OK : sys_fail("sync the folder of", target->path, fail);
}

enum bx_err
bx_target_publish(struct bx_target *target, int fd, bool sync, struct bx_fail *fail)
{
	enum bx_err err = give_name(target, fd, fail);

	if (err != BX_OK)
		return err;

	bool was_live = target->present == target->name;

	target->present = target->name;
	target->published = true;
	if (sync)
		err = bx_target_sync_folder(target, fd, fail);
	if (err == BX_OK)
		return BX_OK;

	/* A name that may be gone after a crash is no success, so nothing may stand under it; but
	 * what it has replaced cannot come back, and the complete new file is better than none. */
	if (target->part != NULL)
		(void)renameat(target->dir, target->name, target->dir, target->part);
	else if (!target->force && !was_live)
		(void)unlinkat(target->dir, target->name, 0);
	return err;
}

void
bx_target_drop(struct bx_target *target)
{
	if (target->present != NULL && !target->published && !target->keep)
		(void)unlinkat(target->dir, target->present, 0);
	if (target->dir != -1)
		(void)close(target->dir);
	free(target->name);
	free(target->part);
	free(target->path);
	bx_target_init(target, NULL);
}

enum bx_err
bx_target_discard_part(const char *path, struct bx_fail *fail)
{
	char *part;

	if (asprintf(&part, "%s.part", path) == -1)
		return bx_fail_set(fail, BX_ERR_NOMEM, ENOMEM, BX_NOWHERE, "no memory");

	enum bx_err err = BX_OK;

	if (unlink(part) == -1 && errno != ENOENT)
		err = sys_fail("remove", part, fail);
	free(part);
	return err;
}
