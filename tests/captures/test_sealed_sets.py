"""Sealed traffic of real programs: opened to exactly what the applications sent and received."""

import collections
import json

import pytest

import recordings
import wire
from program import run

KIND = {"PUBLISH": "publish", "CALL": "call", "YIELD": "yield", "EVENT": "event", "INVOCATION": "invocation",
        "RESULT": "result", "ERROR": "error"}
LOOKED_INTO = [s for s in recordings.SEALED_SETS if "ubjson" not in s]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """`cat -k` of each set, once."""
    kept = {}

    def get(name):
        if name not in kept:
            ring = recordings.ring_for(name, tmp_path_factory.mktemp("ring"))
            kept[name] = run("cat", "-k", ring, recordings.path(name, "capture.trace.jsonl.zst"), code=0).lines()
        return kept[name]
    return get


def values(line):
    return wire.from_json(line.get("args")), wire.from_json(line.get("kwargs"))


@pytest.mark.parametrize("name", LOOKED_INTO)
def test_every_message_is_accounted_for(name, printed):
    want, sealed = recordings.totals(name)
    got = collections.Counter((line["conn"], line["dir"], line["type"]) for line in printed(name))
    assert got == want
    assert [line["n"] for line in printed(name)] == list(range(sum(want.values())))
    assert sum(1 for line in printed(name) if line.get("sealed")) == sealed > 100
    assert sum(1 for line in printed(name) if line.get("opened")) == sealed, "every one of them was opened"


@pytest.mark.parametrize("name", LOOKED_INTO)
def test_opens_to_what_was_sent(name, printed):
    sent = collections.defaultdict(list)
    for line in printed(name):
        if line["dir"] == "c2r" and line["type"] in ("PUBLISH", "CALL", "YIELD", "ERROR"):
            sent[line["conn"], KIND[line["type"]], line["request"]].append(line)
    truth = recordings.lines(name, "truth.jsonl")
    assert len(truth) == sum(len(x) for x in sent.values()) > 50
    for row in truth:
        line = sent[row["conn"], row["kind"], row["request"]].pop(0)
        assert line["uri"] == row["uri"], row
        assert bool(line["sealed"]) == row["encrypted"], row
        args, kwargs = values(line)
        assert wire.same_payload(args, kwargs, recordings.from_truth(row["args"]), recordings.from_truth(row["kwargs"])), row


@pytest.mark.parametrize("name", LOOKED_INTO)
def test_opens_to_what_was_received(name, printed):
    arrived = collections.defaultdict(list)
    for line in printed(name):
        if line["dir"] == "r2c" and line["type"] in ("EVENT", "INVOCATION", "RESULT", "ERROR"):
            arrived[line["conn"], KIND[line["type"]]].append(line)
    received = recordings.lines(name, "received.jsonl")
    wanted = collections.defaultdict(list)
    for row in received:
        wanted[row["conn"], row["kind"]].append(row)
    assert len(received) > 100

    def fits(row, line):
        if row["uri"] != line.get("uri") or ("publication" in row and row["publication"] != line["publication"]):
            return False
        if "request" in row and row["request"] != line["request"]:
            return False
        args, kwargs = values(line)
        if "sha256" in row:
            return recordings.digest(recordings.to_truth(args), recordings.to_truth(kwargs)) == row["sha256"]
        return wire.same_payload(args, kwargs, recordings.from_truth(row["args"]), recordings.from_truth(row["kwargs"]))

    for key, rows in wanted.items():
        # What applications got lies among what came over the wire; a client without keys drops the rest.
        pool = list(arrived[key])
        for row in rows:
            hit = next((i for i, line in enumerate(pool) if fits(row, line)), None)
            assert hit is not None, (key, row)
            del pool[hit]


