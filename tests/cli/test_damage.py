"""Damaged recordings (decisions 11): every bit, every cut, in every raw framing."""

import base64
import binascii
import os

import pytest

import cryptobox
import wire
from program import run
from wire import PUBLISH, SUBSCRIBE, SUBSCRIBED, EVENT

ACME = cryptobox.Pair("com.acme.")
# Under a sanitizer or in a hurry: every n-th bit only.
STEP = int(os.environ.get("BOXCAR_TEST_STEP", "1"))

TRUTH = [
    ([PUBLISH, 1, {}, "com.acme.t", ["a", 1]], "com.acme.t"),
    ([SUBSCRIBE, 2, {}, "com.acme.t"], None),
    ([SUBSCRIBED, 2, 99], None),
    ([EVENT, 99, 7, {}, [], {"k": None}], "com.acme.t"),
    ([PUBLISH, 3, {}, "org.x", ["plain"]], None),
]


def recording(ser):
    messages = [cryptobox.seal(m, ACME.shared, uri, bytes([65 + i]) * 24) if uri else m for i, (m, uri) in enumerate(TRUTH)]
    return [wire.dump(ser, m) for m in messages], [wire.dump(ser, m) for m, _ in TRUTH]


def frame(kind, ser, bodies):
    if kind == "rawsocket":
        return wire.rawsocket(bodies, ser)
    if kind == "batched":
        return wire.batched(ser, bodies)
    if kind == "jsonl":
        return b"".join(b + b"\n" for b in bodies)
    return b"".join(bodies)


def format_name(kind, ser):
    return {"batched": "batched-" + ser, "stream": ser}.get(kind, kind)


def split(kind, ser, data):
    """The frames of an output, which holds only whole ones; a RawSocket control frame counts as one."""
    if kind == "batched" and ser == "json":
        return wire.split_batched(ser, data)
    at = 4 if kind == "rawsocket" and data[:1] == b"\x7f" else 0
    frames = []
    while at < len(data):
        length = int.from_bytes(data[at + (kind == "rawsocket"):at + 4], "big")
        assert at + 4 + length <= len(data), "not whole"
        frames.append(data[at:at + 4 + length])
        at += 4 + length
    return frames


def boxes(kind, ser, sealed):
    """Where nonce, tag and ciphertext stand in the file: offset -> (begin, end) of the box it is in."""
    where = {}
    whole = frame(kind, ser, sealed)
    for body in sealed:
        message = wire.load(ser, body)
        if not wire.is_sealed(message):
            continue
        stands = base64.b64encode(message[-1]) if ser == "json" else message[-1]
        at = whole.index(stands)
        assert whole.find(stands, at + 1) < 0
        where.update((i, (at, at + len(stands))) for i in range(at, at + len(stands)))
    return whole, where


@pytest.mark.slow
@pytest.mark.parametrize("kind, ser", [("rawsocket", "msgpack"), ("rawsocket", "json"), ("batched", "cbor"), ("stream", "cbor")])
def test_every_flipped_bit(kind, ser, ring):
    sealed, plain = recording(ser)
    whole, inside = boxes(kind, ser, sealed)
    fmt = format_name(kind, ser)
    want = run("open", "-k", ring, "-f", fmt, "-j1", stdin=whole, code=0).out
    assert want == frame(kind, ser, plain)
    outcomes = {}
    # Every bit where it matters most, elsewhere every third: that is each byte, and each bit of a byte.
    step = STEP if kind == "rawsocket" and ser == "msgpack" else STEP * 3
    for bit in range(0, len(whole) * 8, step):
        at = bit // 8
        flipped = bytearray(whole)
        flipped[at] ^= 1 << bit % 8
        result = run("open", "-k", ring, "-f", fmt, "-j1", "-q", stdin=bytes(flipped))
        outcomes[result.code] = outcomes.get(result.code, 0) + 1
        if at in inside and ser != "json":
            assert result.code == 5, (bit, result)
        elif at in inside:
            begin, end = inside[at]
            assert result.code in ((0,) if still_the_same(whole, flipped, begin, end) else (4, 5)), (bit, result)
        else:
            assert result.code in (0, 2, 3, 4, 5), (bit, result)
        if kind != "stream" and not (kind == "rawsocket" and at < 4):
            check_only_one_message_differs(kind, ser, result, want, bit)
    assert outcomes.get(5, 0) > len(inside) * 8 / step * 0.9 / (1 if ser != "json" else 2)
    assert outcomes.get(4, 0) > 0


def still_the_same(whole, flipped, begin, end):
    """Base64 with other spare bits is the same value to the reader that the specification describes."""
    try:
        return base64.b64decode(bytes(flipped[begin:end])) == base64.b64decode(whole[begin:end])
    except (binascii.Error, ValueError):
        return False


