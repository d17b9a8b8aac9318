#!/usr/bin/env python3
"""A second reader of .boxcar files, written from docs/format.md alone.

Slow and strict: it reads a file from front to back, checks everything the page names, and prints
one JSON object a record. It shares no code with the C library; it needs libsodium and libzstd as
shared libraries, for XChaCha20-Poly1305, crypto_box, Ed25519 and zstd frames.

    boxcar_reader.py FILE [--identity HEX ...] [--allow-plain]

The status goes to standard error as a JSON object.
"""
import argparse
import ctypes
import ctypes.util
import hashlib
import json
import struct
import sys

PAGE = 4096
MAGIC = b"\x89BXC\r\n\x1a\n"
HEAD, DATA, INDEX, TAIL, META, HEADCOPY = 1, 2, 3, 4, 5, 6
ENCRYPTED, MAC_ONLY, LAST = 1, 2, 4
NO_MIN, NO_MAX = 2**63 - 1, -(2**63)
RAW_MAX = 128 << 20
READER_MAX = 80 << 20


def library(name, soname):
    return ctypes.CDLL(ctypes.util.find_library(name) or soname)


sodium = library("sodium", "libsodium.so.23")
zstd = library("zstd", "libzstd.so.1")
sodium.sodium_init()
zstd.ZSTD_decompress.restype = ctypes.c_size_t
zstd.ZSTD_findFrameCompressedSize.restype = ctypes.c_size_t


class Fault(Exception):
    def __init__(self, status, what, offset=None):
        super().__init__(what)
        self.status, self.what, self.offset = status, what, offset


def damaged(condition, what):
    if not condition:
        raise Fault("DAMAGED", what)


def supported(condition, what):
    if not condition:
        raise Fault("UNSUPPORTED", what)


def crc_table():
    table = []
    for i in range(256):
        for _ in range(8):
            i = (i >> 1) ^ (0x82F63B78 if i & 1 else 0)
        table.append(i)
    return table


CRC_TABLE = crc_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ CRC_TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def blake(data, size=32, key=b""):
    return hashlib.blake2b(data, digest_size=size, key=key).digest()


def kdf(key, number, context):
    return hashlib.blake2b(
        b"", digest_size=32, key=key, salt=struct.pack("<QQ", number, 0), person=context + bytes(8)
    ).digest()


def decompress(codec, stored, raw_len):
    if codec == 0:
        damaged(len(stored) == raw_len, "a stored part has two lengths")
        return stored
    damaged(len(stored) >= 6 and stored[:4] == b"\x28\xb5\x2f\xfd", "no zstd frame")
    descriptor, at = stored[4], 5
    damaged(descriptor & 0x0B == 0 and descriptor & 4, "dictionary, reserved bit or no checksum")
    single = descriptor & 0x20
    if not single:
        damaged(10 + (stored[at] >> 3) <= 27, "window")
        at += 1
    size_len = (1 if single else 0, 2, 4, 8)[descriptor >> 6]
    damaged(size_len != 0, "no content size")
    size = int.from_bytes(stored[at : at + size_len], "little") + (256 if size_len == 2 else 0)
    damaged(size == raw_len, "content size")
    damaged(
        zstd.ZSTD_findFrameCompressedSize(stored, ctypes.c_size_t(len(stored))) == len(stored),
        "not exactly one frame",
    )
    out = ctypes.create_string_buffer(raw_len + 1)
    got = zstd.ZSTD_decompress(out, ctypes.c_size_t(raw_len), stored, ctypes.c_size_t(len(stored)))
    damaged(got == raw_len, "the frame does not inflate")
    return out.raw[:raw_len]


class Cursor:
    def __init__(self, data):
        self.data, self.at = data, 0

    def take(self, size):
        damaged(size <= len(self.data) - self.at, "cut")
        self.at += size
        return self.data[self.at - size : self.at]

    def left(self):
        return len(self.data) - self.at

    def uleb(self, most=2**64 - 1):
        value = shift = 0
        while True:
            byte = self.take(1)[0]
            damaged(shift < 70 and not (shift and byte == 0), "uleb")
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                damaged(value <= most, "uleb too large")
                return value

    def text(self):
        return self.take(self.uleb(65535))


