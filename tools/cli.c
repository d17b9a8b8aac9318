#include "cli.h"

#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

/* --- words on stderr ------------------------------------------------------------------------- */

static void
say(const char *kind, const char *fmt, va_list ap)
{
	char line[1024];

	(void)vsnprintf(line, sizeof(line), fmt, ap);
	(void)fprintf(stderr, "boxcar: %s: ", kind);
	/* File names and words come from anywhere: nothing of them may steer a terminal. */
	for (const unsigned char *p = (const unsigned char *)line; *p != '\0'; p++)
		if (*p >= 0x20 && *p < 0x7f)
			(void)fputc(*p, stderr);
		else
			(void)fprintf(stderr, "\\x%02x", *p);
	(void)fputc('\n', stderr);
}

void
bx_cli_error(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("error", fmt, ap);
	va_end(ap);
}

void
bx_cli_warn(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("warning", fmt, ap);
	va_end(ap);
}

void
bx_cli_hint(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say("hint", fmt, ap);
	va_end(ap);
}

int
bx_cli_exit_of(enum bx_err code)
{
	switch (code) {
	case BX_OK:
		return BX_EXIT_OK;
	case BX_ERR_USAGE:
		return BX_EXIT_USAGE;
	case BX_ERR_FORMAT:
	case BX_ERR_LIMIT:
	case BX_ERR_UNSUPPORTED:
		return BX_EXIT_DAMAGED;
	case BX_ERR_NOKEY:
	case BX_ERR_AUTH:
		return BX_EXIT_KEYS;
	case BX_ERR_PEER:
		return BX_EXIT_PEER;
	case BX_ERR_INTERRUPTED:
		return bx_cli_stop_signal() == SIGTERM ? BX_EXIT_SIGTERM : BX_EXIT_SIGINT;
	case BX_ERR_SYS:
	case BX_ERR_NOMEM:
		break;
	}
	return BX_EXIT_FAILED;
}

int
bx_cli_fail(const struct bx_fail *fail)
{
	if (fail->sys != 0)
		bx_cli_error("%s: %s", fail->msg, strerror(fail->sys));
	else
		bx_cli_error("%s", fail->msg);
	if (fail->hint[0] != '\0')
		bx_cli_hint("%s", fail->hint);
	return bx_cli_exit_of(fail->code);
}

bool
bx_cli_out(const char *text, size_t len)
{
	while (len != 0) {
		ssize_t got = write(STDOUT_FILENO, text, len);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return false;
		text += got;
		len -= (size_t)got;
	}
	return true;
}

/* --- nearest word ---------------------------------------------------------------------------- */

