#include "archive/status.h"

#include <inttypes.h>

static const struct {
	const char *name;
	enum bx_err err;
} statuses[] = {
	[BX_STATUS_CLEAN] = { "CLEAN", BX_OK },
	[BX_STATUS_OPEN] = { "OPEN", BX_ERR_FORMAT },
	[BX_STATUS_INCOMPLETE_STREAM] = { "INCOMPLETE_STREAM", BX_ERR_FORMAT },
	[BX_STATUS_INDEX_MISMATCH] = { "INDEX_MISMATCH", BX_ERR_FORMAT },
	[BX_STATUS_DAMAGED] = { "DAMAGED", BX_ERR_FORMAT },
	[BX_STATUS_UNSUPPORTED] = { "UNSUPPORTED", BX_ERR_UNSUPPORTED },
	[BX_STATUS_LIMIT] = { "LIMIT", BX_ERR_LIMIT },
	[BX_STATUS_NOT_SIGNED] = { "NOT_SIGNED", BX_ERR_AUTH },
	[BX_STATUS_DOWNGRADE] = { "DOWNGRADE", BX_ERR_AUTH },
	[BX_STATUS_AMBIGUOUS_KEY] = { "AMBIGUOUS_KEY", BX_ERR_NOKEY },
	[BX_STATUS_NO_KEY] = { "NO_KEY", BX_ERR_NOKEY },
	[BX_STATUS_HEADER_AUTH] = { "HEADER_AUTH", BX_ERR_AUTH },
	[BX_STATUS_AEAD] = { "AEAD", BX_ERR_AUTH },
	[BX_STATUS_NOMEM] = { "NOMEM", BX_ERR_NOMEM },
	[BX_STATUS_SYS] = { "SYS", BX_ERR_SYS },
};

const char *
bx_status_name(enum bx_status status)
{
	return statuses[status].name;
}

enum bx_err
bx_status_err(enum bx_status status)
{
	return statuses[status].err;
}

enum bx_status
bx_status_set(struct bx_fault *fault, enum bx_status status, uint64_t offset, const char *what)
{
	if (fault == NULL || fault->status != BX_STATUS_CLEAN)
		return status;
	fault->status = status;
	fault->offset = offset;
	fault->what = what;
	fault->segment = BX_NOWHERE;
	fault->seq = BX_NOWHERE;
	return status;
}

enum bx_status
bx_status_at(struct bx_fault *fault, enum bx_status status, uint64_t segment, uint64_t seq)
{
	if (fault != NULL && fault->status != BX_STATUS_CLEAN && fault->segment == BX_NOWHERE) {
		fault->segment = segment;
		fault->seq = seq;
	}
	return status;
}

enum bx_err
bx_status_fail(const struct bx_fault *fault, struct bx_fail *fail)
{
	enum bx_err err = bx_status_err(fault->status);
	const char *what = fault->what == NULL ? "" : fault->what;

	if (err == BX_OK)
		return BX_OK;
	if (fault->segment != BX_NOWHERE && fault->seq != BX_NOWHERE)
		(void)bx_fail_set(fail, err, 0, fault->offset,
				  "segment %" PRIu64 ", block %" PRIu64 ": %s (%s)", fault->segment,
				  fault->seq, what, bx_status_name(fault->status));
	else if (fault->segment != BX_NOWHERE)
		(void)bx_fail_set(fail, err, 0, fault->offset, "segment %" PRIu64 ": %s (%s)",
				  fault->segment, what, bx_status_name(fault->status));
	else
		(void)bx_fail_set(fail, err, 0, fault->offset, "%s (%s)", what,
				  bx_status_name(fault->status));
	if (fault->status == BX_STATUS_OPEN || fault->status == BX_STATUS_INCOMPLETE_STREAM ||
	    fault->status == BX_STATUS_DAMAGED || fault->status == BX_STATUS_INDEX_MISMATCH)
		bx_fail_hint(fail, "`boxcar recover` copies what is intact");
	else if (fault->status == BX_STATUS_NO_KEY)
		bx_fail_hint(fail, "give the identity of one of its recipients with -i");
	return err;
}
