"""Damaged recordings (decisions 11): every bit, every cut, in every raw framing."""

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
    if kind == "rawsocket":
        return wire.split_rawsocket(data)
    if kind == "batched":
        return wire.split_batched(ser, data)
    return data.split(b"\n")[:-1] if kind == "jsonl" else None


def boxes(kind, ser, sealed):
    """The set of offsets that nonce, tag and ciphertext occupy, as they stand in the file."""
    where = set()
    whole = frame(kind, ser, sealed)
    for body in sealed:
        message = wire.load(ser, body)
        if not wire.is_sealed(message):
            continue
        import base64
        stands = base64.b64encode(message[-1]) if ser == "json" else message[-1]
        at = whole.index(stands)
        assert whole.find(stands, at + 1) < 0
        where.update(range(at, at + len(stands)))
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
    for bit in range(0, len(whole) * 8, STEP):
        at = bit // 8
        flipped = bytearray(whole)
        flipped[at] ^= 1 << bit % 8
        result = run("open", "-k", ring, "-f", fmt, "-j1", "-q", stdin=bytes(flipped))
        outcomes[result.code] = outcomes.get(result.code, 0) + 1
        if at in inside and ser != "json":
            assert result.code == 5, (bit, result)
        elif at in inside:
            # A character of base64: another value, no base64 at all, or the end of the text.
            assert result.code in (4, 5), (bit, result)
        else:
            assert result.code in (0, 2, 3, 4, 5), (bit, result)
        if result.code in (0, 3):
            check_only_one_message_differs(kind, ser, result.out, want, whole, at, bit)
        elif result.out and kind != "stream":
            # On a pipe the good messages before the damage may have gone out: whole and true.
            got = result.out
            if kind == "rawsocket" and at < 4:
                got = want[:4] + got[4:]
            assert want.startswith(got[:len(got)]) or at < len(want), (bit, result)
    assert outcomes.get(5, 0) > len(inside) * 8 / STEP * 0.9 / (1 if ser != "json" else 2)
    assert outcomes.get(4, 0) > 0


def check_only_one_message_differs(kind, ser, got, want, whole, at, bit):
    """An undetected flip lies in the envelope or in a plain payload; sealed values are never other values."""
    if kind == "stream" or kind == "rawsocket" and at < 4:
        return
    try:
        got_bodies, want_bodies = split(kind, ser, got), split(kind, ser, want)
    except AssertionError:
        raise AssertionError((bit, got))
    assert len(got_bodies) == len(want_bodies), bit
    different = [i for i, (a, b) in enumerate(zip(got_bodies, want_bodies)) if a != b]
    assert len(different) <= 1, bit
    for i in different:
        if TRUTH[i][1] is None:
            continue
        # Opened or left sealed, never with values that nobody sealed.
        try:
            message = wire.load(ser, got_bodies[i])
        except Exception:
            continue
        truth = TRUTH[i][0]
        p = wire.payload_index(truth)
        if isinstance(message, list) and message and message[0] == truth[0] and isinstance(message[p:p + 1] or None, list):
            if message[p:] and isinstance(message[p], list):
                tail, true_tail = message[p:] + [None], truth[p:] + [None]
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
    assert result.code == 4 and result.out == b"", result
