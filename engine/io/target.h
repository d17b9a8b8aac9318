/* The name of an output file: a temporary one while it is written, the real one at the end. */
#ifndef BX_IO_TARGET_H
#define BX_IO_TARGET_H

#include "io/io.h"

struct bx_target {
	const struct bx_io_calls *calls;
	int dir;           /* the target's folder */
	bool dir_syncable; /* else it may be passed, but not read: dir is O_PATH */
	bool force;
	bool anonymous; /* O_TMPFILE: has no name yet */
	bool keep;      /* PART, LIVE: stays under its present name when dropped */
	bool published;
	char *path; /* as given, for messages */
	char *name; /* its last component */
	char *part; /* "NAME.part", or NULL */
	char temp[40];
	const char *present; /* name that the file has now: temp, part or name; NULL: none */
};

/* Empty, so that drop copes with it. */
void bx_target_init(struct bx_target *target, const struct bx_io_calls *calls);

/*
 * Opens the file to write (O_RDWR) as *fd, for the caller to close. `path` names no FIFO and no
 * device. PART and LIVE are locked (flock) until *fd is closed: "in use" is BX_ERR_USAGE.
 * `resume_at` beyond the end of the file is BX_ERR_USAGE.
 */
enum bx_err bx_target_open(struct bx_target *target, int *fd, const char *path,
			   enum bx_visible visible, bool force, bool private_mode,
			   uint64_t resume_at, struct bx_fail *fail) BX_MUST_USE;

/* Gives the file behind `fd` (complete, synced) its name and syncs the folder if `sync`. */
enum bx_err bx_target_publish(struct bx_target *target, int fd, bool sync,
			      struct bx_fail *fail) BX_MUST_USE;

/* Makes the present name durable (PART, LIVE). */
enum bx_err bx_target_sync_folder(const struct bx_target *target, int fd,
				  struct bx_fail *fail) BX_MUST_USE;

/* Removes what is temporary, closes the folder. */
void bx_target_drop(struct bx_target *target);

/* Removes PATH.part; BX_OK when there is none. */
enum bx_err bx_target_discard_part(const char *path, struct bx_fail *fail) BX_MUST_USE;

#endif
