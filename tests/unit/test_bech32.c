/* base/bech32: BIP 173's and age's texts, and everything that is not one. */
#include "base/bech32.h"

#include <criterion/criterion.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

static struct bx_span
span(const char *text)
{
	return (struct bx_span){ (const uint8_t *)text, strlen(text) };
}

static void
encode(char *out, size_t cap, const char *prefix, const uint8_t *bytes, size_t len, bool upper)
{
	struct bx_writer w = bx_writer_over((uint8_t *)out, cap - 1);

	bx_bech32_encode(&w, prefix, (struct bx_span){ bytes, len }, upper);
	cr_assert_not(w.full);
	cr_assert_eq(bx_written(&w), bx_bech32_len(strlen(prefix), len));
	*w.at = '\0';
}

/* Valid strings of BIP 173 and of its reference tests whose data are whole bytes. */
static const struct {
	const char *text, *prefix, *hex;
} known[] = {
	{ "a12uel5l", "a", "" },
	{ "A12UEL5L", "a", "" },
	{ "?1ezyfcl", "?", "" },
	{ "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio"
	  "1tt5tgs",
	  "an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio",
	  "" },
	{ "abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw", "abcdef",
	  "00443214c74254b635cf84653a56d7c675be77df" },
	{ "split1checkupstagehandshakeupstreamerranterredcaperred2y9e3w", "split",
	  "c5f38b70305f519bf66d85fb6cf03058f3dde463ecd7918f2dc743918f2d" },
};

Test(bech32, known_texts)
{
	for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
		uint8_t want[64], got[64];
		size_t len = 0;
		char text[128];

		cr_assert_eq(sodium_hex2bin(want, sizeof(want), known[i].hex, strlen(known[i].hex),
					    NULL, &len, NULL),
			     0);
		cr_assert(bx_bech32_decode(span(known[i].text), known[i].prefix, got, len), "%s",
			  known[i].text);
		cr_assert_eq(memcmp(got, want, len), 0);
		encode(text, sizeof(text), known[i].prefix, want, len, known[i].text[0] == 'A');
		cr_assert_str_eq(text, known[i].text);
	}
}

/* Two pairs made by age-keygen 1.1.1: the public text follows from the secret one. */
Test(bech32, keys_of_age)
{
	static const char *const pairs[2][2] = {
		{ "AGE-SECRET-KEY-1QTS5VWNW83F4Y2FXA6TUT0J8V6VC38Q44VWV0UUJA4X6QYCKDYMQ5F4GNR",
		  "age12djl2nznya9u4pwt8awwn0ha948ehu5qvccrapxdfkq04d5s652qpgr37n" },
		{ "AGE-SECRET-KEY-1FR5J7374UWXCR79M2YSJZNHARAY47ECL9UEXECVUL9942JFQYZ9S94MSDP",
		  "age1v6m65lk66r0u6zv3at6fvdj6z2sl753n5gstv53ln8y9agdslpdsngr43n" },
	};

	for (int i = 0; i < 2; i++) {
		uint8_t secret[32], public_key[32];
		char text[128];

		cr_assert(bx_bech32_decode(span(pairs[i][0]), "age-secret-key-", secret, 32));
		encode(text, sizeof(text), "age-secret-key-", secret, 32, true);
		cr_assert_str_eq(text, pairs[i][0]);
		crypto_scalarmult_base(public_key, secret);
		encode(text, sizeof(text), "age", public_key, 32, false);
		cr_assert_str_eq(text, pairs[i][1]);
	}
}

Test(bech32, every_length_and_case_round_trips)
{
	uint8_t bytes[100], got[100];
	char text[256];

	for (size_t len = 0; len <= sizeof(bytes); len++) {
		randombytes_buf(bytes, len);
		for (int upper = 0; upper < 2; upper++) {
			encode(text, sizeof(text), "boxcar-secret-key-", bytes, len, upper);
			cr_assert(bx_bech32_decode(span(text), "boxcar-secret-key-", got, len));
			cr_assert_eq(memcmp(got, bytes, len), 0);
			/* Of no other length. */
			cr_assert_not(
			    bx_bech32_decode(span(text), "boxcar-secret-key-", got, len + 1));
		}
	}
}

/* Each single character exchanged for each other byte: refused (the code finds four errors). */
Test(bech32, every_wrong_character_is_found)
{
	uint8_t bytes[32], got[32];
	char text[128], bad[128];

	randombytes_buf(bytes, sizeof(bytes));
	encode(text, sizeof(text), "boxcar", bytes, 32, false);
	for (size_t i = 0; i < strlen(text); i++) {
		for (int c = 1; c < 256; c++) {
			strcpy(bad, text);
			if (bad[i] == (char)c)
				continue;
			bad[i] = (char)c;
			cr_assert_not(bx_bech32_decode(span(bad), "boxcar", got, 32), "%zu %d", i,
				      c);
		}
	}
}

Test(bech32, refused)
{
	uint8_t bytes[32] = { 1, 2, 3 }, got[64];
	char text[128], bad[160];

	encode(text, sizeof(text), "boxcar", bytes, 32, false);
	cr_assert_not(bx_bech32_decode(span(text), "boxcat", got, 32));
	cr_assert_not(bx_bech32_decode(span(text), "box", got, 32));
	cr_assert_not(bx_bech32_decode(span(text), "boxcar", got, 31));
	cr_assert_not(bx_bech32_decode(span(""), "boxcar", got, 32));
	cr_assert_not(bx_bech32_decode((struct bx_span){ NULL, 0 }, "boxcar", got, 0));
	snprintf(bad, sizeof(bad), "%s ", text);
	cr_assert_not(bx_bech32_decode(span(bad), "boxcar", got, 32));
	snprintf(bad, sizeof(bad), "B%s", text + 1); /* mixed case */
	cr_assert_not(bx_bech32_decode(span(bad), "boxcar", got, 32));
	for (size_t i = 0; i < strlen(text); i++) { /* cut anywhere */
		struct bx_span cut = { (const uint8_t *)text, i };

		cr_assert_not(bx_bech32_decode(cut, "boxcar", got, 32));
	}
	/* BIP 173's invalid checksums. */
	cr_assert_not(bx_bech32_decode(span("A1G7SGD8"), "a", got, 0));
	cr_assert_not(bx_bech32_decode(span("de1lg7wt\xff"), "de", got, 0));
	/* Bech32m (constant 0x2bc830a3) is another code. */
	cr_assert_not(bx_bech32_decode(span("a1lqfn3a"), "a", got, 0));
}

/* One byte is two groups with two spare bits; checksums by BIP 173's reference code. */
Test(bech32, spare_bits_are_refused)
{
	uint8_t got[1];

	cr_assert(bx_bech32_decode(span("a1qqqd87cq"), "a", got, 1));
	cr_assert_eq(got[0], 0);
	cr_assert(bx_bech32_decode(span("a1lu9cgf6y"), "a", got, 1));
	cr_assert_eq(got[0], 0xff);
	cr_assert_not(bx_bech32_decode(span("a1lacwuu8k"), "a", got, 1));
	cr_assert_not(bx_bech32_decode(span("a1l7kaf2ff"), "a", got, 1));
	cr_assert_not(bx_bech32_decode(span("a1llttal5m"), "a", got, 1));
}
