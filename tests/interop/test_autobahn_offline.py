"""Both ways with the real Autobahn: it opens what the program sealed, and the program what it sealed."""

import json
import random

import pytest

import cryptobox
import peers
import wire
from program import run
from recordings import from_truth, to_truth
from wire import CALL, EVENT, INVOCATION, REGISTER, REGISTERED

peers.need_peers()

KINDS = ["PUBLISH", "EVENT", "CALL", "INVOCATION", "YIELD", "RESULT", "ERROR 68", "ERROR 48"]
SERS = ["json", "msgpack", "cbor"]
PAIRS = [cryptobox.Pair("com.acme."), cryptobox.Pair("com.acme.orders."), cryptobox.Pair("com.é.日本.")]
STRING = {"uri": "com.string.", "key": cryptobox.b64(bytes(range(1, 33)))}
URIS = ["com.acme.a", "com.acme.orders.new", "com.é.日本.x", "com.string.s"]


def value(dice, depth=0):
    """Something that JSON, MessagePack and CBOR all carry: nested, odd numbers, text of all planes, binary."""
    kinds = ["int", "big", "float", "text", "bool", "null", "bin"] + (["list", "map"] * 2 if depth < 4 else [])
    kind = dice.choice(kinds)
    if kind == "int":
        return dice.choice([0, 1, -1, 23, 24, 127, 128, -32, -33, 255, 256, 65535, 65536, dice.randrange(-1000, 1000)])
    if kind == "big":
        return dice.choice([2**31, 2**32, 2**53, 2**53 + 1, 2**63 - 1, 2**63, 2**64 - 1, -2**63, -2**31 - 1])
    if kind == "float":
        return dice.choice([0.0, -0.0, 1.0, 0.1, 1e15, 1e16, 1.5e-7, 5e-324, 1.7976931348623157e308, 1 / 3, 2.0**70, dice.uniform(-1e6, 1e6)])
    if kind == "text":
        return dice.choice(["", "x", "Grüße", "日本語", "😀\U0010ffff", "\u2028\u2029\x7f", "\"\\/\b\f\n\r\t\x01\x1f", "a\0b", "y" * 300])
    if kind == "bool":
        return dice.random() < 0.5
    if kind == "bin":
        return dice.choice([b"", b"\0", bytes(range(256)), dice.randbytes(dice.randrange(100))])
    if kind == "list":
        return [value(dice, depth + 1) for _ in range(dice.randrange(5))]
    if kind == "map":
        return {dice.choice(["k", "", "ä", "key\n", "\0nul key", "a%d" % i]): value(dice, depth + 1) for i in range(dice.randrange(5))}
    return None