class Totals:
    NAMES = ("records", "sealed", "plain", "ppt", "unparsed", "dropped", "raw_bytes")

    def __init__(self, data=None):
        if data is None:
            self.counts, self.ts_min, self.ts_max = [0] * 7, NO_MIN, NO_MAX
        else:
            *self.counts, self.ts_min, self.ts_max = struct.unpack("<7Qqq", data)

    def add(self, other):
        self.counts = [min(a + b, 2**64 - 1) for a, b in zip(self.counts, other.counts)]
        self.ts_min = min(self.ts_min, other.ts_min)
        self.ts_max = max(self.ts_max, other.ts_max)

    def __eq__(self, other):
        return (self.counts, self.ts_min, self.ts_max) == (
            other.counts,
            other.ts_min,
            other.ts_max,
        )


class Header:
    def __init__(self, raw):
        self.raw = raw
        damaged(raw[:8] == MAGIC, "no block begins here")
        self.type, self.flags, version, self.suite, crc = struct.unpack_from("<4BI", raw, 8)
        damaged(crc == crc32c(raw[:12] + bytes(4) + raw[16:]), "header CRC")
        supported(version == 1, "header version")
        self.segment_id = raw[16:32]
        self.seq, self.body_len, self.body_crc = struct.unpack_from("<QII", raw, 32)
        self.nonce, self.tag = raw[48:72], raw[72:88]
        self.index_back, self.page_off = struct.unpack_from("<QQ", raw, 88)
        supported(1 <= self.type <= 6 or self.type >= 0x80, "block type")
        supported(self.flags & ~7 == 0, "block flags")
        supported(self.suite <= 1, "suite")
        covered = self.flags & (ENCRYPTED | MAC_ONLY)
        damaged(bool(covered) == bool(self.suite), "suite and flags")
        damaged(covered or self.tag == bytes(16), "tag of a plain block")
        damaged(self.flags & ENCRYPTED or self.nonce == bytes(24), "nonce of a plain block")
        damaged(not self.flags & LAST or self.type == TAIL, "LAST")
        damaged(self.type != HEAD or self.flags == 0, "flags of HEAD")
        damaged((self.type == HEADCOPY) == bool(self.flags & MAC_ONLY), "MAC_ONLY")
        damaged(self.type != HEADCOPY or self.flags == MAC_ONLY, "flags of HEADCOPY")
        damaged(self.body_len <= 1 << 28, "body_len")
        damaged(self.type != HEAD or self.body_len <= 512 << 10, "length of HEAD")
        damaged(self.type != HEADCOPY or self.body_len <= (512 << 10) + 128, "HEADCOPY")
        damaged(self.type != TAIL or self.body_len <= PAGE - 128, "length of TAIL")
        damaged(self.seq < 1 << 48, "seq")
        damaged(not self.flags & ENCRYPTED or (128 + self.body_len) % PAGE == 0, "padding")
        damaged((self.type == HEAD) == (self.seq == 0), "HEAD is block 0")
        self.total = (128 + self.body_len + PAGE - 1) // PAGE * PAGE

    def ad(self):
        raw = bytearray(self.raw)
        for at, size in ((12, 4), (44, 4), (72, 16), (88, 16)):
            raw[at : at + size] = bytes(size)
        return bytes(raw)


