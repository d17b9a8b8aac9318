"""cat and info: what they print, and which messages they keep."""

import json

import pytest

import cryptobox
import wire
from program import run
from wire import (CALL, ERROR, EVENT, GOODBYE, HELLO, INVOCATION, PUBLISH, PUBLISHED, REGISTERED, RESULT, SUBSCRIBE, SUBSCRIBED,
                  WELCOME, YIELD)

pytestmark = pytest.mark.sanitized

ACME = cryptobox.Pair("com.acme.")


def trace(rows):
    return "".join(wire.trace_line(wire.dump(ser, m), ser, conn=conn, direction=d, ts=ts) for ts, conn, d, ser, m in rows).encode()


ROWS = [
    (1000, 0, "c2r", "json", [HELLO, "realm1", {"roles": {}}]),
    (2000, 0, "r2c", "json", [WELCOME, 123456789012, {"roles": {}}]),
    (3000, 0, "c2r", "json", [SUBSCRIBE, 1, {"match": "prefix"}, "com.acme"]),
    (4000, 0, "r2c", "json", [SUBSCRIBED, 1, 55]),
    (5000, 1, "c2r", "cbor", [PUBLISH, 7, {"acknowledge": True}, "com.acme.a", [1, 2.0, b"\x01"], {"k": 2**53 + 1}]),
    (6000, 1, "r2c", "cbor", [PUBLISHED, 7, 9007199254740992]),
    (7000, 0, "r2c", "json", [EVENT, 55, 9007199254740992, {"topic": "com.acme.a"}, [1]]),
    (8000, 1, "c2r", "msgpack", [CALL, 8, {}, "com.other.p", [], {}]),
    (9000, 1, "r2c", "msgpack", [RESULT, 8, {"progress": True}, [-0.0, 0, True, None, "\u2028"]]),
    (10000, 1, "r2c", "msgpack", [ERROR, 48, 8, {}, "com.other.e", ["x"]]),
    (11000, 1, "c2r", "msgpack", cryptobox.seal([PUBLISH, 9, {}, "com.acme.a.b", [9]], ACME.shared, "com.acme.a.b", b"7" * 24)),
    (12000, 0, "c2r", "json", [GOODBYE, {}, "wamp.close.normal"]),
]


def cat(*words, rows=ROWS, **keywords):
    return run("cat", "-f", "trace", *words, stdin=trace(rows), **keywords)


def test_members(ring):
    lines = cat(code=0).lines()
    assert [line["n"] for line in lines] == list(range(12))
    assert [line["type"] for line in lines] == [wire.NAMES[m[0]] for *_, m in ROWS]
    for line, (ts, conn, direction, ser, message) in zip(lines, ROWS):
        assert (line["ts"], line["conn"], line["dir"], line["ser"]) == (ts, conn, direction, ser)
    raw = trace(ROWS).split(b"\n")
    assert [line["at"] for line in lines] == [sum(len(x) + 1 for x in raw[:i]) for i in range(12)]
    publish = lines[4]
    assert wire.same(publish["args"], [1, 2.0, "\0AQ=="]) and publish["kwargs"] == {"k": 2**53 + 1}
    assert publish["details"] == {"acknowledge": True} and publish["uri"] == "com.acme.a"
    assert publish["request"] == 7 and publish["sealed"] is False
    assert (lines[6]["subscription"], lines[6]["publication"]) == (55, 9007199254740992)
    assert "kwargs" not in lines[6]
    assert lines[8]["uri"] == "com.other.p" and wire.same(lines[8]["args"], [-0.0, 0, True, None, "\u2028"])
    assert lines[9]["uri"] == "com.other.e"
    box = lines[10]
    assert box["sealed"] is True and "args" not in box and "kwargs" not in box and box["uri"] == "com.acme.a.b"
    assert not box.get("opened")


def test_with_keys(ring):
    box = cat("-k", ring, code=0).lines()[10]
    assert box["sealed"] is True and box["opened"] is True and box["args"] == [9]


def test_wrong_ring_prints_but_fails(tmp_path):
    wrong = cryptobox.write_ring(tmp_path / "w.json", [cryptobox.Pair("com.acme.", "w")])
    result = cat("-k", wrong, code=5)
    assert len(result.lines()) >= 10
    other = cryptobox.write_ring(tmp_path / "o.json", [cryptobox.Pair("net.")])
    line = cat("-k", other, code=(0, 3, 5)).lines()[10]
    assert line["opened"] is False and "args" not in line


