#include "job_cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "summary.h"

#define RINGS_MAX 16u

/* Everything of one invocation that must be freed. */
struct rings {
	struct bx_keyring *open[RINGS_MAX];
	size_t count;
	struct bx_keyring *to;
};

static void
free_rings(struct rings *rings)
{
	for (size_t i = 0; i < rings->count; i++)
		bx_keyring_free(rings->open[i]);
	bx_keyring_free(rings->to);
}

static bool
has_string_key(const struct bx_keyring *ring)
{
	for (size_t i = 0; i < bx_keyring_count(ring); i++)
		if (bx_key_is_string(bx_keyring_at(ring, i)))
			return true;
	return false;
}

static int
load_ring(const struct bx_job_cli *cli, const char *path, struct bx_keyring **ring)
{
	struct bx_fail fail = { 0 };
	bool lax = false;

	if (bx_keyring_load(ring, path, cli->insecure_key_modes, &lax, &fail) != BX_OK)
		return bx_cli_fail(&fail);
	if (lax && !cli->quiet)
		bx_cli_warn("%s: others may read this key file; chmod 600 %s", path, path);
	if (!has_string_key(*ring))
		return -1;
	if (cli->strict_keys) {
		bx_cli_error("%s: holds a string key: everyone who can open with it can also forge",
			     path);
		bx_cli_hint("without --strict-keys it is used, with a warning");
		return BX_EXIT_USAGE;
	}
	if (cli->verbose)
		bx_cli_warn(
		    "%s: string keys serve both roles: everyone who can open can also forge", path);
	return -1;
}

static int
load_rings(const struct bx_job_cli *cli, struct rings *rings)
{
	if (cli->keyrings.count > RINGS_MAX) {
		bx_cli_error("at most %u keyrings", RINGS_MAX);
		return BX_EXIT_USAGE;
	}
	for (size_t i = 0; i < cli->keyrings.count; i++) {
		int code = load_ring(cli, cli->keyrings.items[i], &rings->open[i]);

		if (rings->open[i] != NULL)
			rings->count = i + 1;
		if (code != -1)
			return code;
	}
	return cli->to_keyring == NULL ? -1 : load_ring(cli, cli->to_keyring, &rings->to);
}

/* --- option values --------------------------------------------------------------------------- */

static int
bad_word(const char *verb, const char *option, const char *word, const char *const *names,
	 size_t count)
{
	const char *near = bx_cli_nearest(word, names, count);
	char list[160] = "";
	size_t len = 0;

	for (size_t i = 0; i < count && len < sizeof(list); i++)
		len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%s",
					i == 0 ? "" : (i + 1 == count ? " or " : ", "), names[i]);
	if (near != NULL)
		bx_cli_error("%s: --%s is %s, not \"%.60s\"; did you mean %s?", verb, option, list,
			     word, near);
	else
		bx_cli_error("%s: --%s is %s, not \"%.60s\"", verb, option, list, word);
	bx_cli_hint("boxcar help %s", verb);
	return BX_EXIT_USAGE;
}

/* The index of `word` in `names`; NULL is 0. */
static int
choice(const char *verb, const char *option, const char *word, const char *const *names,
       size_t count, int *index)
{
	*index = 0;
	for (size_t i = 0; word != NULL && i < count; i++)
		if (strcmp(word, names[i]) == 0) {
			*index = (int)i;
			return -1;
		}
	return word == NULL ? -1 : bad_word(verb, option, word, names, count);
}

static int
format_option(const char *verb, const char *option, const char *word, enum bx_format *format,
	      bool *zst)
{
	*format = BX_FORMAT_UNKNOWN;
	if (word == NULL)
		return -1;
	*format = bx_format_of_name(word, zst);
	if (*format != BX_FORMAT_UNKNOWN)
		return -1;

	const char *near = bx_format_nearest(word);

	if (near != NULL)
		bx_cli_error("%s: --%s: no format \"%.60s\"; did you mean %s?", verb, option, word,
			     near);
	else
		bx_cli_error("%s: --%s: no format \"%.60s\"", verb, option, word);
	bx_cli_hint("boxcar help formats");
	return BX_EXIT_USAGE;
}