def parse_head(header, body):
    damaged(header.type == HEAD and header.page_off == 0 and header.index_back == 0, "HEAD")
    damaged(header.body_len == len(body) and 192 + 32 <= len(body) <= 512 << 10, "length of HEAD")
    major, _minor, page_log2, suite, n_stanzas = struct.unpack_from("<HHBBH", body, 0)
    supported(major == 1 and page_log2 == 12, "version")
    compat, ro_compat, incompat = struct.unpack_from("<QQQ", body, 8)
    supported(incompat & ~1 == 0, "incompat features")
    supported(suite <= 1, "suite")
    head = {
        "segment_id": header.segment_id,
        "encrypted": bool(incompat & 1),
        "digest": bool(compat & 1),
        "ro_compat": ro_compat,
        "stream_id": body[32:48],
        "prev_id": body[72:88],
        "prev_link": body[96:128],
    }
    head["no"], head["total"], head["created"] = struct.unpack_from("<QQq", body, 48)
    (head["prev_blocks"],) = struct.unpack_from("<Q", body, 88)
    damaged(head["encrypted"] == (suite == 1), "suite")
    damaged(1 <= n_stanzas <= 256 if head["encrypted"] else n_stanzas == 0, "stanzas")
    damaged(not head["encrypted"] or head["created"] == 0, "created")
    damaged(head["total"] == 0 or head["no"] < head["total"], "segment_total")
    cursor, stanzas = Cursor(body[192:-32]), []
    for _ in range(n_stanzas):
        kind, size = struct.unpack("<HH", cursor.take(4))
        stanzas.append((kind, cursor.take(size)))
    damaged(cursor.left() == 0, "stanzas do not fill HEAD")
    head["stanzas"] = stanzas
    return head


def derive(fk, segment_id):
    seg = blake(b"boxcar-v1 seg\0\0\0" + segment_id, key=fk)
    return kdf(seg, 1, b"boxcarv1"), kdf(seg, 2, b"boxcarv1")


def unlock(head, header, body, identities):
    opened = False
    for identity in identities:
        public = ctypes.create_string_buffer(32)
        sodium.crypto_scalarmult_base(public, identity)
        for kind, stanza in head["stanzas"]:
            if kind != 1 or len(stanza) != 80:
                continue
            fk = ctypes.create_string_buffer(32)
            nonce = blake(stanza[:32] + public.raw, 24)
            if sodium.crypto_box_open_easy(
                fk, stanza[32:], ctypes.c_ulonglong(48), nonce, stanza[:32], identity
            ):
                continue
            opened = True
            mac, blk = derive(fk.raw, header.segment_id)
            if blake(header.ad() + body[:-32], key=mac) == body[-32:]:
                return blk
    raise Fault("HEADER_AUTH" if opened else "NO_KEY", "HEAD cannot be opened")


def open_body(header, body, blk):
    """The inner part of a block; `blk` is K_blk or None."""
    if blk is None:
        damaged(not header.flags & ENCRYPTED, "an encrypted block in a plain segment")
        return body
    key = kdf(blk, header.seq, b"boxblock")
    if header.type == HEADCOPY:
        if blake(header.ad() + body, 16, key) != header.tag:
            raise Fault("AEAD", "tag of HEADCOPY")
        return body
    out = ctypes.create_string_buffer(len(body) + 1)
    ad = header.ad()
    if sodium.crypto_aead_xchacha20poly1305_ietf_decrypt_detached(
        out,
        None,
        body,
        ctypes.c_ulonglong(len(body)),
        header.tag,
        ad,
        ctypes.c_ulonglong(len(ad)),
        header.nonce,
        key,
    ):
        raise Fault("AEAD", "tag")
    return out.raw[: len(body)]


def cut_inner(header, inner, least):
    damaged(len(inner) >= max(least, 4), "too short")
    (size,) = struct.unpack_from("<I", inner, 0)
    damaged(least <= size <= len(inner), "inner_len")
    if header.flags & ENCRYPTED:
        damaged(not any(inner[size:]), "zeros after the inner part")
    else:
        damaged(size == len(inner), "inner_len of a plain block")
    return inner[:size]


def channel_of(raw, realms):
    session, conn, realm, direction, ser, transport, flags = struct.unpack("<QQIBBBB", raw)
    damaged(direction <= 2 and flags & ~7 == 0 and realm < len(realms), "channel")
    damaged(flags & 2 or conn == 0, "conn")
    damaged(flags & 4 or session == 0, "session")
    return {
        "session": session if flags & 4 else None,
        "conn": conn if flags & 2 else None,
        "realm": realms[realm].hex(),
        "dir": direction,
        "ser": ser,
        "transport": transport,
        "batched": bool(flags & 1),
    }


