"""Plain traffic of real programs: sealed, then opened back to the same bytes."""

import pytest

import recordings
import wire
from program import run


@pytest.mark.parametrize("name", recordings.PLAIN_SETS)
def test_sealed_and_opened_back_to_the_same_bytes(name, tmp_path):
    ring = recordings.ring_for(name, tmp_path)
    sealed, opened = tmp_path / "s.trace.jsonl", tmp_path / "o.trace.jsonl"
    counts = run("seal", "-k", ring, recordings.path(name, "capture.trace.jsonl.zst"), "-o", sealed, "--lossless", "--json",
                 code=0, timeout=300).json()
    want, _ = recordings.totals(name)
    assert counts["messages"] == sum(want.values()) == counts["written"]
    if name.startswith("bulk-"):
        assert counts["sealed"] == 201002
    else:
        twin = recordings.totals(name.replace("-plain", "-sealed"))[1]
        # The twin's peers without keys left some in clear; the program seals every keyed one.
        assert counts["sealed"] >= twin * 0.95, (counts["sealed"], twin)
    assert counts["clear"]["unknown_uri"] == 0 and counts["clear"]["no_role"] == 0 and counts["failed"] == {}
    again = run("open", "-k", ring, sealed, "-o", opened, "--json", code=0, timeout=300).json()
    assert again["opened"] == counts["sealed"]
    assert opened.read_bytes() == recordings.unpacked(name, "capture.trace.jsonl")
    verified = run("verify", "-k", ring, sealed, "--json", code=0, timeout=300).json()
    assert verified["opened"] == counts["sealed"] and verified["keyed_plain"] == 0


@pytest.mark.parametrize("name", [n for n in recordings.PLAIN_SETS if not n.startswith("bulk-")])
def test_what_the_program_seals_libsodium_opens(name, tmp_path):
    import json

    import cryptobox
    path = recordings.ring_for(name, tmp_path)
    with open(path) as file:
        ring = json.load(file)
    out = run("seal", "-k", path, recordings.path(name, "capture.trace.jsonl.zst"), "-t", "trace", code=0).out
    before = recordings.lines(name, "capture.trace.jsonl")
    after = wire.lines_of(out)
    assert len(before) == len(after)
    opened = 0
    for was, now in zip(before, after):
        ser, body = wire.trace_body(now)
        message = wire.load(ser, body)
        if not wire.is_sealed(message):
            assert was == now
            continue
        plain = wire.load(ser, wire.trace_body(was)[1])
        p = wire.payload_index(plain)
        # The URI inside selects the key; that the key opens it proves that it was the right one.
        for entry in ring["keys"]:
            try:
                uri, args, kwargs = cryptobox.open_inner(message, cryptobox.shared_of(entry))
                break
            except Exception:
                continue
        else:
            raise AssertionError(now)
        assert cryptobox.find(ring, uri) is entry
        tail = plain[p:] + [None] * 2
        assert wire.same(args, tail[0]) and wire.same(kwargs, tail[1]), (plain, args, kwargs)
        opened += 1
    assert opened > 500