static int
number_option(const char *verb, const char *option, const char *word, bool *has, uint64_t *value)
{
	if (word == NULL)
		return -1;
	*has = bx_cli_number(word, value);
	if (*has)
		return -1;
	bx_cli_error("%s: --%s wants a number, not \"%.60s\"", verb, option, word);
	return BX_EXIT_USAGE;
}

static int
time_option(const char *verb, const char *option, const char *word, bool *has, int64_t *value)
{
	if (word == NULL)
		return -1;
	*has = bx_cli_time(word, value);
	if (*has)
		return -1;
	bx_cli_error("%s: --%s wants a time (nanoseconds, or 2026-11-24T10:00:00Z), not \"%.60s\"",
		     verb, option, word);
	return BX_EXIT_USAGE;
}

static int
filter_options(const char *verb, const struct bx_job_cli *cli, struct bx_filter *f)
{
	static const char *const matches[] = { "exact", "prefix", "wildcard" };
	static const char *const dirs[] = { "c2r", "r2c" };
	int code;

	f->uri = cli->uri;
	f->types = cli->types.items;
	f->type_count = cli->types.count;
	f->has_dir = cli->dir != NULL;
	if ((code = choice(verb, "match", cli->match, matches, 3, &f->match)) != -1 ||
	    (code = choice(verb, "dir", cli->dir, dirs, 2, &f->dir)) != -1 ||
	    (code = number_option(verb, "session", cli->session, &f->has_session, &f->session)) !=
		-1 ||
	    (code = number_option(verb, "conn", cli->conn, &f->has_conn, &f->conn)) != -1 ||
	    (code = number_option(verb, "limit", cli->limit, &f->has_limit, &f->limit)) != -1 ||
	    (code = time_option(verb, "since", cli->since, &f->has_since, &f->since)) != -1 ||
	    (code = time_option(verb, "until", cli->until, &f->has_until, &f->until)) != -1)
		return code;
	for (size_t i = 0; i < f->type_count; i++)
		if (!bx_job_type_exists(f->types[i])) {
			bx_cli_error("%s: --type: no message type \"%.40s\"", verb, f->types[i]);
			bx_cli_hint("for example --type PUBLISH --type EVENT");
			return BX_EXIT_USAGE;
		}
	return -1;
}

/* Tests fix the nonces: never set this where the output is kept. */
static void
fixed_nonces(struct bx_job *job)
{
	const char *seed = getenv("BOXCAR_TEST_NONCE_SEED");

	if (seed == NULL)
		return;
	job->fixed_nonces = true;
	job->fixed_nonce_seed = strtoull(seed, NULL, 10);
	bx_cli_warn(
	    "BOXCAR_TEST_NONCE_SEED is set: nonces are predictable, the output is not secure");
}

