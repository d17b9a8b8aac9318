"""Stopped, killed, or out of disk in the middle: nothing under the output's name, nothing left behind."""

import os
import random
import resource
import shutil
import signal
import subprocess
import time

import pytest

import wire
from program import PATIENCE, PROGRAM, environment, run, start
from wire import PUBLISH


@pytest.fixture(scope="module")
def big(tmp_path_factory):
    """A recording that takes a good part of a second, and more under a sanitizer."""
    path = tmp_path_factory.mktemp("big") / "big.rs"
    bodies = [wire.dump("cbor", [PUBLISH, i, {}, "com.acme.t", ["y" * 150, i]]) for i in range(1000)]
    block = b"".join(len(b).to_bytes(4, "big") + b for b in bodies)
    with open(path, "wb") as file:
        file.write(wire.handshake("cbor"))
        for _ in range(400):
            file.write(block)
    return path


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_stop_signals_in_mid_run(number, code, big, ring, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    stopped = 0
    for delay in (0.02, 0.05, 0.1):
        process = start("seal", "-k", ring, big, "-o", out / "s.rs", "-q", stderr=subprocess.PIPE)
        time.sleep(delay)
        process.send_signal(number)
        err = process.stderr.read()
        got = process.wait(30 * PATIENCE)
        if got == 0:  # it was faster than the signal
            os.unlink(out / "s.rs")
            continue
        stopped += 1
        assert got == code, (got, err)
        assert os.listdir(out) == []
    assert stopped, "never interrupted: the recording is too small for this machine"


def test_stop_signal_while_waiting_for_a_pipe(ring, tmp_path):
    process = start("seal", "-k", ring, "-f", "jsonl", "-o", tmp_path / "s.jsonl", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    process.stdin.write(b'[16,1,{},"com.acme.t",[1]]\n')
    process.stdin.flush()
    time.sleep(0.3 * PATIENCE)
    process.send_signal(signal.SIGINT)
    assert process.wait(10 * PATIENCE) == 130, process.stderr.read()
    process.stdin.close()
    process.stderr.close()
    assert not (tmp_path / "s.jsonl").exists() and sorted(os.listdir(tmp_path)) == ["ring.json"]


def test_kill_leaves_nothing_under_the_name(big, ring, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    dice = random.Random(5)
    killed = 0
    for _ in range(8):
        process = start("seal", "-k", ring, big, "-o", out / "s.rs", "-q", stderr=subprocess.DEVNULL)
        time.sleep(dice.uniform(0.01, 0.15))
        process.kill()
        process.wait(10)
        if process.returncode == 0:
            os.unlink(out / "s.rs")
            continue
        killed += 1
        assert os.listdir(out) == [], "an O_TMPFILE leaves no name behind"
    assert killed


def test_file_size_limit(big, ring, tmp_path):
    def limit():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    result = subprocess.run([PROGRAM, "seal", "-k", ring, str(big), "-o", str(tmp_path / "s.rs")], preexec_fn=limit,
                            stderr=subprocess.PIPE, env=environment(), timeout=60 * PATIENCE)
    assert result.returncode == 1 and b"File too large" in result.stderr, result
    assert sorted(os.listdir(tmp_path)) == ["ring.json"]


def small_disk(tmp_path):
    """A shell prefix that runs a command with a 1 MB file system at tmp_path/disk, or None."""
    unshare = shutil.which("unshare")
    if unshare is None:
        return None
    prefix = [unshare, "--mount"] if os.geteuid() == 0 else [unshare, "--user", "--map-root-user", "--mount"]
    mount = 'mount -t tmpfs -o size=1m none "%s" && ' % (tmp_path / "disk")
    probe = subprocess.run(prefix + ["sh", "-c", mount + "true"], stderr=subprocess.DEVNULL)
    return None if probe.returncode else (prefix, mount)


@pytest.mark.parametrize("io", ["uring", "sync"])
def test_full_disk(io, big, ring, tmp_path):
    (tmp_path / "disk").mkdir()
    disk = small_disk(tmp_path)
    if disk is None:
        pytest.skip("no right to mount a small file system here")
    prefix, mount = disk
    script = mount + '"$0" seal -k "$1" "$2" -o "$3/s.rs" --io %s; code=$?; echo left: $(ls -A "$3"); exit $code' % io
    result = subprocess.run(prefix + ["sh", "-c", script, PROGRAM, ring, str(big), str(tmp_path / "disk")],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), timeout=60 * PATIENCE)
    if io == "uring" and b"uring" in result.stderr and result.returncode == 2:
        pytest.skip("no io_uring here")
    assert result.returncode == 1 and b"No space left" in result.stderr, result
    assert result.stdout == b"left:\n"


def test_memory_limit_on_hostile_lengths(ring):
    """A frame or a count that promises gigabytes costs nothing before its bytes are there."""
    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
    inputs = [
        wire.handshake("msgpack") + b"\x00\xff\xff\xff" + b"\x95\x10",
        wire.rawsocket([b"\xdd\xff\xff\xff\xff\x10"], "msgpack"),
        wire.rawsocket([b"\x9b\xff\xff\xff\xff\xff\xff\xff\xff\x10"], "cbor"),
        wire.rawsocket([b"\x95\x10\x01\x80\xaacom.acme.t\xc6\xff\xff\xff\xff"], "msgpack"),
    ]
    if "sanitize" in os.environ.get("BOXCAR_TEST_BUILD", ""):
        pytest.skip("a sanitizer's shadow memory does not fit the limit")
    for data in inputs:
        process = subprocess.run([PROGRAM, "open", "-k", ring, "-j", "2", "-f", "rawsocket"], input=data, preexec_fn=limit,
                                 stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), timeout=30 * PATIENCE)
        assert process.returncode == 4, process


@pytest.mark.parametrize("limit_kib", [0, 64])
def test_without_locked_memory(limit_kib, ring):
    """RLIMIT_MEMLOCK of nothing: keys still work, in memory that cannot be locked."""
    def limit():
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (limit_kib << 10, limit_kib << 10))
    data = wire.rawsocket([wire.dump("cbor", [PUBLISH, 1, {}, "com.acme.t", [1]])], "cbor")
    process = subprocess.run([PROGRAM, "seal", "-k", ring, "-q"], input=data, preexec_fn=limit, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=environment(), timeout=30 * PATIENCE)
    assert process.returncode == 0, process
