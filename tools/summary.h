/* What a run says: the progress line, the closing summary, the JSON object. */
#ifndef BX_TOOLS_SUMMARY_H
#define BX_TOOLS_SUMMARY_H

#include "boxcar/job.h"

struct bx_progress_line {
	const char *name;
	bool shown;
};

bool bx_summary_wants_progress(const char *when, bool quiet, bool json);
void bx_summary_progress(void *context, const struct bx_progress *progress);
void bx_summary_progress_end(struct bx_progress_line *line);

struct bx_summary_options {
	bool json, quiet, verbose;
	bool on_stderr; /* stdout carries data */
};

/* `fail` is what ended the run, or the first failure that did not, or empty. */
void bx_summary_print(const char *name, const struct bx_job *job,
		      const struct bx_job_result *result, const struct bx_fail *fail, int exit_code,
		      const struct bx_summary_options *options);

#endif