static int
fill_job(const char *verb, const struct bx_job_cli *cli, struct bx_job *job)
{
	static const char *const policies[] = { "stop", "skip", "pass" };
	static const char *const nonces[] = { "car", "random" };
	static const char *const ios[] = { "auto", "uring", "sync" };
	static const char *const whens[] = { "auto", "always", "never" };
	int code, policy, nonce, when;

	if ((code = format_option(verb, "from", cli->from, &job->from, NULL)) != -1 ||
	    (code = format_option(verb, "to", cli->to, &job->to, &job->to_zst)) != -1 ||
	    (code = choice(verb, "on-error", cli->on_error, policies, 3, &policy)) != -1 ||
	    (code = choice(verb, "nonce", cli->nonce, nonces, 2, &nonce)) != -1 ||
	    (code = choice(verb, "io", cli->io, ios, 3, &job->io)) != -1 ||
	    (code = choice(verb, "progress", cli->progress, whens, 3, &when)) != -1 ||
	    (code = filter_options(verb, cli, &job->filter)) != -1)
		return code;
	if (cli->threads > 256) {
		bx_cli_error("%s: --threads is at most 256", verb);
		return BX_EXIT_USAGE;
	}
	job->to_zst_set = cli->to != NULL;
	job->on_error = (enum bx_on_error)policy;
	job->random_nonces = nonce == 1;
	job->serializer = cli->serializer;
	job->rejects = cli->rejects;
	job->strict = cli->strict;
	job->lossless = cli->lossless;
	job->strict_roles = cli->strict_roles;
	job->dry_run = cli->dry_run;
	job->force = cli->force;
	job->restart = cli->restart;
	job->raw = cli->raw;
	job->follow = cli->follow;
	job->threads = (unsigned)cli->threads;
	job->chunk = (size_t)cli->chunk;
	job->kernel = cli->kernel;
	job->no_sync = cli->no_sync;
	job->stop_fd = bx_cli_stop_fd();
	fixed_nonces(job);
	return -1;
}

/* --- running --------------------------------------------------------------------------------- */

static void
notice_all(void *context, bool important, const char *text)
{
	(void)context;
	(void)important;
	(void)fprintf(stderr, "boxcar: %s\n", text);
}

static void
notice_important(void *context, bool important, const char *text)
{
	if (important)
		notice_all(context, important, text);
}

static bool
same_file(const char *a, const char *b)
{
	struct stat x, y;

	return a != NULL && b != NULL && strcmp(a, "-") != 0 && strcmp(b, "-") != 0 &&
	       stat(a, &x) == 0 && stat(b, &y) == 0 && S_ISREG(x.st_mode) && x.st_dev == y.st_dev &&
	       x.st_ino == y.st_ino;
}

static int
check_output(const char *verb, const struct bx_job *job)
{
	for (size_t i = 0; i < job->input_count; i++)
		if (same_file(job->inputs[i], job->output)) {
			bx_cli_error("%s: %s is both input and output", verb, job->output);
			bx_cli_hint("write beside it, then rename");
			return BX_EXIT_USAGE;
		}
	if (same_file(job->output, job->rejects)) {
		bx_cli_error("%s: %s is both output and --rejects", verb, job->output);
		return BX_EXIT_USAGE;
	}
	return -1;
}

static bool
to_stdout(const struct bx_job *job)
{
	return job->verb != BX_VERB_VERIFY && job->verb != BX_VERB_INFO && !job->dry_run &&
	       (job->output == NULL || strcmp(job->output, "-") == 0);
}

/* cat and info leave silently when nobody reads on (decisions.md 18). */
static bool
reader_left(const struct bx_job *job, const struct bx_fail *fail)
{
	return fail->sys == EPIPE && (job->verb == BX_VERB_CAT || job->verb == BX_VERB_INFO);
}

static int
exit_code(const struct bx_job *job, const struct bx_job_cli *cli, struct bx_job_result *result,
	  const struct bx_fail *fail)
{
	if (fail->code != BX_OK)
		return bx_cli_exit_of(fail->code);
	if (result->first.code != BX_OK) { /* verify, cat: keys before damage */
		for (int f = 1; f < BX_FAILURE_COUNT; f++)
			if (result->counts.failed[f] != 0 &&
			    bx_cli_exit_of(bx_failure_err((enum bx_failure)f)) == BX_EXIT_KEYS &&
			    !(job->verb == BX_VERB_CAT &&
			      (f == BX_FAILURE_NO_KEY || f == BX_FAILURE_NO_ROLE)))
				return BX_EXIT_KEYS;
		return bx_cli_exit_of(result->first.code);
	}
	if (!bx_job_losses(job, result))
		return BX_EXIT_OK;
	return job->verb == BX_VERB_VERIFY && cli->strict ? BX_EXIT_KEYS : BX_EXIT_LOSSES;
}

