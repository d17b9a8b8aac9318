"""With fixed nonces every output byte and every count is the same, whatever the machine does meanwhile (decisions 21)."""

import json
import os

import pytest

import cryptobox
import wire
from program import CAPTURES, run
from test_seal_open import ACME, FORMATS, ORDERS, conversation, framed

pytestmark = pytest.mark.sanitized

ENDS = [("-j1",), ("-j2",), ("-j7",), ("-j3", "--io", "sync"), ("-j2", "--io", "uring"), ("-j1", "--io", "sync", "--chunk", "4Ki"),
        ("-j7", "--chunk", "4Ki"), ("-j2", "--chunk", "64Ki"), ("--kernel", "portable"), ("--kernel", "avx2"),
        ("--kernel", "avx512"), ("-j5", "--kernel", "portable", "--chunk", "8Ki", "--io", "sync")]
VOLATILE = {"seconds", "messages_per_second", "threads", "kernel", "io"}


def counts_of(result):
    text = (result.out if result.out.startswith(b"{") else result.err).decode().strip().split("\n")[-1]
    return {k: v for k, v in json.loads(text).items() if k not in VOLATILE}


def unavailable(result):
    """A kernel or io_uring that this machine does not have, asked for by name."""
    said = result.errors + result.out.decode("utf-8", "replace")
    return result.code == 2 and ("kernel" in said or "uring" in said)


def all_the_same(verb, source, tmp_path, *words, seed=None, suffix):
    first, ran = None, 0
    for i, how in enumerate(ENDS):
        target = tmp_path / ("out%d%s" % (i, suffix))
        result = run(verb, source, "-o", target, "--json", *words, *how, seed=seed)
        if unavailable(result):
            continue
        assert result.code in (0, 3), (how, result)
        now = (result.code, target.read_bytes(), counts_of(result))
        os.unlink(target)
        first = first or now
        ran += 1
        assert now[2] == first[2], how
        assert now == first, how
    assert ran >= 8
    return first[1]


@pytest.mark.parametrize("fmt, ser", FORMATS)
def test_seal_and_open(fmt, ser, tmp_path):
    ring = cryptobox.write_ring(tmp_path / "two.json", [ACME, ORDERS])
    talk = [wire.dump(ser, m) for m, _, _ in conversation() * 3]
    source = tmp_path / "in"
    source.write_bytes(framed(fmt, ser, talk))
    sealed = all_the_same("seal", source, tmp_path, "-k", ring, "-f", fmt, seed=7, suffix="")
    (tmp_path / "sealed").write_bytes(sealed)
    opened = all_the_same("open", tmp_path / "sealed", tmp_path, "-k", ring, "-f", fmt, suffix="")
    assert opened == source.read_bytes()


def test_another_seed_gives_other_nonces_and_none_gives_fresh_ones(ring):
    plain = wire.rawsocket([wire.dump("json", [16, i, {}, "com.acme.t", [i]]) for i in range(200)], "json")
    fixed = run("seal", "-k", ring, stdin=plain, seed=1).out
    assert run("seal", "-k", ring, stdin=plain, seed=1).out == fixed
    outs = [fixed, run("seal", "-k", ring, stdin=plain, seed=2).out, run("seal", "-k", ring, stdin=plain).out,
            run("seal", "-k", ring, stdin=plain).out, run("seal", "-k", ring, "--nonce", "random", stdin=plain).out,
            run("seal", "-k", ring, "--nonce", "car", stdin=plain).out]
    nonces = [wire.load("json", b)[-1][:24] for out in outs for b in wire.split_rawsocket(out)]
    assert len(set(nonces)) == len(nonces) == 1200


def test_a_real_recording(tmp_path):
    folder = os.path.join(CAPTURES, "mixed-plain")
    with open(os.path.join(CAPTURES, "mixed-sealed", "keyring.json")) as file:
        ring = json.load(file)
    path = cryptobox.write_ring(tmp_path / "ring.json", ring["keys"], ring["default"])
    source = os.path.join(folder, "capture.trace.jsonl.zst")
    all_the_same("seal", source, tmp_path, "-k", path, seed=11, suffix=".trace.jsonl")


@pytest.mark.parametrize("policy", ["skip", "pass"])
def test_failures_are_counted_the_same(policy, ring, tmp_path):
    pair = cryptobox.Pair("com.acme.")
    bodies = []
    for i in range(3000):
        message = cryptobox.seal([16, i, {}, "com.acme.t", [i]], pair.shared, "com.acme.t", i.to_bytes(24, "big"))
        if i % 7 == 3:
            message[-1] = message[-1][:-1] + bytes([message[-1][-1] ^ 1])
        bodies.append(wire.dump("cbor", message))
    source = tmp_path / "in.rs"
    source.write_bytes(wire.rawsocket(bodies, "cbor"))
    all_the_same("open", source, tmp_path, "-k", ring, "--on-error", policy, suffix=".rs")


def test_the_first_failure_is_the_one_that_is_told(ring, tmp_path):
    pair = cryptobox.Pair("com.acme.")
    bodies = [wire.dump("cbor", cryptobox.seal([16, i, {}, "com.acme.t", [i]], pair.shared, "com.acme.t", i.to_bytes(24, "big")))
              for i in range(4000)]
    for bad in (3999, 2500, 1234):
        bodies[bad] = bodies[bad][:-1] + bytes([bodies[bad][-1] ^ 1])
    source = tmp_path / "in.rs"
    source.write_bytes(wire.rawsocket(bodies, "cbor"))
    said = set()
    for how in ENDS:
        result = run("open", "-k", ring, source, "-o", tmp_path / "x.rs", "-q", *how)
        if not unavailable(result):
            assert result.code == 5
            said.add(result.errors)
    assert len(said) == 1 and "message 1234 " in said.pop()
