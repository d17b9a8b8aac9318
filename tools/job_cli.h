/* The options, summary and exit code that all verbs over recordings share. */
#ifndef BX_TOOLS_JOB_CLI_H
#define BX_TOOLS_JOB_CLI_H

#include "boxcar/job.h"
#include "cli.h"

/* Values of the shared options. Set up by bx_job_cli_defaults, then filled by the parser. */
struct bx_job_cli {
	struct bx_cli_list keyrings;
	const char *to_keyring;
	const char *output;
	const char *from, *to;
	const char *serializer;
	const char *on_error;
	const char *rejects;
	const char *nonce;
	const char *io;
	const char *kernel;
	const char *progress;
	uint64_t threads;
	uint64_t chunk;
	bool strict, lossless, strict_roles, strict_keys, insecure_key_modes;
	bool dry_run, force, restart, json, quiet, verbose, no_sync;
	/* cat, convert */
	const char *uri, *match, *session, *conn, *dir, *since, *until, *limit;
	struct bx_cli_list types;
	bool raw, follow;
};

/* Rows for an option table; `c` is a struct bx_job_cli *. */
#define BX_JOB_CLI_INPUT(c)                                                                        \
	{ "from", 'f', BX_CLI_TEXT, &(c)->from, "FORMAT", "input format (default: recognised)" },  \
	{                                                                                          \
		"serializer", 0, BX_CLI_TEXT, &(c)->serializer, "NAME",                            \
		    "json, msgpack or cbor, where the input does not say"                          \
	}

#define BX_JOB_CLI_OUTPUT(c)                                                                         \
	{                                                                                            \
		"output",    'o',                                                                    \
		BX_CLI_TEXT, &(c)->output,                                                           \
		"FILE",      "output (default: stdout); DIR/ writes one output for each input"       \
	},                                                                                           \
	    { "to",     't',      BX_CLI_TEXT,                                                       \
	      &(c)->to, "FORMAT", "output format (default: by the name of -o, else as the input)" }, \
	{                                                                                            \
		"force", 0, BX_CLI_FLAG, &(c)->force, NULL, "replace an existing output"             \
	}

#define BX_JOB_CLI_KEYS(c)                                                                         \
	{ "keyring",      'k',    BX_CLI_LIST,                                                     \
	  &(c)->keyrings, "FILE", "payload keys; may be repeated where it opens" },                \
	    { "insecure-key-modes",     0,    BX_CLI_FLAG,                                         \
	      &(c)->insecure_key_modes, NULL, "only warn of key files that others may read" },     \
	    { "strict-roles",     0,    BX_CLI_FLAG,                                               \
	      &(c)->strict_roles, NULL, "an entry must hold the role that Autobahn would need" },  \
	{                                                                                          \
		"strict-keys", 0, BX_CLI_FLAG, &(c)->strict_keys, NULL,                            \
		    "refuse keyrings with string keys (one key for both roles)"                    \
	}

#define BX_JOB_CLI_POLICY(c)                                                                       \
	{ "on-error",     0,        BX_CLI_TEXT,                                                   \
	  &(c)->on_error, "POLICY", "stop, skip or pass a message that fails (default: stop)" },   \
	{                                                                                          \
		"rejects", 0, BX_CLI_TEXT, &(c)->rejects, "FILE",                                  \
		    "skipped messages go there, as trace lines with the reason"                    \
	}

#define BX_JOB_CLI_RUN(c)                                                                          \
	{ "threads", 'j', BX_CLI_NUMBER, &(c)->threads, "N", "threads (default: all cores)" },     \
	    { "io", 0, BX_CLI_TEXT, &(c)->io, "MODE", "auto, uring or sync (default: auto)" },     \
	    { "kernel",     0,      BX_CLI_TEXT,                                                   \
	      &(c)->kernel, "NAME", "auto, avx512, avx2 or portable (default: auto)" },            \
	    { "chunk", 0, BX_CLI_NUMBER, &(c)->chunk, "BYTES", NULL },                             \
	    { "no-sync", 0, BX_CLI_FLAG, &(c)->no_sync, NULL, NULL },                              \
	    { "json", 0, BX_CLI_FLAG, &(c)->json, NULL, "the result as one JSON object" },         \
	    { "progress",     0,      BX_CLI_TEXT,                                                 \
	      &(c)->progress, "WHEN", "auto, always or never (default: auto)" },                   \
	    { "quiet", 'q', BX_CLI_FLAG, &(c)->quiet, NULL, "no summary" },                        \
	{                                                                                          \
		"verbose", 'v', BX_CLI_FLAG, &(c)->verbose, NULL, "say what was chosen, and why"   \
	}

/* -1 when -k was given, else a usage error was printed: the code to exit with. */
int bx_job_cli_want_keyring(const struct bx_job_cli *cli, const char *name);

/*
 * Runs `verb` over the operands and says what came of it. Returns the exit code.
 */
int bx_job_cli_run(enum bx_verb verb, struct bx_job_cli *cli, const struct bx_cli_list *operands,
		   const char *name);

#endif