def column(cursor, n, width):
    planes = [cursor.take(n) for _ in range(width)]
    return [sum(plane[i] << (8 * b) for b, plane in enumerate(planes)) for i in range(n)]


def parse_data(header, inner):
    inner = cut_inner(header, inner, 96)
    meta_len, codec_m, codec_b, layout = struct.unpack_from("<HBBB", inner, 4)
    supported(layout == 1 and codec_m <= 1 and codec_b <= 1, "layout or codec")
    (n,) = struct.unpack_from("<I", inner, 12)
    first_record, ts, ts_min, ts_max = struct.unpack_from("<Qqqq", inner, 16)
    m_stored, m_raw, b_stored, b_raw, n_channels, n_topics = struct.unpack_from("<6I", inner, 48)
    widths = inner[72:78]
    dropped, n_realms = struct.unpack_from("<QI", inner, 80)
    damaged(meta_len >= 96 and meta_len + m_stored + b_stored == len(inner), "parts")
    damaged(1 <= n <= 1 << 20, "n_records")
    damaged(all(w <= m for w, m in zip(widths, (8, 3, 3, 2, 4, 1))), "widths")
    damaged(m_raw <= RAW_MAX and b_raw <= RAW_MAX, "raw lengths")
    if m_raw > READER_MAX or b_raw > READER_MAX:
        raise Fault("LIMIT", "raw lengths")
    damaged(1 <= n_channels <= n and 1 <= n_realms <= n_channels + 1, "tables")
    damaged(1 <= n_topics <= n + 1, "tables")
    damaged(24 * n_channels + n_realms + n_topics + n * sum(widths) <= m_raw, "counts")
    m = Cursor(decompress(codec_m, inner[meta_len : meta_len + m_stored], m_raw))
    bodies = decompress(codec_b, inner[meta_len + m_stored :], b_raw)
    raw_channels = [m.take(24) for _ in range(n_channels)]
    realms = [m.text() for _ in range(n_realms)]
    topics = [m.text() for _ in range(n_topics)]
    damaged(realms[0] == b"" and topics[0] == b"" and len(set(topics)) == n_topics, "tables")
    channels = [channel_of(raw, realms) for raw in raw_channels]
    z, chan, topic, code, length, flags = (column(m, n, w) for w in widths)
    damaged(max(chan) < n_channels and max(topic) < n_topics, "index of a column")
    damaged(sum(length) == b_raw and max(length) <= 64 << 20, "lengths")
    starts, at = [0] * n_topics, 0
    for t, size in zip(topic, length):
        starts[t] += size
    for t in range(n_topics):
        starts[t], at = at, at + starts[t]
    totals = Totals()
    totals.counts[0], totals.counts[5], totals.counts[6] = n, dropped, b_raw
    records = []
    for i in range(n):
        ts = (ts + ((z[i] >> 1) ^ -(z[i] & 1))) % 2**64
        signed = ts - 2**64 if ts >= 2**63 else ts
        bits = flags[i] & 0x1F
        for name, bit in (("sealed", 1), ("plain", 16), ("ppt", 2), ("unparsed", 4)):
            totals.counts[Totals.NAMES.index(name)] += bool(bits & bit)
        if not bits & 8:
            totals.ts_min, totals.ts_max = min(totals.ts_min, signed), max(totals.ts_max, signed)
        start = starts[topic[i]]
        starts[topic[i]] += length[i]
        record = {"ts": None if bits & 8 else signed}
        record.update(channels[chan[i]])
        record.update(uri=topics[topic[i]].hex(), code=code[i], flags=bits)
        record["body"] = bodies[start : start + length[i]].hex()
        records.append(record)
    damaged((totals.ts_min, totals.ts_max) == (ts_min, ts_max), "ts_min, ts_max")
    return {"records": records, "first": first_record, "totals": totals}


