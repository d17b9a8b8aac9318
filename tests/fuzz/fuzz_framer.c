/*
 * Byte 0: format; byte 1: pace of feeding and "joined"; byte 2: serializer; then the stream. Checks
 * that chopped feeding agrees with whole feeding, that recognition and the guess of a start read
 * nothing they should not.
 */
#include "frame_drive.h"

#include "frame/sniff.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A stand-in for the codecs: bytes below 0x80 begin a value of so many more. */
static enum bx_step
toy_extent(struct bx_span bytes, size_t *len, const char **what)
{
	*what = "a byte that begins no value";
	if (bytes.ptr[0] >= 0x80)
		return BX_STEP_FAIL;
	if (bytes.len <= bytes.ptr[0])
		return BX_STEP_MORE;
	*len = (size_t)bytes.ptr[0] + 1;
	return BX_STEP_ITEM;
}

static void
check_guess(struct bx_span bytes)
{
	static const enum bx_format formats[] = { BX_FORMAT_RAWSOCKET, BX_FORMAT_BATCHED_MSGPACK,
						  BX_FORMAT_BATCHED_CBOR };

	for (size_t i = 0; i < 3; i++) {
		size_t at = bx_frame_guess_start(formats[i], bytes);

		DRIVE_CHECK(at == SIZE_MAX || at + 4 <= bytes.len);
	}
}

static void
check_sniff(struct bx_span bytes, enum bx_format by_name)
{
	enum bx_format format = BX_FORMAT_COUNT;
	struct bx_fail fail = { 0 };

	if (bx_sniff(bytes, true, BX_FORMAT_UNKNOWN, by_name, &format, &fail) == BX_OK)
		DRIVE_CHECK(format > BX_FORMAT_UNKNOWN && format < BX_FORMAT_COUNT);
	else
		DRIVE_CHECK(fail.code == BX_ERR_FORMAT && fail.hint[0] != '\0');
	(void)bx_sniff_ser(bytes);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 3)
		return 0;

	struct bx_framer_options options = {
		.format =
		    (enum bx_format)(BX_FORMAT_RAWSOCKET +
				     data[0] % (BX_FORMAT_BATCHED_CBOR - BX_FORMAT_RAWSOCKET + 1)),
		.ser = (enum bx_ser)(data[2] % 6),
		.message_max = data[2] & 0x80 ? 64 : DRIVE_MESSAGE_MAX,
		.extent = toy_extent,
		.joined = (data[1] & 1) != 0,
	};
	struct bx_span bytes = { data + 3, size - 3 };

	drive_both(options, bytes, data[1]);
	check_guess(bytes);
	check_sniff(bytes, (enum bx_format)(data[2] % BX_FORMAT_COUNT));
	return 0;
}
