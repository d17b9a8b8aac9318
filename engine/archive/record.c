#include "archive/record.h"

#include "base/cursor.h"
#include "base/writer.h"

/*
 * Channel:  0 8 session   8 8 conn   16 4 realm   20 1 dir   21 1 ser   22 1 transport   23 1 flags
 * Totals:   0 8 records   8 8 sealed  16 8 plain  24 8 ppt   32 8 unparsed  40 8 dropped
 *          48 8 raw_bytes 56 8 ts_min 64 8 ts_max
 */
enum { CHANNEL_FLAGS = BX_CHANNEL_BATCHED | BX_CHANNEL_HAS_CONN | BX_CHANNEL_HAS_SESSION };

void
bx_record_totals_store(const struct bx_totals *totals, uint8_t *out)
{
	bx_store_le64(out, totals->records);
	bx_store_le64(out + 8, totals->sealed);
	bx_store_le64(out + 16, totals->plain);
	bx_store_le64(out + 24, totals->ppt);
	bx_store_le64(out + 32, totals->unparsed);
	bx_store_le64(out + 40, totals->dropped);
	bx_store_le64(out + 48, totals->raw_bytes);
	bx_store_le64(out + 56, (uint64_t)totals->ts_min);
	bx_store_le64(out + 64, (uint64_t)totals->ts_max);
}

void
bx_record_totals_load(struct bx_totals *totals, const uint8_t *in)
{
	*totals = (struct bx_totals){
		.records = bx_load_le64(in),
		.sealed = bx_load_le64(in + 8),
		.plain = bx_load_le64(in + 16),
		.ppt = bx_load_le64(in + 24),
		.unparsed = bx_load_le64(in + 32),
		.dropped = bx_load_le64(in + 40),
		.raw_bytes = bx_load_le64(in + 48),
		.ts_min = (int64_t)bx_load_le64(in + 56),
		.ts_max = (int64_t)bx_load_le64(in + 64),
	};
}

void
bx_record_channel_store(const struct bx_archive_channel *channel, uint32_t realm, uint8_t *out)
{
	bx_store_le64(out, channel->session);
	bx_store_le64(out + 8, channel->conn);
	bx_store_le32(out + 16, realm);
	out[20] = channel->dir;
	out[21] = channel->ser;
	out[22] = channel->transport;
	out[23] = channel->flags;
}

bool
bx_record_channel_load(struct bx_archive_channel *channel, uint32_t *realm, const uint8_t *in)
{
	*channel = (struct bx_archive_channel){
		.session = bx_load_le64(in),
		.conn = bx_load_le64(in + 8),
		.dir = in[20],
		.ser = in[21],
		.transport = in[22],
		.flags = in[23],
	};
	*realm = bx_load_le32(in + 16);
	if (channel->dir > BX_DIR_UNKNOWN || (channel->flags & ~CHANNEL_FLAGS) != 0)
		return false;
	if ((channel->flags & BX_CHANNEL_HAS_CONN) == 0 && channel->conn != 0)
		return false;
	return (channel->flags & BX_CHANNEL_HAS_SESSION) != 0 || channel->session == 0;
}

static void
add(uint64_t *sum, uint64_t part)
{
	*sum = *sum + part < *sum ? UINT64_MAX : *sum + part;
}

void
bx_record_sum(struct bx_totals *sum, const struct bx_totals *part)
{
	add(&sum->records, part->records);
	add(&sum->sealed, part->sealed);
	add(&sum->plain, part->plain);
	add(&sum->ppt, part->ppt);
	add(&sum->unparsed, part->unparsed);
	add(&sum->dropped, part->dropped);
	add(&sum->raw_bytes, part->raw_bytes);
	if (part->ts_min < sum->ts_min)
		sum->ts_min = part->ts_min;
	if (part->ts_max > sum->ts_max)
		sum->ts_max = part->ts_max;
}

void
bx_record_count(struct bx_type_count *sum, const struct bx_type_count *part)
{
	add(&sum->count, part->count);
	add(&sum->sealed, part->sealed);
	add(&sum->plain, part->plain);
	add(&sum->bytes, part->bytes);
}
