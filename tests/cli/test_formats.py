"""Formats: how they are recognised, what contradicts, and what convert makes of them."""

import json
import subprocess

import pytest

import cryptobox
import wire
from program import run
from test_seal_open import FORMATS, conversation, framed
from wire import PUBLISH

pytestmark = pytest.mark.sanitized

SUFFIX = {"rawsocket": ".rs", "msgpack": ".msgpack", "cbor": ".cbor", "jsonl": ".jsonl", "trace": ".trace.jsonl"}
BODIES = {ser: [wire.dump(ser, [PUBLISH, i, {}, "com.acme.t", [i, "text"], {"k": 1.5}]) for i in range(20)]
          for ser in ("json", "msgpack", "cbor")}


def seen_as(data, *words, name=None, tmp_path=None, code=0):
    if name is None:
        result = run("info", "--json", *words, stdin=data, code=code)
    else:
        (tmp_path / name).write_bytes(data)
        result = run("info", "--json", *words, tmp_path / name, code=code)
    return result.json()["from"] if code == 0 else result


@pytest.mark.parametrize("fmt, ser", [(f, s) for f, s in FORMATS if not f.startswith("batched")])
def test_recognised_by_content_alone(fmt, ser):
    assert seen_as(framed(fmt, ser, BODIES[ser])) == fmt


def test_batched_json_is_recognised_by_its_separator():
    for separator in (b"\x18", b"\x1e"):
        assert seen_as(wire.batched("json", BODIES["json"], separator)) == "batched-json"


@pytest.mark.parametrize("ser", ["json", "msgpack", "cbor"])
def test_headerless_length_prefixed_is_rawsocket(ser):
    assert seen_as(wire.rawsocket(BODIES[ser])) == "rawsocket"


@pytest.mark.parametrize("fmt, ser", [("rawsocket", "json"), ("rawsocket", "cbor"), ("trace", "msgpack"), ("jsonl", "json"),
                                      ("cbor", "cbor"), ("msgpack", "msgpack")])
def test_zst_of_it_is_the_same(fmt, ser, tmp_path, ring):
    plain = framed(fmt, ser, BODIES[ser])
    packed = subprocess.run(["zstd", "-q", "-c"], input=plain, stdout=subprocess.PIPE, check=True).stdout
    assert seen_as(packed) == fmt
    name = "x" + SUFFIX[fmt] + ".zst"
    (tmp_path / name).write_bytes(packed)
    out = tmp_path / ("s" + SUFFIX[fmt] + ".zst")
    run("seal", "-k", ring, tmp_path / name, "-o", out, code=0)
    assert out.read_bytes()[:4] == b"\x28\xb5\x2f\xfd"
    assert subprocess.run(["zstd", "-t", "-q", str(out)]).returncode == 0
    back = tmp_path / ("o" + SUFFIX[fmt])
    run("open", "-k", ring, out, "-o", back, code=0)
    assert back.read_bytes() == plain


def test_many_frames_of_zst_are_read_on_and_garbage_after_them_is_damage(tmp_path, ring):
    pack = lambda data: subprocess.run(["zstd", "-q", "-c"], input=data, stdout=subprocess.PIPE, check=True).stdout  # noqa: E731
    both = pack(wire.rawsocket(BODIES["cbor"][:7], "cbor")) + pack(wire.rawsocket(BODIES["cbor"][7:]))
    assert run("info", "--json", stdin=both, code=0).json()["messages"] == 20
    run("open", "-k", ring, stdin=both + b"garbage", code=4)
    run("open", "-k", ring, stdin=both[:-5], code=4)


@pytest.mark.parametrize("name, fmt, ser", [("x.jsonl", "rawsocket", "cbor"), ("x.rs", "jsonl", "json"), ("x.trace.jsonl", "msgpack", "msgpack"),
                                            ("x.cbor", "jsonl", "json")])
def test_name_and_content_that_contradict_are_an_error_with_candidates(name, fmt, ser, tmp_path):
    result = seen_as(framed(fmt, ser, BODIES[ser]), name=name, tmp_path=tmp_path, code=4)
    words = " ".join([result.errors, result.out.decode()])
    assert fmt in words and "-f" in words
    assert seen_as(framed(fmt, ser, BODIES[ser]), "-f", fmt, name=name, tmp_path=tmp_path) == fmt


@pytest.mark.parametrize("data", [b"\x00", b"hello world\n" * 50, b"\x89PNG\r\n\x1a\n" + b"\0" * 100, bytes(range(256)) * 4, b"{}\n", b"[]\n"])
def test_what_is_nothing_is_damage(data, ring):
    result = run("open", "-k", ring, stdin=data, code=4)
    assert result.out == b"" and result.errors.startswith("boxcar: error: ")


