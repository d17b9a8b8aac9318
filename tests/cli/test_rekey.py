"""rekey: from one keyring to another, no plaintext on disk, resumable after a kill."""

import json
import os
import random
import subprocess
import time

import pytest

import cryptobox
import wire
from program import PATIENCE, run, start
from wire import EVENT, PUBLISH, SUBSCRIBE, SUBSCRIBED

OLD = cryptobox.Pair("com.acme.", "old")
NEW = cryptobox.Pair("com.acme.", "new")


@pytest.fixture
def rings(tmp_path):
    return (cryptobox.write_ring(tmp_path / "old.json", [OLD]), cryptobox.write_ring(tmp_path / "new.json", [NEW]))


def messages(count, pair):
    """PUBLISH and EVENT (whose URI only the SUBSCRIBE at the start tells), with plain ones between."""
    yield [SUBSCRIBE, 1, {}, "com.acme.e"]
    yield [SUBSCRIBED, 1, 77]
    for i in range(count):
        if i % 10 == 9:
            yield [PUBLISH, i, {}, "org.free", [i]]
            continue
        plain, uri = ([EVENT, 77, i, {}, [i, "z" * (i % 50)]], "com.acme.e") if i % 2 else \
            ([PUBLISH, i, {}, "com.acme.t", [i, "z" * (i % 50)]], "com.acme.t")
        yield cryptobox.seal(plain, pair.shared, uri, i.to_bytes(24, "big")) if pair else plain


def stream(count, pair, ser="cbor"):
    return wire.rawsocket([wire.dump(ser, m) for m in messages(count, pair)], ser)


@pytest.mark.sanitized
@pytest.mark.parametrize("ser", ["json", "msgpack", "cbor"])
def test_same_values_under_the_new_key(ser, rings):
    old, new = rings
    data = stream(200, OLD, ser)
    result = run("rekey", "-k", old, "-K", new, "--json", stdin=data, code=0)
    assert result.json_err()["sealed"] == 180 and result.json_err()["plain"] == 20
    assert run("open", "-k", new, stdin=result.out, code=0).out == stream(200, None, ser)
    run("open", "-k", old, stdin=result.out, code=5)
    before = {bytes(wire.load(ser, b)[-1][:24]) for b in wire.split_rawsocket(data) if wire.is_sealed(wire.load(ser, b))}
    after = {bytes(wire.load(ser, b)[-1][:24]) for b in wire.split_rawsocket(result.out) if wire.is_sealed(wire.load(ser, b))}
    assert len(after) == 180 and not before & after, "a nonce is never used again"


@pytest.mark.sanitized
def test_the_plaintext_goes_from_box_to_box_byte_for_byte(rings):
    odd = b' {"kwargs":{"a":1E2,"a":2}, "uri":"com.acme.t","args":["\\u0041", 1.50] ,"more":0} '
    message = [PUBLISH, 1, {"enc_algo": "cryptobox", "enc_serializer": "json"}, "com.acme.t", cryptobox.box(OLD.shared, b"n" * 24, odd)]
    out = run("rekey", "-k", rings[0], "-K", rings[1], stdin=wire.rawsocket([wire.dump("cbor", message)], "cbor"), code=0).out
    got = wire.load("cbor", wire.split_rawsocket(out)[0])
    assert cryptobox.unbox(NEW.shared, got[-1]) == odd and got[:4] == message[:4]


@pytest.mark.sanitized
def test_only_the_uri_inside_is_checked(rings):
    lie = cryptobox.seal([PUBLISH, 1, {}, "com.acme.t", [1]], OLD.shared, "com.acme.other")
    result = run("rekey", "-k", rings[0], "-K", rings[1], "--json", stdin=wire.rawsocket([wire.dump("cbor", lie)], "cbor"), code=5)
    assert result.json_err()["failed"] == {"uri_mismatch": 1} and wire.nothing(result.out)


@pytest.mark.sanitized
def test_no_entry_in_the_new_ring(rings, tmp_path):
    other = cryptobox.write_ring(tmp_path / "other.json", [cryptobox.Pair("net.")])
    data = stream(20, OLD)
    result = run("rekey", "-k", rings[0], "-K", other, "--json", stdin=data, code=5)
    assert "no_key" in result.json_err()["failed"]
    kept = run("rekey", "-k", rings[0], "-K", other, "--on-error", "pass", stdin=data, code=3)
    assert kept.out == data, "pass keeps the old box"


def test_needs_both_rings(rings):
    assert "-K" in run("rekey", "-k", rings[0], stdin=b"", code=2).errors
    run("rekey", "-K", rings[1], stdin=b"", code=2)


