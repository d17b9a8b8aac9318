/* tests/data/cryptobox-vectors.json, for the tests of several modules. */
#ifndef BX_TESTS_VECTORS_H
#define BX_TESTS_VECTORS_H

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "boxcar/span.h"

/* The whole file; json_decref it. Strings with U+0000 are read, too; integers become doubles. */
static inline json_t *
vectors_load(void)
{
	json_error_t error;
	json_t *root = json_load_file(BX_TEST_DATA "/cryptobox-vectors.json",
				      JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);

	cr_assert_not_null(root, "%s", error.text);
	return root;
}

/* The bytes of a hex string member; ptr NULL when it is null. Free ptr. */
static inline struct bx_span
vectors_hex(const json_t *object, const char *key)
{
	const char *hex = json_string_value(json_object_get(object, key));

	if (hex == NULL)
		return (struct bx_span){ NULL, 0 };

	size_t len = strlen(hex) / 2;
	uint8_t *bytes = malloc(len + 1);

	for (size_t i = 0; i < len; i++) {
		char pair[3] = { hex[2 * i], hex[2 * i + 1], '\0' };

		bytes[i] = (uint8_t)strtoul(pair, NULL, 16);
	}
	return (struct bx_span){ bytes, len };
}

#endif