def test_serializer_of_headerless_rawsocket_can_be_told(ring):
    data = wire.rawsocket(BODIES["msgpack"])
    run("seal", "-k", ring, "-f", "rawsocket", "--serializer", "msgpack", stdin=data, code=0)
    assert run("seal", "-k", ring, "-f", "rawsocket", "--serializer", "json", stdin=data).code in (2, 4)


@pytest.mark.parametrize("separator", [b"\x18", b"\x1e"])
def test_batched_json_keeps_its_separator(separator, ring):
    data = wire.batched("json", BODIES["json"], separator)
    sealed = run("seal", "-k", ring, "-f", "batched-json", stdin=data, code=0).out
    assert sealed.count(separator) == 20 and sealed.endswith(separator)
    assert run("open", "-k", ring, "-f", "batched-json", stdin=sealed, code=0).out == data


# --- RawSocket and its control frames ------------------------------------------------------------

def test_pings_pongs_and_empty_frames_go_through(ring):
    ping, pong = b"\x01\x00\x00\x03abc", b"\x02\x00\x00\x03abc"
    parts = [wire.handshake("cbor"), wire.rawsocket(BODIES["cbor"][:1]), ping, pong, wire.rawsocket(BODIES["cbor"][1:2])]
    sealed = run("seal", "-k", ring, "--json", stdin=b"".join(parts), code=0)
    assert sealed.json_err()["controls"] == 2 and sealed.json_err()["messages"] == 2 and sealed.json_err()["handshakes"] == 1
    assert ping + pong in sealed.out
    assert run("open", "-k", ring, stdin=sealed.out, code=0).out == b"".join(parts)


def websocket_frame(payload, opcode=2, fin=True, mask=None):
    head = bytes([(0x80 if fin else 0) | opcode])
    bit = 0x80 if mask else 0
    if len(payload) < 126:
        head += bytes([bit | len(payload)])
    elif len(payload) < 65536:
        head += bytes([bit | 126]) + len(payload).to_bytes(2, "big")
    else:
        head += bytes([bit | 127]) + len(payload).to_bytes(8, "big")
    if mask:
        head += mask
        payload = bytes(b ^ mask[i % 4] for i, b in enumerate(payload))
    return head + payload


REQUEST = (b"GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
           b"Sec-WebSocket-Protocol: %s\r\nSec-WebSocket-Version: 13\r\n\r\n")