def corpus(count):
    dice = random.Random(20261124)
    rows = []
    for i in range(count):
        kwargs = {"k%d" % j: value(dice) for j in range(dice.randrange(4))} or None
        args = [value(dice) for _ in range(dice.randrange(5))] or None
        # Autobahn refuses to read the PUBLISH with null args that it can write (specification, quirk 6).
        if kwargs and args is None:
            args = []
        rows.append({"kind": KINDS[i % len(KINDS)], "ser": SERS[i // len(KINDS) % len(SERS)], "request": i + 1,
                     "uri": URIS[i // 3 % len(URIS)], "args": to_truth(args), "kwargs": to_truth(kwargs)})
    return rows


ROWS = corpus(600)


def ring_json():
    return {"default": None, "keys": [p.entry() for p in PAIRS] + [STRING]}


@pytest.fixture
def both(tmp_path):
    return cryptobox.write_ring(tmp_path / "both.json", ring_json()["keys"])


def trace(rows, octets):
    """Each message on a connection of its own, after what tells its URI."""
    lines = []
    for conn, (row, data) in enumerate(zip(rows, octets)):
        before = []
        if row["kind"] == "YIELD":
            before = [[REGISTER, 1, {}, row["uri"]], [REGISTERED, 1, 9], [INVOCATION, row["request"], 9, {}]]
        if row["kind"] == "RESULT":
            before = [[CALL, row["request"], {}, row["uri"]]]
        for message in before:
            lines.append(wire.trace_line(wire.dump(row["ser"], message), row["ser"], conn=conn, skip=True))
        lines.append(wire.trace_line(data, row["ser"], conn=conn))
    return "".join(lines).encode()


def payloads(data):
    """The lines of a trace that are messages under test."""
    return [line for line in wire.lines_of(data) if "skip" not in line]


def test_the_program_opens_what_autobahn_sealed(both):
    octets = [bytes.fromhex(h) for h in peers.autobahn({"do": "make", "ring": ring_json(), "messages": ROWS})]
    assert all(wire.is_sealed(wire.load(r["ser"], o)) for r, o in zip(ROWS, octets))
    stream = trace(ROWS, octets)
    skipped = {i for i, line in enumerate(wire.lines_of(stream)) if "skip" in line}
    lines = [x for x in run("cat", "-k", both, "-f", "trace", stdin=stream, code=0).lines() if x["n"] not in skipped]
    assert len(lines) == len(ROWS)
    for row, line in zip(ROWS, lines):
        assert line["opened"] and line["uri"] == row["uri"] and line["type"] == row["kind"].split()[0]
        assert wire.same_payload(wire.from_json(line.get("args")), wire.from_json(line.get("kwargs")),
                                 from_truth(row["args"]), from_truth(row["kwargs"])), row
    # And what the program wrote for it is a message that Autobahn reads, with the same values.
    opened = [wire.trace_body(line) for line in payloads(run("open", "-k", both, "-f", "trace", stdin=stream, code=0).out)]
    answers = peers.autobahn({"do": "read", "messages": [
        dict(row, hex=body.hex(), args=None, kwargs=None) for row, (_, body) in zip(ROWS, opened) if row["kwargs"] is None or row["args"]]})
    rows = [row for row in ROWS if row["kwargs"] is None or row["args"]]
    for row, answer in zip(rows, answers):
        assert not answer["sealed"]
        assert wire.same_payload(from_truth(answer["args"]), from_truth(answer["kwargs"]),
                                 from_truth(row["args"]), from_truth(row["kwargs"])), row


def test_autobahn_opens_what_the_program_sealed(both):
    octets = [bytes.fromhex(h) for h in peers.autobahn({"do": "make", "messages": ROWS})]
    out = payloads(run("seal", "-k", both, "-f", "trace", "--strict", "--lossless", stdin=trace(ROWS, octets), code=0).out)
    bodies = [wire.trace_body(line)[1] for line in out]
    answers = peers.autobahn({"do": "read", "ring": ring_json(), "messages": [
        dict(row, hex=body.hex(), args=None, kwargs=None) for row, body in zip(ROWS, bodies)]})
    assert len(answers) == len(ROWS)
    for row, answer in zip(ROWS, answers):
        assert answer["sealed"] and answer["uri"] == row["uri"]
        assert wire.same_payload(from_truth(answer["args"]), from_truth(answer["kwargs"]),
                                 from_truth(row["args"]), from_truth(row["kwargs"])), row


def test_opened_bytes_are_those_that_autobahn_writes(both):
    """Autobahn's plain message, sealed and opened by the program, is Autobahn's plain message."""
    octets = [bytes.fromhex(h) for h in peers.autobahn({"do": "make", "messages": ROWS})]
    stream = trace(ROWS, octets)
    sealed = run("seal", "-k", both, "-f", "trace", stdin=stream, code=0).out
    assert run("open", "-k", both, "-f", "trace", stdin=sealed, code=0).out == stream


def test_one_key_holder_of_each_side(tmp_path):
    """Each peer has only its own half: the program as originator, Autobahn as responder, and the other way round."""
    halves = {side: {"default": None, "keys": [p.entry(side) for p in PAIRS]} for side in ("originator", "responder")}
    paths = {side: cryptobox.write_ring(tmp_path / (side + ".json"), ring["keys"]) for side, ring in halves.items()}
    rows = [r for r in ROWS if not r["uri"].startswith("com.string.")]
    asked = [r for r in rows if r["kind"] in ("PUBLISH", "EVENT", "CALL", "INVOCATION")]
    octets = [bytes.fromhex(h) for h in peers.autobahn({"do": "make", "messages": asked})]
    out = payloads(run("seal", "-k", paths["originator"], "-f", "trace", "--strict", stdin=trace(asked, octets), code=0).out)
    answers = peers.autobahn({"do": "read", "ring": halves["responder"], "messages": [
        dict(row, hex=wire.trace_body(line)[1].hex()) for row, line in zip(asked, out)]})
    assert [a["uri"] for a in answers] == [r["uri"] for r in asked]
    answered = [r for r in rows if r["kind"] in ("YIELD", "RESULT", "ERROR 68", "ERROR 48")]
    octets = [bytes.fromhex(h) for h in peers.autobahn({"do": "make", "ring": halves["responder"], "messages": answered})]
    counts = run("verify", "-k", paths["originator"], "-f", "trace", "--strict-roles", "--json", stdin=trace(answered, octets),
                 code=(0, 3)).json()
    assert counts["opened"] == len(answered)


@pytest.mark.parametrize("seed", range(4))
def test_lookups_agree_with_autobahns_trie(seed, tmp_path):
    """Random rings of overlapping prefixes and halves: the same key, or clear, for every URI and role."""
    dice = random.Random(seed)
    pieces = ["a", "b", "ab", ".", "a.", "é", "日", "😀", "com.", "com", "x", "X"]

    def some(most):
        return "".join(dice.choice(pieces) for _ in range(dice.randrange(1, most)))
    entries = {}
    for i in range(40):
        uri = some(6)
        pair = cryptobox.Pair(uri, "%d %d" % (seed, i))
        entries[uri] = dice.choice([pair.entry(), pair.entry("originator"), pair.entry("responder"),
                                    {"uri": uri, "key": cryptobox.b64(pair.originator)}])
    ring = {"default": dice.choice([None, cryptobox.Pair(None, "default").entry()]), "keys": list(entries.values())}
    path = cryptobox.write_ring(tmp_path / "ring.json", ring["keys"], ring["default"])
    uris = [some(8) for _ in range(200)] + list(entries) + [u + "z" for u in entries] + [u[:-1] for u in entries if len(u) > 1]
    queries = [(u, o) for u in uris for o in (True, False)]
    shared = peers.autobahn({"do": "lookup", "ring": ring, "queries": queries})
    messages = [[16, 1, {}, u, [1]] if o else [8, 68, 1, {}, u, [1]] for u, o in queries]
    stream = wire.rawsocket([wire.dump("cbor", m) for m in messages], "cbor")
    out = wire.split_rawsocket(run("seal", "-k", path, stdin=stream, code=0).out)
    sealed = 0
    for (uri, originating), key, body in zip(queries, shared, out):
        message = wire.load("cbor", body)
        assert wire.is_sealed(message) == (key is not None), (uri, originating)
        if key:
            sealed += 1
            assert cryptobox.open_inner(message, bytes.fromhex(key))[0] == uri
    assert 100 < sealed < len(queries)