@pytest.mark.parametrize("name", LOOKED_INTO)
def test_open_changes_only_what_was_sealed(name, printed, tmp_path):
    ring = recordings.ring_for(name, tmp_path)
    target = tmp_path / "open.trace.jsonl"
    # Integers beyond 64 bits, which only boxes hold, have no plain form in MessagePack: kept sealed.
    kept = [line["n"] for line in printed(name)
            if line.get("opened") and line["ser"] == "msgpack" and recordings.beyond_msgpack([line.get("args"), line.get("kwargs")])]
    source = recordings.path(name, "capture.trace.jsonl.zst")
    if kept:
        run("open", "-k", ring, source, "-o", target, code=4)
        assert not target.exists()
    counts = run("open", "-k", ring, source, "-o", target, "--on-error", "pass", "--json", code=3 if kept else 0).json()
    assert counts["failed"] == ({"not_representable": len(kept)} if kept else {}) and counts["passed"] == len(kept)
    before = recordings.unpacked(name, "capture.trace.jsonl").split(b"\n")
    after = target.read_bytes().split(b"\n")
    assert len(before) == len(after)
    changed = 0
    for was, now, line in zip(before, after, printed(name)):
        if not line.get("sealed") or line["n"] in kept:
            assert was == now
            continue
        changed += 1
        was, now = json.loads(was), json.loads(now)
        assert {k: v for k, v in was.items() if k != "b64"} == {k: v for k, v in now.items() if k != "b64"}
        ser, body = wire.trace_body(was)
        box, plain = wire.load(ser, body), wire.load(ser, wire.trace_body(now)[1])
        p = wire.payload_index(box)
        assert not wire.is_sealed(plain)
        at = wire.SHAPE[box[0]][0]
        rest = {k: v for k, v in box[at].items() if k not in ("enc_algo", "enc_serializer", "enc_key")}
        assert plain[:p] == box[:at] + [rest] + box[at + 1:p]
        tail = plain[p:] + [None, None]
        args, kwargs = values(line)
        assert wire.same_payload(tail[0], tail[1], args, kwargs), line
    assert changed == counts["opened"] == recordings.totals(name)[1] - len(kept)


@pytest.mark.parametrize("name", LOOKED_INTO)
def test_verify(name, tmp_path):
    ring = recordings.ring_for(name, tmp_path)
    result = run("verify", "-k", ring, "--json", recordings.path(name, "capture.trace.jsonl.zst"), code=(0, 3))
    counts = result.json()
    assert counts["opened"] == recordings.totals(name)[1] and counts["failed"] == {}
    # 3 says that there is plaintext on keyed URIs: a peer without keys answers in clear.
    assert (result.code == 3) == (counts["keyed_plain"] > 0)


@pytest.mark.parametrize("name", LOOKED_INTO)
def test_wrong_ring_opens_nothing(name, tmp_path):
    with open(recordings.ring_for(name, tmp_path)) as file:
        ring = json.load(file)
    import cryptobox
    for entry in ring["keys"]:
        wrong = cryptobox.Pair(entry["uri"], "wrong " + entry["uri"]).entry()
        entry.clear()
        entry.update(wrong)
    path = cryptobox.write_ring(tmp_path / "wrong.json", ring["keys"])
    result = run("verify", "-k", path, "--json", recordings.path(name, "capture.trace.jsonl.zst"), code=5)
    assert result.json()["opened"] == 0 and result.json()["failed"] == {"bad_tag": recordings.totals(name)[1]}


def test_ubjson_is_carried_untouched_and_counted(tmp_path):
    name = "rs-ubjson-sealed"
    ring = recordings.ring_for(name, tmp_path)
    want, _ = recordings.totals(name)
    for verb in ("open", "seal"):
        target = tmp_path / (verb + ".trace.jsonl")
        counts = run(verb, "-k", ring, recordings.path(name, "capture.trace.jsonl.zst"), "-o", target, "--json", code=(0, 3)).json()
        assert target.read_bytes() == recordings.unpacked(name, "capture.trace.jsonl")
        assert counts["unsupported"] == counts["messages"] == sum(want.values())
    for file in recordings.raw_files(name):
        counts = run("open", "-k", ring, recordings.path(name, file), "-o", tmp_path / file.replace(".zst", ""), "--json", code=(0, 3)).json()
        conn, direction = int(file[:3]), file[4:7]
        assert counts["messages"] == sum(n for (c, d, _), n in want.items() if (c, d) == (conn, direction))
        assert (tmp_path / file.replace(".zst", "")).read_bytes() == recordings.unpacked(name, file.replace(".zst", ""))
