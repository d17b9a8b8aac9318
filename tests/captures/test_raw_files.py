"""The bytes of each TCP direction, as they passed: the same messages as in the merged recording."""

import collections
import os

import pytest

import recordings
import wire
from program import run

RAW = [(name, file) for name in recordings.ALL_SETS for file in recordings.raw_files(name) if not name.startswith("bulk-")]


@pytest.fixture(scope="module")
def merged():
    kept = {}

    def get(name):
        if name not in kept:
            by_side = collections.defaultdict(list)
            for line in recordings.lines(name, "capture.trace.jsonl"):
                by_side[line["conn"], line["dir"]].append(wire.trace_body(line))
            kept[name] = by_side
        return kept[name]
    return get


@pytest.mark.parametrize("name, file", RAW)
def test_holds_the_messages_of_its_side(name, file, merged):
    out = run("cat", "--raw", recordings.path(name, file), code=0).out
    got = [wire.trace_body(line) for line in wire.lines_of(out)]
    assert got == merged(name)[int(file[:3]), file[4:7]]


@pytest.mark.parametrize("name, file", [(n, f) for n, f in RAW if n.startswith("rs-") and n.endswith("-plain")])
def test_rawsocket_is_sealed_and_opened_back_to_the_same_bytes(name, file, tmp_path):
    ring = recordings.ring_for(name, tmp_path)
    sealed, opened = tmp_path / "s.rs", tmp_path / "o.rs"
    # One side alone does not tell the URI of every YIELD, RESULT, EVENT and INVOCATION: a loss, said so.
    counts = run("seal", "-k", ring, recordings.path(name, file), "-o", sealed, "-t", "rawsocket", "--json", code=(0, 3)).json()
    assert (counts["exit"] == 3) == (counts["clear"]["unknown_uri"] > 0)
    run("open", "-k", ring, sealed, "-o", opened, code=0)
    assert opened.read_bytes() == recordings.unpacked(name, file.replace(".zst", ""))


@pytest.mark.parametrize("name, file", [(n, f) for n, f in RAW if n.startswith("rs-") and n.endswith("-sealed") and "ubjson" not in n])
def test_sealed_rawsocket_opens_by_key_where_the_other_side_is_missing(name, file, tmp_path):
    ring = recordings.ring_for(name, tmp_path)
    huge = 0
    if "msgpack" in name:
        lines = run("cat", "-k", ring, recordings.path(name, file), code=0).lines()
        huge = sum(1 for x in lines if x.get("opened") and recordings.beyond_msgpack([x.get("args"), x.get("kwargs")]))
    counts = run("open", "-k", ring, recordings.path(name, file), "-o", tmp_path / "o.rs", "-t", "rawsocket", "--on-error", "pass",
                 "--json", code=3 if huge else 0).json()
    assert counts["failed"] == ({"not_representable": huge} if huge else {})
    bodies = wire.split_rawsocket((tmp_path / "o.rs").read_bytes()) if counts["messages"] else []
    assert len(bodies) == counts["messages"]


def test_bulk(tmp_path):
    """100,501 PUBLISH of one connection, from a .zst and back."""
    name, file = "bulk-telemetry-plain", "001.c2r.raw.zst"
    ring = recordings.ring_for(name, tmp_path)
    counts = run("seal", "-k", ring, recordings.path(name, file), "-o", tmp_path / "s.rs", "--json", code=0, timeout=300).json()
    assert counts["sealed"] == 100501 and counts["handshakes"] == 1
    run("open", "-k", ring, tmp_path / "s.rs", "-o", tmp_path / "o.rs", code=0, timeout=300)
    assert (tmp_path / "o.rs").read_bytes() == recordings.unpacked(name, "001.c2r.raw")
    assert os.path.getsize(tmp_path / "s.rs") > os.path.getsize(tmp_path / "o.rs")
