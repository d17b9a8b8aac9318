/* Runs a fuzz target over every file of a corpus folder: the corpus as a plain test. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int
replay(const char *path)
{
	FILE *f = fopen(path, "rb");

	if (f == NULL) {
		perror(path);
		return 1;
	}

	struct stat st;

	if (fstat(fileno(f), &st) != 0 || !S_ISREG(st.st_mode)) {
		fclose(f);
		return 0;
	}

	size_t size = (size_t)st.st_size;
	uint8_t *data = malloc(size + 1);
	size_t got = data == NULL ? 0 : fread(data, 1, size, f);

	fclose(f);
	if (data == NULL || got != size) {
		free(data);
		fprintf(stderr, "%s: cannot read\n", path);
		return 1;
	}
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 0;
}

int
main(int argc, char **argv)
{
	unsigned count = 0;

	for (int i = 1; i < argc; i++) {
		DIR *dir = opendir(argv[i]);

		if (dir == NULL) {
			perror(argv[i]);
			return 1;
		}
		for (struct dirent *e = readdir(dir); e != NULL; e = readdir(dir)) {
			char path[4096];

			if (e->d_name[0] == '.')
				continue;
			(void)snprintf(path, sizeof(path), "%s/%s", argv[i], e->d_name);
			if (replay(path) != 0)
				return 1;
			count++;
		}
		closedir(dir);
	}
	if (count == 0) {
		fprintf(stderr, "no corpus\n");
		return 1;
	}
	printf("%u inputs replayed\n", count);
	return 0;
}