def check_only_one_message_differs(kind, ser, result, want, bit):
    """What comes out is whole, and an undetected flip lies in one envelope or one plain payload."""
    try:
        got_frames, want_frames = split(kind, ser, result.out), split(kind, ser, want)
    except AssertionError:
        raise AssertionError((bit, result))
    if result.code in (0, 3):
        assert len(got_frames) == len(want_frames), (bit, result)
    different = [i for i, (a, b) in enumerate(zip(got_frames, want_frames)) if a != b]
    assert len(different) <= 1 and len(got_frames) <= len(want_frames), (bit, result)
    for i in different:
        if TRUTH[i][1] is None:
            continue
        # Of a message that was sealed: the sealed values, or none. Never values that nobody sealed.
        try:
            message = wire.load(ser, got_frames[i][4:])
            p = wire.payload_index(TRUTH[i][0])
            opened = message[0] == TRUTH[i][0][0] and isinstance(message[p], (list, type(None)))
        except Exception:
            continue
        if opened:
            tail, true_tail = message[p:] + [None], TRUTH[i][0][p:] + [None]
            assert wire.same_payload(tail[0], tail[1], true_tail[0], true_tail[1]), (bit, message)


@pytest.mark.parametrize("kind, ser", [("rawsocket", "msgpack"), ("rawsocket", "json"), ("batched", "cbor"), ("batched", "json"),
                                       ("stream", "cbor"), ("stream", "msgpack"), ("jsonl", "json")])
def test_every_cut(kind, ser, ring, tmp_path):
    sealed, plain = recording(ser)
    whole = frame(kind, ser, sealed)
    edges, at = {}, 0
    for i in range(len(sealed) + 1):
        edges[len(frame(kind, ser, sealed[:i]))] = i
    if kind == "jsonl":
        # The last line may lack its newline.
        edges.update({edge - 1: i for edge, i in list(edges.items()) if i})
    for cut in range(0, len(whole), max(1, STEP // 4)):
        result = run("open", "-k", ring, "-f", format_name(kind, ser), "-j1", "-q", "-o", tmp_path / "out", stdin=whole[:cut])
        if cut in edges:
            assert result.code == 0, (cut, result)
            got = (tmp_path / "out").read_bytes()
            want = frame(kind, ser, plain[:edges[cut]])
            assert got in (want, want[:-1]), cut
            os.unlink(tmp_path / "out")
        elif kind == "rawsocket" and cut < 4:
            assert result.code in (0, 4), (cut, result)
            if result.code == 0:
                os.unlink(tmp_path / "out")
        else:
            assert result.code == 4, (cut, result)
            assert not (tmp_path / "out").exists()
    assert sorted(os.listdir(tmp_path)) == ["ring.json"]


def test_cut_says_where(ring, tmp_path):
    sealed, _ = recording("msgpack")
    whole = wire.rawsocket(sealed, "msgpack")
    (tmp_path / "cut.rs").write_bytes(whole[:-3])
    start = len(wire.rawsocket(sealed[:-1], "msgpack"))
    result = run("open", "-k", ring, tmp_path / "cut.rs", "-o", tmp_path / "x.rs", code=4)
    assert "cut.rs" in result.errors and str(start) in result.errors


def test_swapped_boxes_open_by_key_and_are_caught_by_uri(ring):
    """Two boxes of one key in each other's place: the URI inside tells (spec 2.2 promises no more)."""
    one = cryptobox.seal([PUBLISH, 1, {}, "com.acme.a", [1]], ACME.shared, "com.acme.a")
    two = cryptobox.seal([PUBLISH, 2, {}, "com.acme.b", [2]], ACME.shared, "com.acme.b")
    one[4], two[4] = two[4], one[4]
    stream = wire.rawsocket([wire.dump("cbor", m) for m in (one, two)], "cbor")
    result = run("verify", "-k", ring, "--json", stdin=stream, code=5)
    assert result.json()["failed"] == {"uri_mismatch": 2}


@pytest.mark.parametrize("body", [
    b"", b"\x00", b"\x80", b"\xc1", b"\x90", b"\x91\x10", b"\x95\x10\x01\x80\xa1\xff\x90", b"\x95\xcb" + b"\x40" + b"\0" * 7 + b"\x01\x80\xa1x\x90",
    b"\x95\x10\x01\x80\xa1x\x90trailing", b"\x95" + b"\x91" * 600 + b"\x90", b"\x95\x10\x01\x81\x01\x01\xa1x\x90",
], ids=lambda b: b[:12].hex() or "empty")
def test_hostile_msgpack_bodies_are_damage(body, ring):
    stream = wire.rawsocket([body], "msgpack")
    result = run("seal", "-k", ring, "-f", "rawsocket", stdin=stream)
    assert result.code in (0, 4), result
    if result.code == 0:
        assert result.out == stream, "what is not understood is not changed"


@pytest.mark.parametrize("text", [
    b"[", b"[]", b"[16", b'[16,1,{},"com.acme.t",[1]]x', b'[16,1,{},"com.acme.t",[1],]', b'\xef\xbb\xbf[16,1,{},"com.acme.t"]',
    b'[16,1,{},"com.acme.t",["\x01"]]', b'[16,1,{},"com.acme.t",["\xff"]]', b"[16,1,{},\"com.acme.t\"," + b"[" * 600 + b"]" * 600 + b"]",
    b'[16,1,{},"com.acme.t",[01]]', b"{}", b"null", b'[16.0,1,{},"com.acme.t",[1]]', b'["16",1,{},"com.acme.t",[1]]',
])
def test_hostile_json_bodies_are_damage(text, ring):
    result = run("seal", "-k", ring, "-f", "jsonl", stdin=text + b"\n")
    assert result.code == 4 and wire.nothing(result.out), result