static int
run_one(const char *name, const struct bx_job_cli *cli, struct bx_job *job)
{
	struct bx_job_result result = { 0 };
	struct bx_fail fail = { 0 };
	struct bx_progress_line line = { .name = name };
	int code = check_output(name, job);

	if (code != -1)
		return code;
	if (bx_summary_wants_progress(cli->progress, cli->quiet, cli->json)) {
		job->progress = bx_summary_progress;
		job->context = &line;
	}
	job->notice =
	    cli->verbose ? notice_all : (cli->quiet || cli->json ? NULL : notice_important);

	enum bx_err err = bx_job_run(job, &result, &fail);

	bx_summary_progress_end(&line);
	code = exit_code(job, cli, &result, err == BX_OK ? &(struct bx_fail){ 0 } : &fail);
	if (err != BX_OK && !reader_left(job, &fail) && !cli->json)
		(void)bx_cli_fail(&fail);
	else if (result.first.code != BX_OK && !cli->json)
		(void)bx_cli_fail(&result.first);
	bx_summary_print(name, job, &result, err == BX_OK ? &result.first : &fail, code,
			 &(struct bx_summary_options){ .json = cli->json,
						       .quiet = cli->quiet,
						       .verbose = cli->verbose,
						       .on_stderr = to_stdout(job) });
	if (err != BX_OK && to_stdout(job) && result.has_last_good && !cli->json)
		(void)fprintf(stderr, "boxcar: INCOMPLETE: the last good message is number %llu\n",
			      (unsigned long long)result.last_good);
	bx_job_result_free(&result);
	return code;
}

/* The file name of one connection and direction: BASE.CONN.DIR.SUFFIX. */
static bool
stream_path(char *path, size_t cap, const char *dir, const char *base,
	    const struct bx_info_row *row, const char *suffix)
{
	int len = snprintf(path, cap, "%s%.*s.%03llu%s%s.%s", dir, (int)strcspn(base, "."), base,
			   (unsigned long long)row->id, row->name[0] != '\0' ? "." : "", row->name,
			   suffix);

	return len > 0 && (size_t)len < cap;
}

/*
 * convert of a recording of several connections into a format that holds one: one output for each
 * connection and direction (decisions.md 17). -1: the input is not such a recording.
 */
static int
run_streams(const char *name, const struct bx_job_cli *cli, const struct bx_job *job,
	    const char *base)
{
	static const char *const suffixes[BX_FORMAT_COUNT] = {
		[BX_FORMAT_RAWSOCKET] = "rs",
		[BX_FORMAT_MSGPACK] = "msgpack",
		[BX_FORMAT_CBOR] = "cbor",
		[BX_FORMAT_JSONL] = "jsonl",
		[BX_FORMAT_BATCHED_JSON] = "batched-json",
		[BX_FORMAT_BATCHED_MSGPACK] = "batched-msgpack",
		[BX_FORMAT_BATCHED_CBOR] = "batched-cbor",
	};
	struct bx_job look = *job;
	struct bx_job_result result = { 0 };
	struct bx_fail fail = { 0 };
	int first = -1;

	if (job->verb != BX_VERB_CONVERT || suffixes[job->to] == NULL ||
	    strcmp(job->inputs[0], "-") == 0)
		return -1;
	look.verb = BX_VERB_INFO;
	look.progress = NULL;
	if (bx_job_run(&look, &result, &fail) != BX_OK) {
		bx_job_result_free(&result);
		return bx_cli_fail(&fail);
	}
	for (size_t i = 0; i < result.stream_count; i++) {
		const struct bx_info_row *row = &result.streams[i];
		struct bx_job one = *job;
		char path[4096];

		if (!stream_path(path, sizeof(path), job->output, base, row, suffixes[job->to])) {
			bx_cli_error("%s: name too long", name);
			first = BX_EXIT_USAGE;
			break;
		}
		one.output = path;
		one.filter.has_conn = true;
		one.filter.conn = row->id;
		one.filter.has_dir = row->name[0] != '\0';
		one.filter.dir = strcmp(row->name, "r2c") == 0;

		int code = run_one(name, cli, &one);

		if (first == -1 || first == BX_EXIT_OK)
			first = code;
	}
	bx_job_result_free(&result);
	return first;
}

