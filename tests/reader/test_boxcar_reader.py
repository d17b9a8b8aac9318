"""The second reader against the C library: known answers, kept files, and fresh ones.

BX_SAMPLES names a folder that `test_archive_samples` filled (its BX_SAMPLES_OUT); without it only
what is in the repository is checked.
"""
import ctypes
import glob
import hashlib
import json
import os
import re

import pytest

import boxcar_reader as bx

HERE = os.path.dirname(os.path.abspath(__file__))
DATA = os.path.join(HERE, "..", "data")
SAMPLES = os.environ.get("BX_SAMPLES")
PAGE_TEXT = open(os.path.join(HERE, "..", "..", "docs", "format.md"), encoding="utf-8").read()
FK, SEGMENT_ID = bytes(range(32)), bytes(range(0xA0, 0xB0))


def answers(text):
    return dict(re.findall(r"^(\w+) +=\s+([0-9a-f]+)$", text, re.M))


def read(path, identities=(), allow_plain=False, data=None):
    if data is None:
        with open(path, "rb") as f:
            data = f.read()
    reader = bx.Reader(data, list(identities), allow_plain)
    return list(reader.records()), reader


def lines(path):
    with open(path, encoding="utf-8") as f:
        return [json.loads(line) for line in f]


# --- known answers -------------------------------------------------------------------------------


def test_page_and_file_agree():
    with open(os.path.join(DATA, "archive", "known_answers.txt"), encoding="utf-8") as f:
        kept = answers(f.read())
    page = answers(PAGE_TEXT)
    assert len(kept) == 11
    assert {name: page.get(name) for name in kept} == kept


def test_keys():
    page = answers(PAGE_TEXT)
    seg = bx.blake(b"boxcar-v1 seg\0\0\0" + SEGMENT_ID, key=FK)
    mac, blk = bx.derive(FK, SEGMENT_ID)
    assert seg.hex() == page["K_seg"]
    assert (mac.hex(), blk.hex()) == (page["K_mac"], page["K_blk"])
    assert bx.kdf(blk, 1, b"boxblock").hex() == page["K_1"]
    assert bx.crc32c(b"123456789") == 0xE3069283


def head_of_page():
    """The HEAD of section 13, from the answers `stanza` and `commit`."""
    page = answers(PAGE_TEXT)
    body = bytearray(192)
    body[0], body[4], body[5], body[6] = 1, 12, 1, 1
    body[24] = 1
    body[32:48] = bytes(range(0xB0, 0xC0))
    body += b"\x01\x00\x50\x00" + bytes.fromhex(page["stanza"]) + bytes.fromhex(page["commit"])
    header = bytearray(128)
    header[:8], header[8], header[10] = bx.MAGIC, 1, 1
    header[16:32] = SEGMENT_ID
    header[40:44] = len(body).to_bytes(4, "little")
    header[44:48] = bx.crc32c(body).to_bytes(4, "little")
    header[12:16] = bx.crc32c(header).to_bytes(4, "little")
    return bytes(header), bytes(body)


def test_head():
    page = answers(PAGE_TEXT)
    header, body = head_of_page()
    parsed = bx.Header(header)
    head = bx.parse_head(parsed, body)
    assert bx.unlock(head, parsed, body, [bytes([1]) * 32]) == bx.derive(FK, SEGMENT_ID)[1]
    with pytest.raises(bx.Fault) as wrong:
        bx.unlock(head, parsed, body, [bytes([9]) * 32])
    assert wrong.value.status == "NO_KEY"
    assert bx.blake(header + bx.blake(body)).hex() == page["D_0"]
    assert bx.blake(header).hex() == page["link_0"]
    copy = bytearray(128)
    copy[:8], copy[8], copy[9], copy[10], copy[11] = bx.MAGIC, 6, 2, 1, 1
    copy[16:32], copy[32] = SEGMENT_ID, 2
    copy[40:44] = (128 + len(body)).to_bytes(4, "little")
    key = bx.kdf(bx.derive(FK, SEGMENT_ID)[1], 2, b"boxblock")
    assert bx.blake(bytes(copy) + header + body, 16, key).hex() == page["copy_2"]


