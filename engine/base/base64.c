#include "base/base64.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const uint8_t alphabet[64] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

#define XX 0xFF /* not of the alphabet */

/* clang-format off */
static const uint8_t values[256] = {
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, 62, XX, XX, XX, 63,
	52, 53, 54, 55, 56, 57, 58, 59, 60, 61, XX, XX, XX, XX, XX, XX,
	XX,  0,  1,  2,  3,  4,  5,  6,  7,  8,  9, 10, 11, 12, 13, 14,
	15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, XX, XX, XX, XX, XX,
	XX, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35, 36, 37, 38, 39, 40,
	41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 51, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
	XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX, XX,
};
/* clang-format on */

#if defined(__x86_64__)

/*
 * The AVX2 loops follow W. Mula and D. Lemire, "Faster Base64 Encoding and Decoding using AVX2
 * Instructions" (ACM Transactions on the Web 12, 2018): 24 bytes against 32 characters a round.
 */
static bool
have_avx2(void)
{
	return __builtin_cpu_supports("avx2") != 0;
}

/* Bytes encoded, a multiple of 24. Reads 28 bytes a round, so some always stay for the tail. */
__attribute__((target("avx2"))) static size_t
encode_avx2(const uint8_t *in, size_t len, uint8_t *out)
{
	const __m256i spread = _mm256_setr_epi8(1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10,
						1, 0, 2, 1, 4, 3, 5, 4, 7, 6, 8, 7, 10, 9, 11, 10);
	/* What to add to a value, by its class: a-z, 0-9 (ten times), "+", "/", A-Z. */
	const __m256i shift =
	    _mm256_setr_epi8(71, -4, -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0, 71, -4,
			     -4, -4, -4, -4, -4, -4, -4, -4, -4, -19, -16, 65, 0, 0);
	size_t done = 0;

	for (; len - done >= 28; done += 24, out += 32) {
		const uint8_t *p = in + done;
		__m256i v = _mm256_inserti128_si256(
		    _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(const void *)p)),
		    _mm_loadu_si128((const __m128i *)(const void *)(p + 12)), 1);

		v = _mm256_shuffle_epi8(v, spread);

		__m256i high =
		    _mm256_mulhi_epu16(_mm256_and_si256(v, _mm256_set1_epi32(0x0FC0FC00)),
				       _mm256_set1_epi32(0x04000040));
		__m256i low = _mm256_mullo_epi16(_mm256_and_si256(v, _mm256_set1_epi32(0x003F03F0)),
						 _mm256_set1_epi32(0x01000010));
		__m256i six = _mm256_or_si256(high, low);
		__m256i class =
		    _mm256_or_si256(_mm256_subs_epu8(six, _mm256_set1_epi8(51)),
				    _mm256_and_si256(_mm256_cmpgt_epi8(_mm256_set1_epi8(26), six),
						     _mm256_set1_epi8(13)));
		__m256i text = _mm256_add_epi8(six, _mm256_shuffle_epi8(shift, class));

		_mm256_storeu_si256((__m256i *)(void *)out, text);
	}
	return done;
}

/*
 * Characters decoded, a multiple of 32; stops early at one that is not of the alphabet. Keeps at
 * least 16 characters for the tail, because a round stores 32 bytes of which 24 count. With
 * out == NULL nothing is stored.
 */
__attribute__((target("avx2"))) static size_t
decode_avx2(const uint8_t *in, size_t len, uint8_t *out)
{
	const __m256i bad_low =
	    _mm256_setr_epi8(0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x13, 0x1A,
			     0x1B, 0x1B, 0x1B, 0x1A, 0x15, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11, 0x11,
			     0x11, 0x11, 0x13, 0x1A, 0x1B, 0x1B, 0x1B, 0x1A);
	const __m256i bad_high =
	    _mm256_setr_epi8(0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08, 0x10, 0x10, 0x10, 0x10,
			     0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x01, 0x02, 0x04, 0x08, 0x04, 0x08,
			     0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10, 0x10);
	const __m256i roll =
	    _mm256_setr_epi8(0, 16, 19, 4, -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0, 0, 16, 19, 4,
			     -65, -65, -71, -71, 0, 0, 0, 0, 0, 0, 0, 0);
	const __m256i pack =
	    _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1, 2, 1, 0, 6, 5,
			     4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
	const __m256i nibble = _mm256_set1_epi8(0x2F);
	size_t done = 0;

	for (; len - done >= 48; done += 32) {
		__m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(in + done));
		__m256i high = _mm256_and_si256(_mm256_srli_epi32(v, 4), nibble);
		__m256i low = _mm256_and_si256(v, nibble);

		if (!_mm256_testz_si256(_mm256_shuffle_epi8(bad_low, low),
					_mm256_shuffle_epi8(bad_high, high)))
			break;
		if (out == NULL)
			continue;

		__m256i slash = _mm256_cmpeq_epi8(v, nibble);
		__m256i six =
		    _mm256_add_epi8(v, _mm256_shuffle_epi8(roll, _mm256_add_epi8(slash, high)));
		__m256i twelve = _mm256_maddubs_epi16(six, _mm256_set1_epi32(0x01400140));
		__m256i bytes = _mm256_shuffle_epi8(
		    _mm256_madd_epi16(twelve, _mm256_set1_epi32(0x00011000)), pack);

		bytes =
		    _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 7, 7));
		_mm256_storeu_si256((__m256i *)(void *)(out + done / 4 * 3), bytes);
	}
	return done;
}
#endif

