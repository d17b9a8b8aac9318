/* What every verb of the program shares: option tables, help, numbers, errors, exit codes. */
#ifndef BX_TOOLS_CLI_H
#define BX_TOOLS_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boxcar/fail.h"

/* Exit codes (cli.md "Exit codes"). */
enum {
	BX_EXIT_OK = 0,
	BX_EXIT_FAILED = 1,
	BX_EXIT_USAGE = 2,
	BX_EXIT_LOSSES = 3,
	BX_EXIT_DAMAGED = 4,
	BX_EXIT_KEYS = 5,
	BX_EXIT_PEER = 6,
	BX_EXIT_UNFIT = 7,
	BX_EXIT_SIGINT = 130,
	BX_EXIT_SIGTERM = 143,
};

enum bx_cli_kind {
	BX_CLI_FLAG,     /* bool: true when given */
	BX_CLI_TEXT,     /* const char * */
	BX_CLI_LIST,     /* struct bx_cli_list: may be repeated */
	BX_CLI_NUMBER,   /* uint64_t: 10, 64Ki, 1e6, 2.5M */
	BX_CLI_DURATION, /* uint64_t ns: 5ms, 2s, 1.5h */
	BX_CLI_RATE,     /* double per second: 50k, 50k/s */
	BX_CLI_REAL,     /* double */
	BX_CLI_HEADING,  /* no option: `help` is a line above the next group */
};

/* Repeated values, in order. `items` has room for every argument of the command line. */
struct bx_cli_list {
	const char **items;
	size_t count;
};

/* One row of a verb's table. A `help` of NULL hides the option from the help text. */
struct bx_cli_option {
	const char *name; /* long name without dashes */
	char letter;      /* or 0 */
	enum bx_cli_kind kind;
	void *value;         /* of the type that the kind names; holds the default before */
	const char *metavar; /* "FILE"; NULL for flags */
	const char *help;    /* with unit and default */
};

/* A verb's page: what `boxcar help VERB` prints, and what parse checks. */
struct bx_cli_command {
	const char *verb;
	const char *usage;   /* after "usage: boxcar " */
	const char *about;   /* one or more sentences */
	const char *example; /* a working example */
	const struct bx_cli_option *options;
	size_t option_count;
	size_t operands_min;
	size_t operands_max;
};

/*
 * Parses argv[0..argc) (the words after the verb). Returns -1 to go on, else the code to exit with
 * (help was printed: 0; a usage error was printed: 2). Lists and operands are allocated once and
 * live until the program ends.
 */
int bx_cli_parse(const struct bx_cli_command *command, int argc, char **argv,
		 struct bx_cli_list *operands);

/* Frees what parse allocated; the last thing that main does. */
void bx_cli_release(void);

/* Prints a verb's page. */
void bx_cli_help(const struct bx_cli_command *command);

/* "boxcar: error: ...", "boxcar: warning: ...", "boxcar: hint: ..." on stderr. */
void bx_cli_error(const char *fmt, ...) BX_PRINTF(1, 2);
void bx_cli_warn(const char *fmt, ...) BX_PRINTF(1, 2);
void bx_cli_hint(const char *fmt, ...) BX_PRINTF(1, 2);

/* Prints a fail (with errno's text and its hint) and returns the exit code that fits it. */
int bx_cli_fail(const struct bx_fail *fail);
int bx_cli_exit_of(enum bx_err code);

/* The name among names[0..count) nearest to `word`, or NULL when none is near. */
const char *bx_cli_nearest(const char *word, const char *const *names, size_t count);

bool bx_cli_number(const char *text, uint64_t *value);
bool bx_cli_duration(const char *text, uint64_t *ns);
bool bx_cli_rate(const char *text, double *per_second);
/* ns since the epoch: an integer (ns), seconds with a fraction, or RFC 3339
 * ("2026-11-24T10:00:00Z"). */
bool bx_cli_time(const char *text, int64_t *ns);

/* Writes all of `text` to stdout; false when stdout is gone (then errno says why). */
bool bx_cli_out(const char *text, size_t len);

/*
 * Catches SIGINT and SIGTERM: a descriptor that becomes readable when one arrives, and which one
 * it was (0: none). The second signal ends the program at once.
 */
int bx_cli_stop_fd(void);
int bx_cli_stop_signal(void);

/* One row of the verb table in main.c. argv[0] is the first word after the verb. */
struct bx_cli_verb {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *summary;
};

int bx_verb_keygen(int argc, char **argv);
int bx_verb_keyring(int argc, char **argv);
int bx_verb_seal(int argc, char **argv);
int bx_verb_open(int argc, char **argv);
int bx_verb_rekey(int argc, char **argv);
int bx_verb_verify(int argc, char **argv);
int bx_verb_convert(int argc, char **argv);
int bx_verb_info(int argc, char **argv);
int bx_verb_cat(int argc, char **argv);
int bx_verb_recover(int argc, char **argv);
int bx_verb_gen(int argc, char **argv);
int bx_verb_bench(int argc, char **argv);
int bx_verb_record(int argc, char **argv);
int bx_verb_replay(int argc, char **argv);
int bx_verb_load(int argc, char **argv);
int bx_verb_report(int argc, char **argv);

#endif