/* -o DIR/: one output for each input, under its base name. */
static int
run_each(const char *name, const struct bx_job_cli *cli, struct bx_job *job)
{
	size_t count = job->input_count;
	const char *const *inputs = job->inputs;
	const char *dir = job->output;
	int first = BX_EXIT_OK;

	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < i; k++) {
			const char *a = strrchr(inputs[i], '/'), *b = strrchr(inputs[k], '/');

			a = a != NULL ? a + 1 : inputs[i];
			b = b != NULL ? b + 1 : inputs[k];
			if (strcmp(a, b) == 0) {
				bx_cli_error("%s: %s and %s would be the same file in %s", name,
					     inputs[k], inputs[i], dir);
				return BX_EXIT_USAGE;
			}
		}
	for (size_t i = 0; i < count; i++) {
		const char *base = strrchr(inputs[i], '/');
		char path[4096];
		struct bx_job one = *job;

		base = base != NULL ? base + 1 : inputs[i];
		if (strcmp(inputs[i], "-") == 0) {
			bx_cli_error("%s: stdin has no name to write under in %s", name, dir);
			return BX_EXIT_USAGE;
		}
		(void)snprintf(path, sizeof(path), "%s%s", dir, base);
		one.inputs = &inputs[i];
		one.input_count = 1;
		one.output = path;

		one.output = dir;

		int code = run_streams(name, cli, &one, base);

		one.output = path;
		if (code == -1)
			code = run_one(name, cli, &one);
		if (first == BX_EXIT_OK)
			first = code;
		if (code == BX_EXIT_SIGINT || code == BX_EXIT_SIGTERM)
			return code;
	}
	return first;
}

static bool
is_directory(const char *path)
{
	struct stat st;

	return path != NULL && path[0] != '\0' &&
	       (path[strlen(path) - 1] == '/' ||
		(strcmp(path, "-") != 0 && stat(path, &st) == 0 && S_ISDIR(st.st_mode)));
}

int
bx_job_cli_want_keyring(const struct bx_job_cli *cli, const char *name)
{
	if (cli->keyrings.count != 0)
		return -1;
	bx_cli_error("%s: no keyring", name);
	bx_cli_hint("name one with -k RING; boxcar keyring add makes one");
	return BX_EXIT_USAGE;
}

int
bx_job_cli_run(enum bx_verb verb, struct bx_job_cli *cli, const struct bx_cli_list *operands,
	       const char *name)
{
	struct bx_job job = BX_JOB_DEFAULT(verb);
	struct rings rings = { 0 };
	int code = fill_job(name, cli, &job);

	if (code == -1)
		code = load_rings(cli, &rings);
	if (code != -1) {
		free_rings(&rings);
		return code;
	}
	job.inputs = operands->items;
	job.input_count = operands->count;
	job.output = cli->output;
	job.rings = (const struct bx_keyring *const *)rings.open;
	job.ring_count = rings.count;
	job.to_ring = rings.to;
	if (is_directory(job.output)) {
		if (job.output[strlen(job.output) - 1] != '/') {
			bx_cli_error("%s: %s is a directory", name, job.output);
			bx_cli_hint("-o %s/ writes one output for each input", job.output);
			code = BX_EXIT_USAGE;
		} else {
			code = run_each(name, cli, &job);
		}
	} else {
		code = run_one(name, cli, &job);
	}
	free_rings(&rings);
	return code;
}
