#include "boxcar/format.h"

#include <string.h>
#include <strings.h>

/* cli.md "Formats". The name itself is understood as a suffix too (".batched-cbor"). */
static const struct {
	const char *name;
	const char *suffix;
} formats[BX_FORMAT_COUNT] = {
	[BX_FORMAT_UNKNOWN] = { "unknown", NULL },
	[BX_FORMAT_RAWSOCKET] = { "rawsocket", ".rs" },
	[BX_FORMAT_MSGPACK] = { "msgpack", ".msgpack" },
	[BX_FORMAT_CBOR] = { "cbor", ".cbor" },
	[BX_FORMAT_JSONL] = { "jsonl", ".jsonl" },
	[BX_FORMAT_TRACE] = { "trace", ".trace.jsonl" },
	[BX_FORMAT_WEBSOCKET] = { "websocket", ".ws" },
	[BX_FORMAT_BATCHED_JSON] = { "batched-json", NULL },
	[BX_FORMAT_BATCHED_MSGPACK] = { "batched-msgpack", NULL },
	[BX_FORMAT_BATCHED_CBOR] = { "batched-cbor", NULL },
	[BX_FORMAT_BOXCAR] = { "boxcar", ".boxcar" },
	[BX_FORMAT_MCAP] = { "mcap", ".mcap" },
	[BX_FORMAT_PCAP] = { "pcap", ".pcap" },
	[BX_FORMAT_PCAPNG] = { "pcapng", ".pcapng" },
};

static const char zst_suffix[] = ".zst";
#define ZST_LEN (sizeof(zst_suffix) - 1)

/* Longest name that is worth comparing; bounds the table of the edit distance. */
#define NAME_MAX_LEN 32

const char *
bx_format_name(enum bx_format format)
{
	if ((unsigned)format >= BX_FORMAT_COUNT)
		return formats[BX_FORMAT_UNKNOWN].name;
	return formats[format].name;
}

/* The length of `text` without ".zst" at its end. */
static size_t
without_zst(const char *text, bool *zst)
{
	size_t len = strlen(text);
	bool found = len > ZST_LEN && strcasecmp(text + len - ZST_LEN, zst_suffix) == 0;

	if (zst != NULL)
		*zst = found;
	return found ? len - ZST_LEN : len;
}

enum bx_format
bx_format_of_name(const char *name, bool *zst)
{
	size_t len = without_zst(name, zst);

	for (unsigned i = 1; i < BX_FORMAT_COUNT; i++) {
		if (strlen(formats[i].name) == len && memcmp(formats[i].name, name, len) == 0)
			return (enum bx_format)i;
	}
	return BX_FORMAT_UNKNOWN;
}

static bool
ends_with(const char *text, size_t len, const char *suffix)
{
	size_t suffix_len = strlen(suffix);

	return len >= suffix_len && strncasecmp(text + len - suffix_len, suffix, suffix_len) == 0;
}

static bool
ends_with_name(const char *text, size_t len, const char *name)
{
	size_t name_len = strlen(name);

	return len > name_len && text[len - name_len - 1] == '.' && ends_with(text, len, name);
}

enum bx_format
bx_format_of_path(const char *path, bool *zst)
{
	size_t len = without_zst(path, zst);

	/* ".trace.jsonl" ends with ".jsonl" too: the longer suffix is asked first. */
	if (ends_with(path, len, formats[BX_FORMAT_TRACE].suffix))
		return BX_FORMAT_TRACE;
	for (unsigned i = 1; i < BX_FORMAT_COUNT; i++) {
		if (formats[i].suffix != NULL && ends_with(path, len, formats[i].suffix))
			return (enum bx_format)i;
		if (ends_with_name(path, len, formats[i].name))
			return (enum bx_format)i;
	}
	return BX_FORMAT_UNKNOWN;
}

static size_t
least(size_t a, size_t b, size_t c)
{
	size_t ab = a < b ? a : b;

	return ab < c ? ab : c;
}

/* Levenshtein distance; both at most NAME_MAX_LEN long. */
static size_t
distance(const char *a, size_t a_len, const char *b, size_t b_len)
{
	size_t row[NAME_MAX_LEN + 1];

	for (size_t j = 0; j <= b_len; j++)
		row[j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t above = row[j];
			size_t changed = diagonal + (a[i - 1] != b[j - 1]);

			row[j] = least(above + 1, row[j - 1] + 1, changed);
			diagonal = above;
		}
	}
	return row[b_len];
}

const char *
bx_format_nearest(const char *name)
{
	size_t len = without_zst(name, NULL);
	const char *nearest = NULL;
	size_t best = len / 2 + 1; /* more than half of it changed is another word */

	if (len == 0 || len > NAME_MAX_LEN)
		return NULL;
	for (unsigned i = 1; i < BX_FORMAT_COUNT; i++) {
		const char *candidate = formats[i].name;
		size_t d = distance(name, len, candidate, strlen(candidate));

		if (d < best) {
			best = d;
			nearest = candidate;
		}
	}
	return nearest;
}
