"""gen makes the same bytes for the same seed; bench measures what it says."""

import pytest

import wire
from program import run

pytestmark = pytest.mark.sanitized


@pytest.mark.parametrize("fmt, ser", [("rawsocket", "msgpack"), ("rawsocket", "json"), ("rawsocket", "cbor"), ("jsonl", "json"),
                                      ("trace", "cbor"), ("msgpack", "msgpack"), ("cbor", "cbor"), ("batched-json", "json")])
def test_same_seed_same_bytes(fmt, ser):
    words = ("gen", "-n", 300, "-t", fmt, "--serializer", ser, "-q")
    first = run(*words, "--seed", 5, code=0).out
    assert run(*words, "--seed", 5, code=0).out == first
    assert run(*words, "--seed", 6, code=0).out != first
    lines = run("cat", "-f", fmt, stdin=first, code=0).lines()
    assert len(lines) == 300 and {x["ser"] for x in lines} == {ser}


@pytest.mark.parametrize("workload", ["telemetry", "orders", "rpc", "blobs"])
def test_every_workload_is_sealed_and_opened_back(workload, ring):
    plain = run("gen", "-n", 500, "--workload", workload, "-q", code=0).out
    sealed = run("seal", "-k", ring, "--json", "--lossless", stdin=plain, code=0)
    assert sealed.json_err()["sealed"] > 250
    assert run("open", "-k", ring, stdin=sealed.out, code=0).out == plain


@pytest.mark.parametrize("size, low, high", [("200", 190, 210), ("uniform:100-300", 90, 310), ("lognormal:200", 30, 20000)])
def test_sizes(size, low, high):
    plain = run("gen", "-n", 2000, "--size", size, "--serializer", "json", "-q", code=0).out
    lengths = sorted(len(b) for b in wire.split_rawsocket(plain) if wire.load("json", b)[0] == wire.PUBLISH)
    count = len(lengths)
    assert count > 500 and low <= lengths[10] and lengths[-10] <= high, (lengths[10], lengths[-10])
    if size == "lognormal:200":
        assert 150 < lengths[count // 2] < 260 and lengths[-10] > 2 * lengths[count // 2]


def test_numbers_with_units():
    assert run("gen", "-n", "1e2", "--json", "-o", "/dev/null", code=0).code == 0
    assert len(wire.split_rawsocket(run("gen", "-n", "2k", "-q", code=0).out)) == 2000
    assert len(wire.split_rawsocket(run("gen", "-n", "1Ki", "-q", code=0).out)) == 1024


def test_gen_writes_files_as_the_others_do(tmp_path):
    target = tmp_path / "t.trace.jsonl"
    run("gen", "-n", 50, "-o", target, code=0)
    assert len(wire.lines_of(target.read_bytes())) == 50
    run("gen", "-n", 50, "-o", target, code=(1, 2))
    run("gen", "-n", 60, "-o", target, "--force", code=0)
    assert len(wire.lines_of(target.read_bytes())) == 60


def test_bench_says_what_it_measured(ring, tmp_path):
    source = tmp_path / "t.rs"
    run("gen", "-n", 2000, "-o", source, "-q", code=0)
    before = source.read_bytes()
    result = run("bench", "-k", ring, source, "--rounds", 1, "--json", code=0, timeout=120)
    got = result.json()
    assert got["schema"] == 1 and source.read_bytes() == before
    assert got["kernel"] and len(got["stages"]) >= 4
    words = run("bench", "-k", ring, source, "--rounds", 1, code=0, timeout=120).out.decode()
    assert "slowest stage" in words