ANSWER = (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
          b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nSec-WebSocket-Protocol: %s\r\n\r\n")


@pytest.mark.parametrize("ser", ["json", "msgpack", "cbor"])
@pytest.mark.parametrize("head, mask", [(REQUEST, b"\x12\x34\x56\x78"), (ANSWER, None)], ids=["client", "server"])
def test_websocket_is_read(ser, head, mask, tmp_path):
    opcode = 1 if ser == "json" else 2
    data = head % (b"wamp.2." + ser.encode())
    for i, body in enumerate(BODIES[ser]):
        if i % 3 == 1:  # fragmented, with a ping in between
            data += websocket_frame(body[:5], opcode, False, mask) + websocket_frame(b"p", 9, True, mask)
            data += websocket_frame(body[5:], 0, True, mask)
        else:
            data += websocket_frame(body, opcode, True, mask)
    data += websocket_frame(b"\x03\xe8", 8, True, mask)
    for words in ((), ("-f", "websocket")):
        lines = run("cat", *words, stdin=data, code=0).lines()
        assert [line["request"] for line in lines] == list(range(20)) and {line["ser"] for line in lines} == {ser}
    # Input only: it comes out as another stream.
    out = run("convert", "-f", "websocket", "-t", "rawsocket", stdin=data, code=0).out
    assert wire.split_rawsocket(out) == BODIES[ser]


# --- convert -------------------------------------------------------------------------------------

@pytest.mark.parametrize("source, ser", FORMATS)
@pytest.mark.parametrize("target", ["rawsocket", "trace", "jsonl", "msgpack", "cbor"])
def test_convert_keeps_every_message(source, ser, target):
    talk = conversation()
    data = framed(source, ser, [wire.dump(ser, m) for m, _, _ in talk])
    result = run("convert", "-f", source, "-t", target, "--json", stdin=data, code=(0, 3, 4))
    if result.code == 4:
        # Not every value fits: only MessagePack has a largest integer, and 2**64-1 fits it.
        raise AssertionError(result)
    lines = run("cat", "-f", target, stdin=result.out, code=0).lines()
    want = run("cat", "-f", source, stdin=data, code=0).lines()
    assert len(lines) == len(want)
    for a, b in zip(lines, want):
        for name in ("type", "uri", "args", "kwargs", "details", "request"):
            assert wire.same(a.get(name), b.get(name)), (name, a, b)


@pytest.mark.parametrize("ser", ["json", "msgpack", "cbor"])
@pytest.mark.parametrize("other", ["json", "msgpack", "cbor"])
def test_convert_leaves_boxes_as_they_are(ser, other, ring):
    pair = cryptobox.Pair("com.acme.")
    message = cryptobox.seal([PUBLISH, 1, {"a": 1}, "com.acme.t", ["x"]], pair.shared, "com.acme.t", b"9" * 24)
    data = wire.rawsocket([wire.dump(ser, message)], ser)
    target = {"json": "jsonl", "msgpack": "msgpack", "cbor": "cbor"}[other]
    out = run("convert", "-t", target, stdin=data, code=0).out.rstrip(b"\n" if other == "json" else b"")
    assert wire.same(wire.load(other, out), message)
    assert out == wire.dump(other, message)


def test_convert_same_format_is_the_same_bytes():
    data = wire.rawsocket(BODIES["cbor"], "cbor")
    assert run("convert", stdin=data, code=0).out == data
    lines = '{"ser": "json", "msg": [16, 1, {}, "a", [1E2]], "x": 1}\n'.encode()
    assert run("convert", "-f", "trace", stdin=lines, code=0).out == lines


def test_convert_mixed_serializers_need_a_word():
    rows = b"".join(wire.trace_line(BODIES[s][0], s, conn=0, direction="c2r").encode() for s in ("json", "cbor"))
    result = run("convert", "-f", "trace", "-t", "rawsocket", stdin=rows)
    assert result.code in (2, 4) and "json" in result.errors and "cbor" in result.errors
    out = run("convert", "-f", "trace", "-t", "rawsocket", "--serializer", "msgpack", stdin=rows, code=0).out
    assert wire.split_rawsocket(out) == [BODIES["msgpack"][0]] * 2


def test_convert_several_connections_need_a_choice():
    rows = b"".join(wire.trace_line(BODIES["cbor"][i], "cbor", conn=i % 2, direction="c2r").encode() for i in range(6))
    result = run("convert", "-f", "trace", "-t", "rawsocket", stdin=rows)
    assert result.code in (2, 4) and "--conn" in result.errors
    out = run("convert", "-f", "trace", "-t", "rawsocket", "--conn", "1", stdin=rows, code=0).out
    assert wire.split_rawsocket(out) == BODIES["cbor"][1:6:2]


def test_convert_joins_two_halves(tmp_path):
    (tmp_path / "a.c2r").write_bytes(wire.rawsocket([wire.dump("cbor", [32, 1, {}, "com.acme.t"])], "cbor"))
    (tmp_path / "a.r2c").write_bytes(wire.rawsocket([wire.dump("cbor", [33, 1, 5]), wire.dump("cbor", [36, 5, 6, {}, [1]])], "cbor"))
    target = tmp_path / "both.trace.jsonl"
    run("convert", "--conn", "%s,%s" % (tmp_path / "a.c2r", tmp_path / "a.r2c"), "-o", target, code=0)
    lines = wire.lines_of(target.read_bytes())
    assert sorted(line["dir"] for line in lines) == ["c2r", "r2c", "r2c"] and len({line["conn"] for line in lines}) == 1


def test_output_format_by_option_then_name_then_input(tmp_path):
    data = wire.rawsocket(BODIES["cbor"], "cbor")
    run("convert", "-o", tmp_path / "x.trace.jsonl", stdin=data, code=0)
    assert len(wire.lines_of((tmp_path / "x.trace.jsonl").read_bytes())) == 20
    run("convert", "-t", "cbor", "-o", tmp_path / "y.trace.jsonl", stdin=data, code=0)
    assert (tmp_path / "y.trace.jsonl").read_bytes() == b"".join(BODIES["cbor"])
    run("convert", "-o", tmp_path / "z.dat", stdin=data, code=0)
    assert (tmp_path / "z.dat").read_bytes() == data


@pytest.mark.parametrize("target", ["websocket", "pcap", "pcapng"])
def test_input_only_formats(target):
    result = run("convert", "-t", target, stdin=wire.rawsocket(BODIES["cbor"], "cbor"), code=2)
    assert target in result.errors