@pytest.mark.parametrize("words, want", [
    (("--uri", "com.acme.a"), {4, 6}), (("--uri", "com.acme.", "--match", "prefix"), {4, 6, 10}),
    (("--uri", "com..a", "--match", "wildcard"), {4, 6}), (("--uri", "com.acme.a", "--match", "exact"), {4, 6}),
    (("--type", "PUBLISH"), {4, 10}), (("--type", "publish", "--type", "EVENT"), {4, 6, 10}),
    (("--since", "5000", "--until", "7000"), {4, 5}), (("--limit", "2"), {0, 1}), (("--limit", "0"), set()),
    (("--conn", "1", "--dir", "r2c"), {5, 8, 9}), (("--uri", "com.acme.a", "--type", "EVENT"), {6}),
    (("--uri", "com.other.p"), {7, 8}), (("--uri", "no.such"), set()),
    (("--session", "123456789012"), {1, 2, 3, 6, 11}),
])
def test_filters(words, want):
    got = {line["n"] for line in cat(*words, code=0).lines()}
    if words[0] == "--session":
        # The HELLO before the WELCOME may or may not be counted to the session.
        got -= {0}
    assert got == want


def test_times_in_words():
    rows = [(1767225600 * 10**9 + i * 10**9, 0, "c2r", "json", [PUBLISH, i, {}, "a", [i]]) for i in range(5)]
    result = cat("--since", "2026-01-01T00:00:01Z", "--until", "2026-01-01T00:00:03Z", rows=rows, code=0)
    assert [line["request"] for line in result.lines()] == [1, 2]


def test_raw_lines_are_the_trace(ring):
    lines = trace(ROWS).split(b"\n")
    assert cat("--raw", "--type", "PUBLISH", code=0).out == lines[4] + b"\n" + lines[10] + b"\n"
    stream = wire.rawsocket([wire.dump("cbor", ROWS[4][4])], "cbor")
    line = run("cat", "--raw", stdin=stream, code=0).lines()[0]
    assert wire.trace_body(line) == ("cbor", wire.dump("cbor", ROWS[4][4]))


@pytest.mark.parametrize("value", [2**64, -2**63 - 1, 10**30, 2**64 - 1, -2**63])
def test_integers_are_exact(value):
    line = run("cat", "-f", "cbor", stdin=wire.dump("cbor", [PUBLISH, 1, {}, "a", [value]]), code=0).lines()[0]
    assert line["args"] == [value] and isinstance(line["args"][0], int)


def test_terminal_escapes_in_text_do_not_pass():
    line = run("cat", "-f", "msgpack", stdin=wire.dump("msgpack", [PUBLISH, 1, {}, "a", ["\x1b[31m", "\n"]]), code=0)
    assert b"\x1b" not in line.out and line.out.count(b"\n") == 1 and line.lines()[0]["args"] == ["\x1b[31m", "\n"]


def test_malformed_message_is_printed_not_fatal():
    bodies = [wire.dump("msgpack", [PUBLISH, 1, {}, "a", [1]]), b"\xc1\xc1", wire.dump("msgpack", [PUBLISH, 2, {}, "a", [2]])]
    result = run("cat", stdin=wire.rawsocket(bodies, "msgpack"), code=(0, 3, 4))
    assert [line.get("request") for line in result.lines()] == [1, None, 2]


def test_info_counts():
    result = run("info", "-f", "trace", "--json", stdin=trace(ROWS), code=0)
    got = result.json()
    assert got["messages"] == 12 and got["schema"] == 1
    types = {row["name"]: row for row in got["types"]}
    assert types["PUBLISH"]["messages"] == 2 and types["PUBLISH"]["sealed"] == 1 and types["PUBLISH"]["plain"] == 1
    assert types["EVENT"]["messages"] == 1
    uris = {row["name"]: row for row in got["uris"]}
    assert uris["com.acme.a"]["messages"] == 2 and uris["com.acme.a.b"]["sealed"] == 1
    assert (got["ts_min"], got["ts_max"]) == (1000, 12000)
    assert 123456789012 in [row["session"] for row in got["sessions"]]
    words = run("info", "-f", "trace", stdin=trace(ROWS), code=0).out.decode()
    assert "PUBLISH" in words and "com.acme.a" in words and "1970-01-01T00:00:00.000001" in words


def test_info_needs_no_key_and_escapes():
    body = wire.dump("msgpack", [PUBLISH, 1, {}, "a\x1b[31m\nb", [1]])
    out = run("info", "-f", "msgpack", stdin=body, code=0).out
    assert b"\x1b" not in out


def test_info_on_a_cut_recording():
    stream = wire.rawsocket([wire.dump("cbor", [PUBLISH, i, {}, "a", [i]]) for i in range(5)], "cbor")
    result = run("info", "--json", stdin=stream[:-2], code=4)
    assert result.json()["messages"] == 4 and "offset" in result.json()["error"]
