/*
 * libsodium alone: one message at a time with its own random nonce, over the bodies of a RawSocket
 * recording, nothing parsed, written out. usage: sodium_peer IN OUT
 */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void
die(const char *what)
{
	fprintf(stderr, "sodium_peer: %s\n", what);
	exit(1);
}

int
main(int argc, char **argv)
{
	static uint8_t body[1 << 24], box[(1 << 24) + 64];
	uint8_t head[4], key[32];
	uint64_t count = 0, bytes = 0;
	struct timespec start, end;

	if (argc != 3 || sodium_init() < 0)
		die("usage: sodium_peer IN OUT");
	randombytes_buf(key, sizeof(key));
	clock_gettime(CLOCK_MONOTONIC, &start);

	FILE *in = fopen(argv[1], "rb"), *out = fopen(argv[2], "wb");

	if (in == NULL || out == NULL)
		die("open");
	while (fread(head, 1, 4, in) == 4) {
		size_t len =
		    (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];

		if (head[0] == 0x7f)
			continue;
		if (len > sizeof(body) || fread(body, 1, len, in) != len)
			die("short");
		randombytes_buf(box, 24);
		crypto_box_easy_afternm(box + 24, body, len, box, key);
		fwrite(head, 1, 4, out);
		fwrite(box, 1, 40 + len, out);
		count++;
		bytes += 4 + len;
	}
	fclose(in);
	if (fclose(out) != 0)
		die("write");
	clock_gettime(CLOCK_MONOTONIC, &end);
	printf("{\"messages\": %" PRIu64 ", \"seconds\": %.6f, \"bytes\": %" PRIu64 "}\n", count,
	       (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9,
	       bytes);
	return 0;
}