def test_resumes_after_kills(rings, tmp_path):
    old, new = rings
    source, target = tmp_path / "in.rs", tmp_path / "out.rs"
    count = 3000
    block = wire.split_rawsocket(stream(count, OLD))
    # Many megabytes, cheaply: the messages after the first two again and again.
    body = b"".join(len(b).to_bytes(4, "big") + b for b in block[2:])
    source.write_bytes(wire.rawsocket(block[:2], "cbor") + body * 150)
    words = ("rekey", "-k", old, "-K", new, source, "-o", target, "-q")
    dice = random.Random(3)
    kills = resumed = 0
    before = 0
    for _ in range(12):
        process = start(*words, stderr=subprocess.PIPE)
        time.sleep(dice.uniform(0.03, 0.25))
        process.kill()
        err = process.stderr.read()
        process.wait(10)
        if process.returncode == 0:
            break
        assert process.returncode == -9, err
        kills += 1
        assert not target.exists()
        left = {n for n in os.listdir(tmp_path) if n.startswith("out.rs")}
        assert left <= {"out.rs.part", "out.rs.part.state"}, left
        for name in left:
            assert os.stat(tmp_path / name).st_mode & 0o777 == 0o600
        size = (tmp_path / "out.rs.part").stat().st_size if "out.rs.part" in left else 0
        resumed += before > 0 and size >= before
        before = size
    else:
        assert run(*words, code=0)
    if not target.exists():
        run(*words, code=0)
    assert kills, "never killed in time: the recording is too small for this machine"
    assert {n for n in os.listdir(tmp_path) if n.startswith("out.rs")} == {"out.rs"}
    # Whole and right: compared after opening, message by message.
    opened = tmp_path / "opened.rs"
    run("open", "-k", new, target, "-o", opened, "-q", code=0)
    plain = wire.split_rawsocket(stream(count, None))
    tail = b"".join(len(b).to_bytes(4, "big") + b for b in plain[2:])
    assert opened.read_bytes() == wire.rawsocket(plain[:2], "cbor") + tail * 150
    # The same box never stands twice: a resumed run draws new nonces.
    nonces = set()
    total = 0
    data = target.read_bytes()
    at = 4
    while at < len(data):
        length = int.from_bytes(data[at:at + 4], "big")
        message = wire.load("cbor", data[at + 4:at + 4 + length])
        if wire.is_sealed(message):
            nonces.add(message[-1][:24])
            total += 1
        at += 4 + length
        if total > 60000:
            break
    assert len(nonces) == total


@pytest.fixture
def interrupted(rings, tmp_path):
    """A run that was killed in the middle; gives the words that resume it."""
    old, new = rings
    source, target = tmp_path / "in.rs", tmp_path / "out.rs"
    block = wire.split_rawsocket(stream(2000, OLD))
    body = b"".join(len(b).to_bytes(4, "big") + b for b in block[2:])
    source.write_bytes(wire.rawsocket(block[:2], "cbor") + body * 150)
    words = ["rekey", "-k", old, "-K", new, str(source), "-o", str(target), "-q"]
    for delay in (0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03):
        process = start(*words, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + delay * PATIENCE
        while time.monotonic() < deadline and not (tmp_path / "out.rs.part.state").exists():
            time.sleep(0.002)
        time.sleep(0.02)
        process.kill()
        process.wait(10)
        if not target.exists() and (tmp_path / "out.rs.part.state").exists():
            return words
        for name in ("out.rs", "out.rs.part", "out.rs.part.state"):
            if (tmp_path / name).exists():
                os.unlink(tmp_path / name)
    pytest.fail("could not interrupt a rekey with its state on disk")


@pytest.mark.parametrize("change", ["input grew", "input changed", "other ring", "other new ring", "options"])
def test_a_mismatch_is_named_and_refused(change, interrupted, tmp_path):
    words = list(interrupted)
    source = tmp_path / "in.rs"
    if change == "input grew":
        with open(source, "ab") as file:
            file.write(b"\0\0\0\0")
    if change == "input changed":
        stamp = source.stat()
        with open(source, "r+b") as file:
            file.seek(20)
            byte = file.read(1)
            file.seek(20)
            file.write(bytes([byte[0] ^ 1]))
        os.utime(source, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
    if change == "other ring":
        words[2] = cryptobox.write_ring(tmp_path / "x.json", [cryptobox.Pair("com.acme.", "third")])
    if change == "other new ring":
        words[4] = cryptobox.write_ring(tmp_path / "x.json", [cryptobox.Pair("com.acme.", "third")])
    if change == "options":
        words += ["--on-error", "skip"]
    part = (tmp_path / "out.rs.part").stat().st_size
    result = run(*words, code=2)
    assert "--restart" in result.errors
    assert (tmp_path / "out.rs.part").stat().st_size == part and not (tmp_path / "out.rs").exists()


def test_restart_discards(interrupted, rings, tmp_path):
    run(*interrupted, "--restart", code=0)
    assert {n for n in os.listdir(tmp_path) if n.startswith("out.rs")} == {"out.rs"}
    assert run("verify", "-k", rings[1], "-q", tmp_path / "out.rs", code=0)


def test_part_files_hold_no_plaintext(interrupted, tmp_path):
    for name in ("out.rs.part", "out.rs.part.state"):
        assert b"zzzzzzzzzz" not in (tmp_path / name).read_bytes()


@pytest.mark.parametrize("words", [(), ("-o", "out.rs.zst")])
def test_what_cannot_resume_says_so_at_the_start(words, rings, tmp_path):
    source = tmp_path / "in.rs"
    source.write_bytes(stream(10, OLD))
    result = run("rekey", "-k", rings[0], "-K", rings[1], source, *words, cwd=tmp_path, code=0)
    assert "resum" in result.errors
    assert not {n for n in os.listdir(tmp_path) if ".part" in n}