def postings(cursor, n_entries):
    n, at, out = cursor.uleb(n_entries), 0, []
    damaged(n >= 1, "postings")
    for i in range(n):
        step = cursor.uleb(2**32 - 1)
        damaged(i == 0 or step >= 1, "step")
        at += step
        sums = tuple(cursor.uleb() for _ in range(4))
        damaged(at < n_entries and sums[0] >= 1, "posting")
        out.append((at, sums))
    return out


def parse_index(header, inner):
    inner = cut_inner(header, inner, 184)
    meta_len, codec, kind = struct.unpack_from("<HBB", inner, 4)
    n_entries, n_types, n_realms, n_channels, n_topics, stored, raw = struct.unpack_from(
        "<7I", inner, 8
    )
    damaged(meta_len >= 184 and meta_len + stored == len(inner), "parts of INDEX")
    supported(codec <= 1 and kind <= 1, "codec or kind of INDEX")
    damaged(raw <= RAW_MAX and (kind == 1 or n_entries <= 1024), "INDEX")
    damaged(
        120 * n_entries + 2 * n_types + n_realms + 24 * n_channels + 2 * n_topics <= raw, "counts"
    )
    c = Cursor(decompress(codec, inner[meta_len:], raw))
    index = {"root": kind == 1, "r": inner[48:80], "sig": inner[80:184], "inner": inner}
    (index["first_block"],) = struct.unpack_from("<Q", inner, 40)
    entries = []
    for _ in range(n_entries):
        e = c.take(120)
        seq, page_off, first = struct.unpack_from("<QQQ", e, 0)
        pages, flags = struct.unpack_from("<II", e, 96)
        entries.append(
            {
                "seq": seq,
                "page_off": page_off,
                "first": first,
                "totals": Totals(e[24:96]),
                "pages": pages,
                "unlisted": bool(flags & 1),
                "id": e[104:120],
            }
        )
        damaged(pages >= 1, "pages")
        if len(entries) > 1:
            last = entries[-2]
            damaged(seq > last["seq"] and page_off >= last["page_off"] + last["pages"], "order")
    types = [(c.uleb(65535), postings(c, n_entries)) for _ in range(n_types)]
    realms = [c.text() for _ in range(n_realms)]
    damaged(not realms or realms[0] == b"", "realms")
    channels = [(c.take(24), postings(c, n_entries)) for _ in range(n_channels)]
    topics = [(c.text(), postings(c, n_entries)) for _ in range(n_topics)]
    for names in ([t[0] for t in types], [t[0] for t in channels], [t[0] for t in topics]):
        damaged(all(a < b for a, b in zip(names, names[1:])), "order of lists")
    index["entries"] = entries
    index["lists"] = {
        "types": types,
        "channels": [(json.dumps(channel_of(r, realms)), p) for r, p in channels],
        "topics": topics,
    }
    return index


def parse_tail(header, inner):
    inner = cut_inner(header, inner, 248)
    meta_len, n_types = struct.unpack_from("<HH", inner, 4)
    damaged(248 <= meta_len and meta_len + 40 * n_types <= len(inner), "TAIL")
    damaged(n_types <= 64, "types of TAIL")
    seq, blocks, root, pages = struct.unpack_from("<QQQQ", inner, 8)
    damaged(seq == header.seq and pages == header.page_off + 1 and root < pages - 1, "TAIL")
    types = []
    for i in range(n_types):
        code, *sums = struct.unpack_from("<H6x4Q", inner, meta_len + 40 * i)
        types.append((code, tuple(sums)))
    damaged(all(a[0] < b[0] for a, b in zip(types, types[1:])), "types of TAIL")
    return {
        "blocks": blocks,
        "root": root,
        "totals": Totals(inner[40:112]),
        "r": inner[112:144],
        "sig": inner[144:248],
        "inner": inner,
        "types": types,
    }