/* Edits (insert, delete, change, swap of neighbours counted as two) between two short words. */
static size_t
edits(const char *a, const char *b)
{
	size_t len_a = strlen(a), len_b = strlen(b);
	size_t row[64];

	if (len_a > 60 || len_b > 60)
		return SIZE_MAX;
	for (size_t j = 0; j <= len_b; j++)
		row[j] = j;
	for (size_t i = 1; i <= len_a; i++) {
		size_t corner = row[0];

		row[0] = i;
		for (size_t j = 1; j <= len_b; j++) {
			size_t best = corner + (a[i - 1] != b[j - 1]);

			corner = row[j];
			if (row[j] + 1 < best)
				best = row[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			row[j] = best;
		}
	}
	return row[len_b];
}

const char *
bx_cli_nearest(const char *word, const char *const *names, size_t count)
{
	const char *best = NULL;
	size_t best_edits = SIZE_MAX;

	for (size_t i = 0; i < count; i++) {
		size_t n = edits(word, names[i]);

		if (strncmp(word, names[i], strlen(word)) == 0 && word[0] != '\0')
			n = 1;
		if (n < best_edits) {
			best_edits = n;
			best = names[i];
		}
	}
	return best_edits <= 1 + strlen(word) / 3 ? best : NULL;
}

/* --- numbers --------------------------------------------------------------------------------- */

/* A non-negative decimal number with optional fraction and exponent; *end is the rest. */
static bool
decimal(const char *text, double *value, const char **end)
{
	char *stop;

	if ((text[0] < '0' || text[0] > '9') && text[0] != '.')
		return false;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X'))
		return false;
	errno = 0;
	*value = strtod(text, &stop);
	*end = stop;
	return stop != text && errno == 0 && isfinite(*value);
}

static bool
scale_of(const char *suffix, double *scale)
{
	static const struct {
		const char *suffix;
		double scale;
	} scales[] = {
		{ "", 1 },
		{ "k", 1e3 },
		{ "K", 1e3 },
		{ "M", 1e6 },
		{ "G", 1e9 },
		{ "T", 1e12 },
		{ "Ki", 1024 },
		{ "Mi", 1048576 },
		{ "Gi", 1073741824 },
		{ "Ti", 1099511627776.0 },
	};

	for (size_t i = 0; i < sizeof(scales) / sizeof(scales[0]); i++)
		if (strcmp(suffix, scales[i].suffix) == 0) {
			*scale = scales[i].scale;
			return true;
		}
	return false;
}

bool
bx_cli_number(const char *text, uint64_t *value)
{
	size_t digits = strspn(text, "0123456789");

	if (digits != 0 && text[digits] == '\0') { /* exact, also above 2^53 */
		errno = 0;
		*value = strtoull(text, NULL, 10);
		return errno == 0;
	}

	double v, scale;
	const char *end;

	if (!decimal(text, &v, &end) || !scale_of(end, &scale))
		return false;
	v *= scale;
	if (v != floor(v) || v > 18446744073709549568.0)
		return false;
	*value = (uint64_t)v;
	return true;
}

bool
bx_cli_rate(const char *text, double *per_second)
{
	char copy[64];
	size_t len = strlen(text);

	if (len == 0 || len >= sizeof(copy))
		return false;
	memcpy(copy, text, len + 1);
	if (len > 2 && strcmp(copy + len - 2, "/s") == 0)
		copy[len - 2] = '\0';

	double scale;
	const char *end;

	if (!decimal(copy, per_second, &end) || !scale_of(end, &scale))
		return false;
	*per_second *= scale;
	return true;
}

bool
bx_cli_duration(const char *text, uint64_t *ns)
{
	static const struct {
		const char *suffix;
		double scale;
	} units[] = { { "ns", 1 },   { "us", 1e3 },   { "ms", 1e6 },   { "s", 1e9 },
		      { "m", 60e9 }, { "h", 3600e9 }, { "d", 86400e9 } };
	double v;
	const char *end;

	if (!decimal(text, &v, &end))
		return false;
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (strcmp(end, units[i].suffix) == 0) {
			v = round(v * units[i].scale);
			if (v >= 9.2e18)
				return false;
			*ns = (uint64_t)v;
			return true;
		}
	return false;
}

/* RFC 3339 with "T" or a space, an optional fraction, "Z" or an offset. */
static bool
rfc3339(const char *text, int64_t *ns)
{
	struct tm tm = { 0 };
	const char *p = strptime(text, "%Y-%m-%d", &tm);
	int64_t fraction = 0, offset = 0;

	if (p == NULL)
		return false;
	if (*p == 'T' || *p == 't' || *p == ' ') {
		p = strptime(p + 1, "%H:%M:%S", &tm);
		if (p == NULL)
			return false;
		if (*p == '.') {
			int64_t unit = 100000000;

			for (p++; *p >= '0' && *p <= '9'; p++, unit /= 10)
				fraction += (*p - '0') * unit;
		}
		if (*p == '+' || *p == '-') {
			int hours, minutes, used = 0;

			if (sscanf(p + 1, "%2d:%2d%n", &hours, &minutes, &used) != 2 || used != 5)
				return false;
			offset = (hours * 60 + minutes) * 60 * (*p == '-' ? -1 : 1);
			p += 6;
		} else if (*p == 'Z' || *p == 'z') {
			p++;
		}
	}
	if (*p != '\0')
		return false;
	*ns = ((int64_t)timegm(&tm) - offset) * 1000000000 + fraction;
	return true;
}

bool
bx_cli_time(const char *text, int64_t *ns)
{
	size_t sign = text[0] == '-' ? 1 : 0;
	size_t digits = strspn(text + sign, "0123456789");

	if (digits != 0 && text[sign + digits] == '\0') {
		errno = 0;
		*ns = strtoll(text, NULL, 10);
		return errno == 0;
	}
	if (digits != 0 && text[sign + digits] == '.') {
		double v;
		const char *end;

		if (!decimal(text + sign, &v, &end) || *end != '\0' || v > 9.2e9)
			return false;
		*ns = (int64_t)llround(v * 1e9) * (sign != 0 ? -1 : 1);
		return true;
	}
	return rfc3339(text, ns);
}

/* --- options --------------------------------------------------------------------------------- */

void
bx_cli_help(const struct bx_cli_command *command)
{
	(void)printf("usage: boxcar %s\n\n%s\n", command->usage, command->about);
	if (command->option_count != 0)
		(void)printf("\noptions:\n");
	for (size_t i = 0; i < command->option_count; i++) {
		const struct bx_cli_option *o = &command->options[i];
		char left[64];

		if (o->help == NULL)
			continue;
		if (o->kind == BX_CLI_HEADING) {
			(void)printf("\n%s:\n", o->help);
			continue;
		}

		char letter[4] = "   ";

		if (o->letter != 0)
			(void)snprintf(letter, sizeof(letter), "-%c,", o->letter);
		(void)snprintf(left, sizeof(left), "%s --%s%s%s", letter, o->name,
			       o->metavar != NULL ? " " : "", o->metavar != NULL ? o->metavar : "");
		(void)printf("  %-32s %s\n", left, o->help);
	}
	(void)printf("  %-32s %s\n", "-h, --help", "print this page");
	if (command->example != NULL)
		(void)printf("\nexample:\n  %s\n", command->example);
}

static int
usage_error(const struct bx_cli_command *command)
{
	bx_cli_hint("boxcar help %s", command->verb);
	return BX_EXIT_USAGE;
}

static const struct bx_cli_option *
find_option(const struct bx_cli_command *command, const char *name, size_t len, char letter)
{
	for (size_t i = 0; i < command->option_count; i++) {
		const struct bx_cli_option *o = &command->options[i];

		if (o->kind == BX_CLI_HEADING)
			continue;
		if (letter != 0 ? o->letter == letter
				: strlen(o->name) == len && memcmp(o->name, name, len) == 0)
			return o;
	}
	return NULL;
}

static int
unknown_option(const struct bx_cli_command *command, const char *word, size_t len)
{
	const char *names[128];
	char name[64];
	size_t count = 0;

	(void)snprintf(name, sizeof(name), "%.*s", (int)(len < 60 ? len : 60), word);
	for (size_t i = 0; i < command->option_count && count < 127; i++)
		if (command->options[i].kind != BX_CLI_HEADING && command->options[i].help != NULL)
			names[count++] = command->options[i].name;
	names[count++] = "help";

	const char *near = bx_cli_nearest(name, names, count);

	if (near != NULL)
		bx_cli_error("%s: no option --%s; did you mean --%s?", command->verb, name, near);
	else
		bx_cli_error("%s: no option --%s", command->verb, name);
	return usage_error(command);
}

static bool
store(const struct bx_cli_option *o, const char *text)
{
	switch (o->kind) {
	case BX_CLI_FLAG:
		*(bool *)o->value = true;
		return true;
	case BX_CLI_TEXT:
		*(const char **)o->value = text;
		return true;
	case BX_CLI_LIST: {
		struct bx_cli_list *list = o->value;

		list->items[list->count++] = text;
		return true;
	}
	case BX_CLI_NUMBER:
		return bx_cli_number(text, o->value);
	case BX_CLI_DURATION:
		return bx_cli_duration(text, o->value);
	case BX_CLI_RATE:
		return bx_cli_rate(text, o->value);
	case BX_CLI_REAL: {
		const char *end;

		return decimal(text, o->value, &end) && *end == '\0';
	}
	case BX_CLI_HEADING:
		break;
	}
	return false;
}

static const char *
kind_example(enum bx_cli_kind kind)
{
	switch (kind) {
	case BX_CLI_NUMBER:
		return "a number such as 500, 64Ki or 1e6";
	case BX_CLI_DURATION:
		return "a duration such as 250ms, 10s or 2h";
	case BX_CLI_RATE:
		return "a rate such as 1000, 50k or 50k/s";
	default:
		return "a number";
	}
}

static int
take(const struct bx_cli_command *command, const struct bx_cli_option *o, const char *text)
{
	if (store(o, text))
		return -1;
	bx_cli_error("%s: --%s wants %s, not \"%.80s\"", command->verb, o->name,
		     kind_example(o->kind), text);
	return usage_error(command);
}

static int
missing_value(const struct bx_cli_command *command, const struct bx_cli_option *o)
{
	bx_cli_error("%s: --%s wants a value (%s)", command->verb, o->name, o->metavar);
	return usage_error(command);
}

/* "--name", "--name value" or "--name=value" at argv[*i]. */
static int
long_option(const struct bx_cli_command *command, int argc, char **argv, int *i)
{
	const char *word = argv[*i] + 2;
	const char *equals = strchr(word, '=');
	size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
	const struct bx_cli_option *o = find_option(command, word, len, 0);

	if (o == NULL)
		return unknown_option(command, word, len);
	if (o->kind == BX_CLI_FLAG) {
		if (equals == NULL)
			return take(command, o, "");
		bx_cli_error("%s: --%s takes no value", command->verb, o->name);
		return usage_error(command);
	}
	if (equals != NULL)
		return take(command, o, equals + 1);
	if (*i + 1 >= argc)
		return missing_value(command, o);
	return take(command, o, argv[++*i]);
}

/* "-k FILE", "-kFILE", "-qv" at argv[*i]. */
static int
short_options(const struct bx_cli_command *command, int argc, char **argv, int *i)
{
	for (const char *p = argv[*i] + 1; *p != '\0'; p++) {
		const struct bx_cli_option *o = find_option(command, NULL, 0, *p);

		if (o == NULL) {
			bx_cli_error("%s: no option -%c", command->verb, *p);
			return usage_error(command);
		}
		if (o->kind == BX_CLI_FLAG) {
			(void)store(o, "");
			continue;
		}
		if (p[1] != '\0')
			return take(command, o, p + 1);
		if (*i + 1 >= argc)
			return missing_value(command, o);
		return take(command, o, argv[++*i]);
	}
	return -1;
}

/* Lists live until the program ends, and are freed there. */
static const char **kept[32];
static size_t kept_count;

static const char **
keep(size_t room)
{
	if (kept_count == sizeof(kept) / sizeof(kept[0]))
		return NULL;
	kept[kept_count] = calloc(room, sizeof(const char *));
	return kept[kept_count] != NULL ? kept[kept_count++] : NULL;
}

void
bx_cli_release(void)
{
	while (kept_count != 0)
		free(kept[--kept_count]);
}

static bool
allocate_lists(const struct bx_cli_command *command, int argc, struct bx_cli_list *operands)
{
	size_t room = (size_t)argc + 1;

	for (size_t i = 0; i < command->option_count; i++)
		if (command->options[i].kind == BX_CLI_LIST) {
			struct bx_cli_list *list = command->options[i].value;

			list->items = keep(room);
			list->count = 0;
			if (list->items == NULL)
				return false;
		}
	operands->items = keep(room);
	operands->count = 0;
	return operands->items != NULL;
}

int
bx_cli_parse(const struct bx_cli_command *command, int argc, char **argv,
	     struct bx_cli_list *operands)
{
	bool only_operands = false;

	if (!allocate_lists(command, argc, operands)) {
		bx_cli_error("out of memory");
		return BX_EXIT_FAILED;
	}
	for (int i = 0; i < argc; i++) {
		const char *word = argv[i];
		int code = -1;

		if (only_operands || word[0] != '-' || word[1] == '\0')
			operands->items[operands->count++] = word;
		else if (strcmp(word, "--") == 0)
			only_operands = true;
		else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
			bx_cli_help(command);
			return BX_EXIT_OK;
		} else if (word[1] == '-')
			code = long_option(command, argc, argv, &i);
		else
			code = short_options(command, argc, argv, &i);
		if (code != -1)
			return code;
	}
	if (operands->count < command->operands_min) {
		bx_cli_error("%s: too few arguments", command->verb);
		return usage_error(command);
	}
	if (operands->count > command->operands_max) {
		bx_cli_error("%s: unexpected argument \"%.200s\"", command->verb,
			     operands->items[command->operands_max]);
		return usage_error(command);
	}
	return -1;
}

/* --- signals --------------------------------------------------------------------------------- */

/* Signal handlers have nowhere else to put what happened. */
static volatile sig_atomic_t stop_signal;
static int stop_event = -1;

static void
on_signal(int number)
{
	uint64_t one = 1;

	if (stop_signal != 0)
		_exit(128 + number);
	stop_signal = number;

	int saved = errno;

	if (write(stop_event, &one, sizeof(one)) < 0) {
		/* Nothing to be done here: the flag is set, and the next read or write sees EINTR.
		 */
	}
	errno = saved;
}

int
bx_cli_stop_fd(void)
{
	if (stop_event != -1)
		return stop_event;
	stop_event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	struct sigaction action = { .sa_handler = on_signal };

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	return stop_event;
}

int
bx_cli_stop_signal(void)
{
	return (int)stop_signal;
}