def test_block():
    with open(os.path.join(DATA, "container-kat-block.bin"), "rb") as f:
        block = f.read()
    header = bx.Header(block[:128])
    assert header.total == len(block) and header.seq == 1 and header.page_off == 1
    assert header.tag.hex() == answers(PAGE_TEXT)["tag_1"]
    assert bx.crc32c(block[128:]) == header.body_crc
    inner = bx.open_body(header, block[128:], bx.derive(FK, SEGMENT_ID)[1])
    records = bx.parse_data(header, inner)["records"]
    assert [bytes.fromhex(r["body"]) for r in records] == [
        b'[16,1,{},"a.b.c",[7]]',
        b"[36,2,3,{},[7]]",
    ]
    assert [r["ts"] for r in records] == [1760000000000000000, 1760000000000001000]
    assert [(r["session"], r["dir"], r["ser"], r["code"], r["flags"]) for r in records] == [
        (4711, 0, 1, 16, 16),
        (4712, 1, 1, 36, 16),
    ]
    assert {bytes.fromhex(r["uri"]) for r in records} == {b"a.b.c"}


def test_identity():
    raw = bytes.fromhex(answers(PAGE_TEXT)["identity"])
    assert len(raw) == 176 and raw[:8] == b"\x89BXI\r\n\x1a\n"
    key = ctypes.create_string_buffer(32)
    words = b"correct horse"
    assert raw[12:24] == (1).to_bytes(4, "little") + (8 << 20).to_bytes(8, "little")
    bx.sodium.crypto_pwhash(
        key,
        ctypes.c_ulonglong(32),
        words,
        ctypes.c_ulonglong(len(words)),
        raw[24:40],
        ctypes.c_ulonglong(1),
        ctypes.c_size_t(8 << 20),
        2,
    )
    commit = hashlib.blake2b(b"boxcar-v1 identity" + raw[:96], digest_size=32, key=key.raw)
    assert commit.digest() == raw[96:128]
    secret = ctypes.create_string_buffer(32)
    assert 0 == bx.sodium.crypto_aead_xchacha20poly1305_ietf_decrypt(
        secret,
        None,
        None,
        raw[128:],
        ctypes.c_ulonglong(48),
        raw[:128],
        ctypes.c_ulonglong(128),
        raw[40:64],
        key.raw,
    )
    assert secret.raw == bytes([3]) * 32


# --- files ---------------------------------------------------------------------------------------

GOLDEN = sorted(glob.glob(os.path.join(DATA, "archive", "golden-*.boxcar")))


def test_there_are_golden_files():
    assert len(GOLDEN) == 3


@pytest.mark.parametrize("path", GOLDEN, ids=os.path.basename)
def test_golden(path):
    records, reader = read(path, [bytes([0x11]) * 32], allow_plain=True)
    assert reader.status == "CLEAN", reader.fault
    assert records == lines(path[: -len("boxcar")] + "jsonl")


def samples():
    return sorted(glob.glob(os.path.join(SAMPLES, "*.boxcar"))) if SAMPLES else []


def how_to_read(path):
    with open(path[: -len("boxcar")] + "json", encoding="utf-8") as f:
        how = json.load(f)
    identity = [bytes.fromhex(how["identity"])] if how["identity"] else []
    return how, identity


@pytest.mark.parametrize("path", samples(), ids=os.path.basename)
def test_sample(path):
    how, identity = how_to_read(path)
    records, reader = read(path, identity, how["allow_plain"])
    assert reader.status == how["status"], reader.fault
    assert records == lines(path[: -len("boxcar")] + "jsonl")


def repair(block):
    """Both CRCs of a block, as an attacker would."""
    size = int.from_bytes(block[40:44], "little")
    if size <= len(block) - 128:
        block[44:48] = bx.crc32c(block[128 : 128 + size]).to_bytes(4, "little")
    block[12:16] = bytes(4)
    block[12:16] = bx.crc32c(block[:128]).to_bytes(4, "little")


@pytest.mark.parametrize("path", samples(), ids=os.path.basename)
def test_mutations(path):
    how, identity = how_to_read(path)
    with open(path, "rb") as f:
        clean = f.read()
    with open(path[: -len("boxcar")] + "mutations", encoding="ascii") as f:
        mutations = [line.split() for line in f]
    assert len(mutations) == 60
    for at, byte, block, status, count in mutations:
        data = bytearray(clean)
        data[int(at)] ^= int(byte)
        if int(block) < len(data):
            rest = data[int(block) :]
            repair(rest)
            data[int(block) :] = rest
        records, reader = read(None, identity, how["allow_plain"], bytes(data))
        what = f"offset {at} xor {byte}: {reader.fault and reader.fault.what}"
        assert (reader.status, len(records)) == (status, int(count)), what