void
bx_base64_encode(struct bx_span in, uint8_t *out)
{
	const uint8_t *p = in.ptr;
	size_t left = in.len;

#if defined(__x86_64__)
	if (left >= 28 && have_avx2()) {
		size_t done = encode_avx2(p, left, out);

		p += done;
		left -= done;
		out += done / 3 * 4;
	}
#endif
	for (; left >= 3; left -= 3, p += 3, out += 4) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];

		out[0] = alphabet[v >> 18];
		out[1] = alphabet[v >> 12 & 63];
		out[2] = alphabet[v >> 6 & 63];
		out[3] = alphabet[v & 63];
	}
	if (left == 0)
		return;
	out[0] = alphabet[p[0] >> 2];
	if (left == 2) {
		out[1] = alphabet[(p[0] << 4 | p[1] >> 4) & 63];
		out[2] = alphabet[p[1] << 2 & 63];
	} else {
		out[1] = alphabet[p[0] << 4 & 63];
		out[2] = '=';
	}
	out[3] = '=';
}

/* The last group, which may be padded: 1 to 3 bytes to `b`, or 0 when it is not strict. */
static size_t
decode_last(const uint8_t *p, uint8_t b[static 3])
{
	uint32_t v0 = values[p[0]];
	uint32_t v1 = values[p[1]];
	uint32_t v2 = values[p[2]];
	uint32_t v3 = values[p[3]];

	if ((v0 | v1) > 63)
		return 0;
	b[0] = (uint8_t)(v0 << 2 | v1 >> 4);
	if (p[3] != '=') {
		if ((v2 | v3) > 63)
			return 0;
		b[1] = (uint8_t)(v1 << 4 | v2 >> 2);
		b[2] = (uint8_t)(v2 << 6 | v3);
		return 3;
	}
	if (p[2] == '=')
		return (v1 & 15) == 0 ? 1 : 0;
	if (v2 > 63 || (v2 & 3) != 0)
		return 0;
	b[1] = (uint8_t)(v1 << 4 | v2 >> 2);
	return 2;
}

/* With out == NULL: only checks. */
static bool
decode(struct bx_span text, uint8_t *out, size_t *out_len)
{
	const uint8_t *p = text.ptr;
	size_t left = text.len;
	uint8_t *to = out;
	size_t len = 0;

	if (left % 4 != 0)
		return false;
#if defined(__x86_64__)
	if (left >= 48 && have_avx2()) {
		size_t done = decode_avx2(p, left, to);

		p += done;
		left -= done;
		len = done / 4 * 3;
	}
#endif
	for (; left > 4; left -= 4, p += 4, len += 3) {
		uint32_t v0 = values[p[0]];
		uint32_t v1 = values[p[1]];
		uint32_t v2 = values[p[2]];
		uint32_t v3 = values[p[3]];

		if ((v0 | v1 | v2 | v3) > 63)
			return false;
		if (out == NULL)
			continue;
		to[len] = (uint8_t)(v0 << 2 | v1 >> 4);
		to[len + 1] = (uint8_t)(v1 << 4 | v2 >> 2);
		to[len + 2] = (uint8_t)(v2 << 6 | v3);
	}
	if (left == 4) {
		uint8_t last[3];
		size_t n = decode_last(p, last);

		if (n == 0)
			return false;
		if (out != NULL)
			memcpy(to + len, last, n);
		len += n;
	}
	*out_len = len;
	return true;
}

bool
bx_base64_decode(struct bx_span text, uint8_t *out, size_t *out_len)
{
	uint8_t none;

	/* NULL means "check" inside; here it can only be the buffer for an empty text. */
	return decode(text, out != NULL ? out : &none, out_len);
}

bool
bx_base64_check(struct bx_span text)
{
	size_t len;

	return decode(text, NULL, &len);
}

static void
tidy_put(struct bx_writer *w, uint8_t c)
{
	if (w != NULL)
		bx_put_u8(w, c);
}

bool
bx_base64_tidy_feed(struct bx_base64_tidy *t, uint32_t code, struct bx_writer *w)
{
	if (code > 0x7F)
		return false;
	if (t->over)
		return true;
	if (code == '=') {
		if (t->place >= 2 && t->place + ++t->pads >= 4)
			t->over = true;
		return true;
	}

	uint8_t value = values[code];

	if (value > 63)
		return true;
	/* The last character before the padding may hold spare bits, so it is kept back. */
	if (t->place >= 2)
		tidy_put(w, alphabet[t->value]);
	t->pads = 0;
	t->place = (t->place + 1) & 3;
	t->value = value;
	if (t->place < 2)
		tidy_put(w, alphabet[value]);
	return true;
}

bool
bx_base64_tidy_end(struct bx_base64_tidy *t, struct bx_writer *w)
{
	if (t->place == 0)
		return true;
	if (!t->over)
		return false;
	tidy_put(w, alphabet[t->value & (t->place == 2 ? 0x30 : 0x3C)]);
	tidy_put(w, '=');
	if (t->place == 2)
		tidy_put(w, '=');
	return true;
}

bool
bx_base64_decode_lenient(struct bx_span text, struct bx_writer *w, bool *exact)
{
	size_t len;

	if (w->full || bx_room(w) < text.len / 4 * 3) {
		w->full = true;
		return false;
	}
	*exact = decode(text, w->at, &len);
	if (!*exact) {
		/* Tidy into the room, then decode that in place. */
		struct bx_base64_tidy t = { 0 };
		struct bx_writer tidy = { w->at, w->at, w->end, false };

		for (size_t i = 0; i < text.len; i++)
			if (!bx_base64_tidy_feed(&t, text.ptr[i], &tidy))
				return false;
		if (!bx_base64_tidy_end(&t, &tidy))
			return false;
		if (tidy.full) {
			w->full = true;
			return false;
		}
		if (!bx_base64_decode(bx_since(&tidy, w->at), w->at, &len))
			return false;
	}
	w->at += len;
	return true;
}
