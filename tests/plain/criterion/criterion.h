/* What these tests use of Criterion, for builds that Criterion cannot be part of (ThreadSanitizer).
 */
#ifndef TESTS_PLAIN_CRITERION_H
#define TESTS_PLAIN_CRITERION_H

/*
 * Criterion runs tests in copies of the process that share an arena at a fixed address, where
 * ThreadSanitizer keeps its shadow ("could not initialize inheritable arena"). Here each test is a
 * child made by fork(); the first assertion that does not hold ends it. Arguments are ignored, but
 * for --filter SUITE or SUITE/NAME. Exit code: 0, 1, or 77 when all tests were skipped.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

struct plain_options {
	int none; /* so that the list of the others may be empty */
	void (*init)(void);
	void (*fini)(void);
	double timeout; /* seconds; 0: 300 */
	bool disabled;
};

struct plain_test {
	const char *suite;
	const char *name; /* NULL: the options of a suite */
	void (*run)(void);
	struct plain_options options;
	struct plain_test *next;
};

static struct plain_test *plain_tests;
static void (*plain_fini)(void);

#define PLAIN_SKIPPED 77

#define PLAIN_REGISTER(id)                                                                         \
	__attribute__((constructor)) static void id##_register(void)                               \
	{                                                                                          \
		id##_test.next = plain_tests;                                                      \
		plain_tests = &id##_test;                                                          \
	}                                                                                          \
	extern int plain_semicolon

#define TestSuite(in, ...)                                                                         \
	static struct plain_test plain_suite_##in##_test = {                                       \
		.suite = #in,                                                                      \
		.options = { .none = 0, __VA_ARGS__ },                                             \
	};                                                                                         \
	PLAIN_REGISTER(plain_suite_##in)

#define Test(in, called, ...)                                                                      \
	static void plain_##in##_##called(void);                                                   \
	static struct plain_test plain_##in##_##called##_test = {                                  \
		.suite = #in,                                                                      \
		.name = #called,                                                                   \
		.run = plain_##in##_##called,                                                      \
		.options = { .none = 0, __VA_ARGS__ },                                             \
	};                                                                                         \
	PLAIN_REGISTER(plain_##in##_##called);                                                     \
	static void plain_##in##_##called(void)

/* Ends the test's process, from any thread of it. */
static inline void
plain_end(int code)
{
	if (plain_fini != NULL)
		plain_fini();
	_exit(code);
}

#define plain_fail(text, ...)                                                                      \
	do {                                                                                       \
		fprintf(stderr, "%s:%d: %s: ", __FILE__, __LINE__, text);                          \
		fprintf(stderr, " " __VA_ARGS__);                                                  \
		fprintf(stderr, "\n");                                                             \
		plain_end(1);                                                                      \
	} while (0)

#define plain_check(holds, text, ...)                                                              \
	do {                                                                                       \
		if (!(holds))                                                                      \
			plain_fail(text, __VA_ARGS__);                                             \
	} while (0)

#define cr_assert(x, ...) plain_check(x, #x, __VA_ARGS__)
#define cr_assert_not(x, ...) plain_check(!(x), "not " #x, __VA_ARGS__)
#define cr_assert_fail(...) plain_fail("failed", __VA_ARGS__)
#define cr_assert_eq(a, b, ...) plain_check((a) == (b), #a " == " #b, __VA_ARGS__)
#define cr_assert_neq(a, b, ...) plain_check((a) != (b), #a " != " #b, __VA_ARGS__)
#define cr_assert_lt(a, b, ...) plain_check((a) < (b), #a " < " #b, __VA_ARGS__)
#define cr_assert_leq(a, b, ...) plain_check((a) <= (b), #a " <= " #b, __VA_ARGS__)
#define cr_assert_gt(a, b, ...) plain_check((a) > (b), #a " > " #b, __VA_ARGS__)
#define cr_assert_geq(a, b, ...) plain_check((a) >= (b), #a " >= " #b, __VA_ARGS__)
#define cr_assert_null(a, ...) plain_check((a) == NULL, #a " is NULL", __VA_ARGS__)
#define cr_assert_not_null(a, ...) plain_check((a) != NULL, #a " is not NULL", __VA_ARGS__)
#define cr_assert_str_eq(a, b, ...) plain_check(strcmp(a, b) == 0, #a " == " #b, __VA_ARGS__)
#define cr_assert_str_neq(a, b, ...) plain_check(strcmp(a, b) != 0, #a " != " #b, __VA_ARGS__)
#define cr_assert_str_not_empty(a, ...) plain_check((a)[0] != '\0', #a " is not empty", __VA_ARGS__)
#define cr_skip_test(...)                                                                          \
	do {                                                                                       \
		fprintf(stderr, "skipped: " __VA_ARGS__);                                          \
		fprintf(stderr, "\n");                                                             \
		plain_end(PLAIN_SKIPPED);                                                          \
	} while (0)

static struct plain_options
plain_suite_options(const char *suite)
{
	for (struct plain_test *t = plain_tests; t != NULL; t = t->next) {
		if (t->name == NULL && strcmp(t->suite, suite) == 0)
			return t->options;
	}
	return (struct plain_options){ .none = 0 };
}

/* The exit code of one test, 1 for any other end. */
static int
plain_run(const struct plain_test *test)
{
	struct plain_options suite = plain_suite_options(test->suite);
	double seconds = test->options.timeout > 0 ? test->options.timeout : suite.timeout;
	pid_t pid;
	int status;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		void (*init)(void) = test->options.init != NULL ? test->options.init : suite.init;

		plain_fini = test->options.fini != NULL ? test->options.fini : suite.fini;
		(void)alarm(seconds > 0 ? (unsigned)seconds : 300);
		if (init != NULL)
			init();
		test->run();
		if (plain_fini != NULL)
			plain_fini();
		exit(0); /* not _exit: the sanitizer has a last word */
	}
	if (pid == -1 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return 1;
	return WEXITSTATUS(status);
}

static bool
plain_wanted(const struct plain_test *test, int argc, char **argv)
{
	char full[200];

	for (int i = 1; i + 1 < argc; i++) {
		if (strcmp(argv[i], "--filter") != 0)
			continue;
		(void)snprintf(full, sizeof(full), "%s/%s", test->suite, test->name);
		return strcmp(argv[i + 1], test->suite) == 0 || strcmp(argv[i + 1], full) == 0;
	}
	return true;
}

int
main(int argc, char **argv)
{
	unsigned passed = 0;
	unsigned skipped = 0;
	unsigned failed = 0;

	for (struct plain_test *t = plain_tests; t != NULL; t = t->next) {
		if (t->name == NULL || t->options.disabled || !plain_wanted(t, argc, argv))
			continue;

		int code = plain_run(t);

		passed += code == 0;
		skipped += code == PLAIN_SKIPPED;
		failed += code != 0 && code != PLAIN_SKIPPED;
		if (code != 0 && code != PLAIN_SKIPPED)
			fprintf(stderr, "[FAIL] %s/%s (%d)\n", t->suite, t->name, code);
	}
	printf("passing: %u, skipped: %u, failing: %u\n", passed, skipped, failed);
	if (failed > 0 || passed + skipped == 0)
		return 1;
	return passed == 0 ? PLAIN_SKIPPED : 0;
}

#endif