def signer_of(sig, message):
    """The public key of a signature that verifies, else None."""
    if sig[0] != 1:
        return None
    good = sodium.crypto_sign_verify_detached(
        sig[40:104], message, ctypes.c_ulonglong(len(message)), sig[8:40]
    )
    return sig[8:40] if good == 0 else None


def count(table, key, record):
    bits = record["flags"]
    sums = table.setdefault(key, [0, 0, 0, 0])
    for i, part in enumerate((1, bits & 1, bits >> 4 & 1, len(record["body"]) // 2)):
        sums[i] += part


class Segment:
    """What is known of a segment while it is read."""

    def __init__(self, head, blk):
        self.head, self.blk = head, blk
        self.blocks, self.data_blocks, self.records = 0, 0, 0
        self.totals = Totals()
        self.entries, self.first_block, self.leaves, self.root = [], 0, [], None
        self.types = {}
        self.r = None
        self.link = None

    def entry(self, header, first, totals, lists):
        return {
            "seq": header.seq,
            "page_off": header.page_off,
            "first": first,
            "totals": totals,
            "pages": header.total // PAGE,
            "id": header.tag if header.flags & ENCRYPTED else header.raw[44:48] + bytes(12),
            "lists": lists,
        }

    def add_data(self, header, data):
        damaged(data["first"] == self.records, "first_record")
        lists = {"types": {}, "channels": {}, "topics": {}}
        names = ("session", "conn", "realm", "dir", "ser", "transport", "batched")
        for record in data["records"]:
            channel = json.dumps({name: record[name] for name in names})
            count(lists["types"], record["code"], record)
            count(lists["channels"], channel, record)
            count(lists["topics"], bytes.fromhex(record["uri"]), record)
            count(self.types, record["code"], record)
        self.entries.append(self.entry(header, self.records, data["totals"], lists))
        self.records += len(data["records"])
        self.data_blocks += 1
        self.totals.add(data["totals"])

    def same_lists(self, expected, index, number, kinds):
        for kind in kinds:
            found = {}
            for name, posts in index["lists"][kind]:
                for at, sums in posts:
                    if at == number:
                        found[name] = list(sums)
            if found != expected["lists"][kind]:
                return False
        return True

    def check_index(self, header, index):
        """INDEX_MISMATCH, or None."""
        expected = self.leaves if index["root"] else self.entries
        good = len(expected) == len(index["entries"])
        good = good and index["first_block"] == (0 if index["root"] else self.first_block)
        for i, (e, got) in enumerate(zip(expected, index["entries"])):
            for name in ("seq", "page_off", "first", "totals", "pages", "id"):
                good = good and e[name] == got[name]
            listed = not index["root"] and not got["unlisted"]
            kinds = ("types", "channels", "topics") if listed else ("types",)
            good = good and self.same_lists(e, index, i, kinds)
        if index["root"]:
            self.root = header.page_off
        else:
            totals, types = Totals(), {}
            for e in self.entries:
                totals.add(e["totals"])
            for code, posts in index["lists"]["types"]:
                types[code] = [sum(column) for column in zip(*(sums for _, sums in posts))]
            first = self.entries[0]["first"] if self.entries else 0
            self.leaves.append(self.entry(header, first, totals, {"types": types}))
            self.first_block += len(self.entries)
            self.entries = []
        return good

    def check_tail(self, tail):
        codes = sorted(self.types)
        own = codes if len(codes) <= 64 else codes[:63]
        types = [(code, tuple(self.types[code])) for code in own]
        if len(codes) > 64:
            rest = [sum(c) for c in zip(*(self.types[code] for code in codes[63:]))]
            types.append((65535, tuple(rest)))
        return (
            tail["blocks"] == self.data_blocks
            and tail["totals"] == self.totals
            and tail["root"] == self.root
            and not self.entries
            and tail["types"] == types
        )


class Streams:
    """Section 8."""

    def __init__(self):
        self.streams, self.segments, self.fault = {}, {}, None

    def incomplete(self, what):
        self.fault = self.fault or Fault("INCOMPLETE_STREAM", what)

    def linked(self, head):
        prev = self.segments.get(head["prev_id"])
        return prev is not None and prev == (head["prev_blocks"], head["prev_link"])

    def begin(self, head):
        stream = self.streams.get(head["stream_id"])
        has_prev = head["prev_id"] != bytes(16)
        if stream is None:
            if head["no"] != 0:
                self.incomplete("first segment")
            elif has_prev and not self.linked(head):
                self.incomplete("continued recording")
            stream = {"next": 0, "total": 0}
            self.streams[head["stream_id"]] = stream
        elif stream["last"]:
            self.incomplete("after the end")
        elif head["no"] != stream["next"]:
            self.incomplete("order")
        elif stream["total"] and head["total"] and stream["total"] != head["total"]:
            self.incomplete("total")
        elif has_prev and not self.linked(head):
            self.incomplete("link")
        elif not has_prev and stream["open"]:
            self.incomplete("no link")
        if head["segment_id"] in self.segments:
            self.incomplete("twice")
        self.segments.setdefault(head["segment_id"], None)
        stream["next"] = max(stream["next"], head["no"] + 1)
        stream["total"] = head["total"] or stream["total"]
        stream["open"], stream["last"] = True, False
        self.current = stream

    def end(self, segment, has_tail, last):
        head = segment.head
        if self.segments.get(head["segment_id"]) is None:
            self.segments[head["segment_id"]] = (segment.blocks, segment.link)
        self.current["open"], self.current["last"] = not has_tail, last
        if last and self.current["total"] and self.current["next"] != self.current["total"]:
            self.incomplete("ends early")

    def verdict(self, cut):
        if self.fault:
            return self.fault
        result = None
        for stream in self.streams.values():
            if stream["open"]:
                result = Fault("OPEN", "no TAIL")
            elif not (cut or stream["last"] or stream["next"] == stream["total"] != 0):
                return Fault("INCOMPLETE_STREAM", "last segment")
        return result


class Reader:
    def __init__(self, data, identities=(), allow_plain=False):
        self.data, self.identities, self.allow_plain = data, identities, allow_plain
        self.streams, self.segment, self.after_tail = Streams(), None, False
        self.noted, self.signers = None, []
        self.at = self.segment_at = 0

    def note(self, what):
        self.noted = self.noted or Fault("INDEX_MISMATCH", what, self.at)

    def leave(self, has_tail=False, last=False):
        if self.segment is not None:
            self.streams.end(self.segment, has_tail, last)
            self.segment = None

    def begin(self, header, body):
        head = parse_head(header, body)
        if head["encrypted"]:
            blk = unlock(head, header, body, self.identities)
        else:
            if self.identities and not self.allow_plain:
                raise Fault("DOWNGRADE", "a plain segment")
            blk = None
        self.leave()
        self.streams.begin(head)
        self.segment, self.segment_at = Segment(head, blk), self.at

    def check_order(self, header):
        segment = self.segment
        if header.type == HEAD:
            damaged(
                segment is None or segment.head["segment_id"] != header.segment_id, "HEAD twice"
            )
            return
        damaged(segment is not None, "no HEAD")
        damaged(segment.head["segment_id"] == header.segment_id, "another segment")
        covered = header.flags & (ENCRYPTED | MAC_ONLY)
        if segment.head["encrypted"] and not covered:
            raise Fault("DOWNGRADE", "a plain block")
        damaged(segment.head["encrypted"] or not covered, "an encrypted block")
        damaged(header.seq == segment.blocks, "seq")
        damaged(header.page_off == (self.at - self.segment_at) // PAGE, "page_off")
        damaged(header.type != META or header.seq == 1, "META")

    def check_r(self, r):
        if self.segment.head["digest"] and r != self.segment.r:
            self.note("R")

    def take(self, header, body):
        """The records of one block."""
        if header.type == HEAD:
            self.begin(header, body)
            return []
        segment = self.segment
        inner = open_body(header, body, segment.blk)
        if header.type == DATA:
            data = parse_data(header, inner)
            segment.add_data(header, data)
            return data["records"]
        if header.type == INDEX:
            index = parse_index(header, inner)
            self.check_r(index["r"])
            if not segment.check_index(header, index):
                self.note("INDEX")
        elif header.type == TAIL:
            tail = parse_tail(header, inner)
            self.check_r(tail["r"])
            message = b"boxcar-v1 tail\0\0" + header.segment_id + struct.pack("<Q", header.seq)
            message += blake(tail["inner"][:144] + bytes(104) + tail["inner"][248:])
            signer = signer_of(tail["sig"], message)
            if signer is not None and tail["r"] == segment.r:
                self.signers.append(signer.hex())
            if not segment.check_tail(tail):
                self.note("TAIL")
        elif header.type == META:
            cursor = Cursor(cut_inner(header, inner, 4)[4:])
            while cursor.left():
                _id, _zero, size = struct.unpack("<HHI", cursor.take(8))
                cursor.take(size)
        elif header.type == HEADCOPY:
            damaged(len(body) >= 128, "HEADCOPY")
            head = parse_head(Header(body[:128]), body[128:])
            damaged(head["segment_id"] == header.segment_id, "HEADCOPY")
        return []

    def finish_block(self, header, body):
        segment = self.segment
        if segment.head["digest"]:
            d = blake(header.raw + blake(body))
            segment.r = d if segment.r is None else blake(segment.r + d)
        segment.blocks += 1
        segment.link = blake(header.raw)
        self.after_tail = header.type == TAIL
        if self.after_tail:
            self.leave(True, bool(header.flags & LAST))
        self.at += header.total

    def records(self):
        """Yields records; afterwards `status` and `fault` are set."""
        try:
            yield from self.walk()
        except Fault as fault:
            self.status, self.fault = fault.status, fault
            if fault.status == "DAMAGED" and self.torn():
                self.status = "OPEN"
            if fault.offset is None:
                fault.offset = self.at

    def torn(self):
        """The block at `at` is whole but wrong, and only zeros follow it."""
        try:
            header = Header(self.data[self.at : self.at + 128])
        except Fault:
            return False
        rest = self.data[self.at + header.total :]
        return len(rest) != 0 and not any(rest) and self.ordered

    def walk(self):
        cut = zeros = False
        if not self.data:
            raise Fault("DAMAGED", "empty")
        while self.at < len(self.data):
            self.ordered = False
            left = self.data[self.at :]
            if self.at and not any(left[:128]):
                damaged(not any(left), "zeros where a block should be")
                zeros = True
                break
            if len(left) < 128:
                damaged(left[:8] == MAGIC[: len(left)], "no block begins here")
                cut = True
                break
            header = Header(left[:128])
            self.check_order(header)
            if header.total > len(left):
                cut = True
                break
            self.ordered = header.type != HEAD
            body = left[128 : 128 + header.body_len]
            damaged(crc32c(body) == header.body_crc, "body CRC")
            damaged(not any(left[128 + header.body_len : header.total]), "padding")
            yield from self.take(header, body)
            self.finish_block(header, body)
        if self.noted:
            raise self.noted
        self.leave()
        verdict = self.streams.verdict(cut)
        if verdict is None and (cut or zeros):
            verdict = Fault("OPEN", "not closed")
        if verdict is not None:
            raise verdict
        self.status, self.fault = "CLEAN", None


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--identity", action="append", default=[], metavar="HEX")
    parser.add_argument("--allow-plain", action="store_true")
    options = parser.parse_args()
    with open(options.file, "rb") as f:
        data = f.read()
    identities = [bytes.fromhex(text) for text in options.identity]
    reader = Reader(data, identities, options.allow_plain)
    for record in reader.records():
        print(json.dumps(record, separators=(",", ":")))
    fault = reader.fault
    result = {"status": reader.status, "signers": reader.signers}
    if fault is not None:
        result.update(what=fault.what, offset=fault.offset)
    print(json.dumps(result), file=sys.stderr)
    return 0 if reader.status == "CLEAN" else 4


if __name__ == "__main__":
    sys.exit(main())
