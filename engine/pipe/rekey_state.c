#include "pipe/rekey_state.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/io.h"
#include "io/secret_file.h"
#include "keys/fingerprint.h"

#define STATE_MAX ((size_t)64 << 10)

static void
to_hex(const uint8_t digest[static BX_FINGERPRINT_LEN], char out[static BX_RESUME_DIGEST_TEXT])
{
	for (size_t i = 0; i < BX_FINGERPRINT_LEN; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void
digest_rings(const struct bx_job *job, char out[static BX_RESUME_DIGEST_TEXT])
{
	uint8_t all[BX_FINGERPRINT_LEN * 16], digest[BX_FINGERPRINT_LEN];
	size_t n = job->ring_count < 16 ? job->ring_count : 16;

	for (size_t i = 0; i < n; i++)
		bx_fingerprint_ring(job->rings[i], all + i * BX_FINGERPRINT_LEN);
	bx_fingerprint_bytes((struct bx_span){ all, n * BX_FINGERPRINT_LEN }, digest);
	to_hex(digest, out);
}

static enum bx_err
describe(struct bx_resume *resume, const struct bx_job *job, int fd, struct bx_span head,
	 struct bx_fail *fail)
{
	uint8_t digest[BX_FINGERPRINT_LEN];
	struct stat st;

	if (fstat(fd, &st) != 0)
		return bx_fail_set(fail, BX_ERR_SYS, errno, BX_NOWHERE, "fstat of the input");
	*resume = (struct bx_resume){ .input_size = (uint64_t)st.st_size,
				      .input_mtime_ns = (int64_t)st.st_mtim.tv_sec * 1000000000 +
							st.st_mtim.tv_nsec };
	if (snprintf(resume->path, sizeof(resume->path), "%s.part.state", job->output) >=
	    (int)sizeof(resume->path))
		return bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				   "the output's name is too long");
	(void)snprintf(resume->output, sizeof(resume->output), "%s", job->output);
	bx_fingerprint_bytes(head, digest);
	to_hex(digest, resume->head);
	digest_rings(job, resume->open_rings);
	bx_fingerprint_ring(job->to_ring, digest);
	to_hex(digest, resume->seal_ring);
	(void)snprintf(resume->options, sizeof(resume->options),
		       "on-error=%d strict-roles=%d nonce=%d serializer=%.20s from=%d to=%d",
		       job->on_error, job->strict_roles, job->random_nonces,
		       job->serializer != NULL ? job->serializer : "", job->from, job->to);
	return BX_OK;
}

/* --- the state file -------------------------------------------------------------------------- */

/* Members of bx_job_counts as one array of numbers: they are all uint64_t. */
#define COUNT_WORDS (sizeof(struct bx_job_counts) / sizeof(uint64_t))

enum bx_err
bx_rekey_state_save(const struct bx_resume *resume, struct bx_fail *fail)
{
	const uint64_t *words = (const uint64_t *)(const void *)&resume->counts;
	json_t *counts = json_array();

	for (size_t i = 0; i < COUNT_WORDS; i++)
		json_array_append_new(counts, json_integer((json_int_t)words[i]));

	json_t *o = json_pack(
	    "{s:i,s:I,s:I,s:s,s:s,s:s,s:s,s:I,s:I,s:o}", "boxcar-rekey", 1, "input_size",
	    (json_int_t)resume->input_size, "input_mtime_ns", (json_int_t)resume->input_mtime_ns,
	    "head", resume->head, "open_rings", resume->open_rings, "seal_ring", resume->seal_ring,
	    "options", resume->options, "in_offset", (json_int_t)resume->in_offset, "out_offset",
	    (json_int_t)resume->out_offset, "counts", counts);
	char *text = o != NULL ? json_dumps(o, JSON_INDENT(1)) : NULL;
	enum bx_err err = BX_OK;

	json_decref(o);
	if (text == NULL)
		return bx_fail_set(fail, BX_ERR_NOMEM, 0, BX_NOWHERE, "out of memory");
	err = bx_secret_write(resume->path, (const uint8_t *)text, strlen(text), true, fail);
	free(text);
	return err;
}

static const char *
text_of(const json_t *o, const char *name)
{
	const char *text = json_string_value(json_object_get(o, name));

	return text != NULL ? text : "";
}

/* The name of the first thing that is not as it was, or NULL. */
static const char *
difference(const struct bx_resume *now, const json_t *was)
{
	if (json_integer_value(json_object_get(was, "boxcar-rekey")) != 1)
		return "the state file's version";
	if (json_integer_value(json_object_get(was, "input_size")) != (json_int_t)now->input_size)
		return "the input's size";
	if (json_integer_value(json_object_get(was, "input_mtime_ns")) !=
	    (json_int_t)now->input_mtime_ns)
		return "the input's time of modification";
	if (strcmp(text_of(was, "head"), now->head) != 0)
		return "the input's content";
	if (strcmp(text_of(was, "open_rings"), now->open_rings) != 0)
		return "the keyring of -k";
	if (strcmp(text_of(was, "seal_ring"), now->seal_ring) != 0)
		return "the keyring of -K";
	if (strcmp(text_of(was, "options"), now->options) != 0)
		return "the options";
	return NULL;
}

static enum bx_err
load(struct bx_resume *resume, json_t *state, struct bx_fail *fail)
{
	uint64_t *words = (uint64_t *)(void *)&resume->counts;
	const json_t *counts = json_object_get(state, "counts");
	const char *differs = difference(resume, state);

	if (differs == NULL && json_array_size(counts) != COUNT_WORDS)
		differs = "the state file's version";
	if (differs != NULL) {
		(void)bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE,
				  "%.120s: an interrupted run cannot go on: %s changed",
				  resume->path, differs);
		bx_fail_hint(fail, "--restart discards it and begins again");
		return BX_ERR_USAGE;
	}
	for (size_t i = 0; i < COUNT_WORDS; i++)
		words[i] = (uint64_t)json_integer_value(json_array_get(counts, i));
	resume->in_offset = (uint64_t)json_integer_value(json_object_get(state, "in_offset"));
	resume->out_offset = (uint64_t)json_integer_value(json_object_get(state, "out_offset"));
	resume->resumed = true;
	return BX_OK;
}

