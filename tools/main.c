/* boxcar: the verb table, dispatch and help. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "boxcar/format.h"
#include "boxcar/job.h"
#include "cli.h"

static const struct bx_cli_verb verbs[] = {
	{ "keygen", bx_verb_keygen, "make a key" },
	{ "keyring", bx_verb_keyring, "make and check keyring files" },
	{ "seal", bx_verb_seal, "seal the payload of every message whose URI has a key" },
	{ "open", bx_verb_open, "the inverse" },
	{ "rekey", bx_verb_rekey, "open with one keyring, seal with another" },
	{ "verify", bx_verb_verify, "authenticate everything, write nothing" },
	{ "convert", bx_verb_convert, "any format to any other, payloads untouched" },
	{ "info", bx_verb_info, "what a recording holds" },
	{ "cat", bx_verb_cat, "print messages, one JSON object a line" },
	{ "gen", bx_verb_gen, "make a synthetic recording" },
	{ "bench", bx_verb_bench,
	  "measure each stage on this machine, with this file and these keys" },
};

#define VERB_COUNT (sizeof(verbs) / sizeof(verbs[0]))

static const struct bx_cli_verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < VERB_COUNT; i++)
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int
unknown_verb(const char *name)
{
	const char *names[VERB_COUNT + 1];

	for (size_t i = 0; i < VERB_COUNT; i++)
		names[i] = verbs[i].name;
	names[VERB_COUNT] = "help";

	const char *near = bx_cli_nearest(name, names, VERB_COUNT + 1);

	if (near != NULL)
		bx_cli_error("no verb \"%.60s\"; did you mean %s?", name, near);
	else
		bx_cli_error("no verb \"%.60s\"", name);
	bx_cli_hint("boxcar help");
	return BX_EXIT_USAGE;
}

static int
print_overview(void)
{
	(void)printf("usage: boxcar VERB [options] [FILE...]\n\n"
		     "Protects, keeps, moves and replays recorded WAMP traffic.\n\nverbs:\n");
	for (size_t i = 0; i < VERB_COUNT; i++)
		(void)printf("  %-10s %s\n", verbs[i].name, verbs[i].summary);
	(void)printf("\nboxcar help VERB tells more; boxcar help formats lists the formats.\n"
		     "No FILE, or -, is stdin; no -o, or -o -, is stdout.\n");
	return BX_EXIT_OK;
}

static int
print_formats(void)
{
	(void)printf("formats (-f, -t; each also with .zst):\n");
	for (int f = BX_FORMAT_RAWSOCKET; f < BX_FORMAT_BOXCAR; f++)
		(void)printf("  %s%s\n", bx_format_name((enum bx_format)f),
			     f == BX_FORMAT_WEBSOCKET ? " (input only)" : "");
	return BX_EXIT_OK;
}

static int
help(int argc, char **argv)
{
	char word[] = "--help";
	char *args[] = { word, NULL };
	const struct bx_cli_verb *verb;

	if (argc == 0)
		return print_overview();
	if (strcmp(argv[0], "formats") == 0)
		return print_formats();
	verb = find_verb(argv[0]);
	return verb != NULL ? verb->run(1, args) : unknown_verb(argv[0]);
}

/* Key bytes must not reach a core file, a debugger or a child (threat-model.md section 6). */
static void
close_doors(void)
{
	const struct rlimit none = { 0, 0 };

	(void)setrlimit(RLIMIT_CORE, &none);
	(void)prctl(PR_SET_DUMPABLE, 0);
	(void)signal(SIGPIPE, SIG_IGN);
}

/* A closed 0, 1 or 2 would be given to the next file that is opened. Using it still fails. */
static void
hold_standard_descriptors(void)
{
	for (int fd = 0; fd <= 2; fd++)
		if (fcntl(fd, F_GETFD) == -1)
			(void)open("/dev/null", fd == 0 ? O_WRONLY : O_RDONLY);
}

int
main(int argc, char **argv)
{
	int code;

	hold_standard_descriptors();
	close_doors();
	if (argc < 2)
		code = print_overview();
	else if (strcmp(argv[1], "--version") == 0)
		code = printf("boxcar %s\n", bx_version()) < 0 ? BX_EXIT_FAILED : BX_EXIT_OK;
	else if (strcmp(argv[1], "help") == 0)
		code = help(argc - 2, argv + 2);
	else if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		code = print_overview();
	else {
		const struct bx_cli_verb *verb = find_verb(argv[1]);

		code = verb != NULL ? verb->run(argc - 2, argv + 2) : unknown_verb(argv[1]);
	}
	if (fflush(stdout) != 0 && code == BX_EXIT_OK)
		code = BX_EXIT_FAILED;
	bx_cli_release();
	return code;
}
