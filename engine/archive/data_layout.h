/* Offsets inside the decrypted part of a DATA block (docs/format.md "DATA"). */
#ifndef BX_ARCHIVE_DATA_LAYOUT_H
#define BX_ARCHIVE_DATA_LAYOUT_H

/*
 * off size  field                        off size  field
 *   0    4  inner_len                     56    4  B stored length
 *   4    2  meta_len >= 96                60    4  B raw length
 *   6    1  codec of M                    64    4  n_channels
 *   7    1  codec of B                    68    4  n_topics
 *   8    1  layout = 1                    72    1  w_ts    0..8
 *   9    3  zero                          73    1  w_chan  0..3
 *  12    4  n_records                     74    1  w_topic 0..3
 *  16    8  first_record                  75    1  w_code  0..2
 *  24    8  ts_first                      76    1  w_len   0..4
 *  32    8  ts_min                        77    1  w_flags 0..1
 *  40    8  ts_max                        78    2  zero
 *  48    4  M stored length               80    8  n_dropped
 *  52    4  M raw length                  88    4  n_realms
 *                                         92    4  zero
 *
 * M raw = channels (24 bytes each) || realms {uleb, bytes} || topics {uleb, bytes}
 *         || planes of ts, chan, topic, code, len, flags || extensions
 */
enum {
	BX_DATA_INNER_LEN = 0,
	BX_DATA_META_LEN_AT = 4,
	BX_DATA_CODEC_M = 6,
	BX_DATA_CODEC_B = 7,
	BX_DATA_LAYOUT = 8,
	BX_DATA_RECORDS = 12,
	BX_DATA_FIRST_RECORD = 16,
	BX_DATA_TS_FIRST = 24,
	BX_DATA_TS_MIN = 32,
	BX_DATA_TS_MAX = 40,
	BX_DATA_M_STORED = 48,
	BX_DATA_M_RAW = 52,
	BX_DATA_B_STORED = 56,
	BX_DATA_B_RAW = 60,
	BX_DATA_CHANNELS = 64,
	BX_DATA_TOPICS = 68,
	BX_DATA_WIDTHS = 72,
	BX_DATA_DROPPED = 80,
	BX_DATA_REALMS = 88,
};

/* The columns, in their order in M, and the most planes each may have. */
enum {
	BX_COLUMN_TS,
	BX_COLUMN_CHAN,
	BX_COLUMN_TOPIC,
	BX_COLUMN_CODE,
	BX_COLUMN_LEN,
	BX_COLUMN_FLAGS,
	BX_COLUMN_COUNT
};
#define BX_COLUMN_WIDTHS_MAX                                                                       \
	{                                                                                          \
		8, 3, 3, 2, 4, 1                                                                   \
	}

/* Flags that this version knows; a reader leaves the others out. */
#define BX_RECORD_FLAGS_KNOWN 0x1Fu

#endif