enum bx_err
bx_rekey_state_begin(struct bx_resume *resume, const struct bx_job *job, int fd,
		     struct bx_span head, struct bx_fail *fail)
{
	enum bx_err err = describe(resume, job, fd, head, fail);
	uint8_t *bytes = NULL;
	size_t len = 0;

	if (err != BX_OK)
		return err;
	if (job->restart)
		bx_rekey_state_forget(resume, true);
	if (access(resume->path, F_OK) != 0)
		return BX_OK;
	err = bx_secret_read(&bytes, &len, resume->path, STATE_MAX, false, NULL, fail);
	if (err != BX_OK)
		return err;

	json_t *state = json_loadb((const char *)bytes, len, JSON_REJECT_DUPLICATES, NULL);

	bx_secret_free(bytes, len);
	if (state == NULL) {
		(void)bx_fail_set(fail, BX_ERR_USAGE, 0, BX_NOWHERE, "%.120s: not a state file",
				  resume->path);
		bx_fail_hint(fail, "--restart discards it and begins again");
		return BX_ERR_USAGE;
	}
	err = load(resume, state, fail);
	json_decref(state);
	return err;
}

void
bx_rekey_state_forget(const struct bx_resume *resume, bool with_part)
{
	struct bx_fail ignored = { 0 };

	/* The state last: a part without its state is refused, a state without its part too. */
	if (with_part && bx_drain_discard_part(resume->output, &ignored) != BX_OK)
		return;
	(void)unlink(resume->path);
}
