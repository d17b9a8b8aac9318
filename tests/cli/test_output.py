"""Where the output goes: names, existing targets, folders, FIFOs, closed and full ends."""

import os
import stat
import subprocess
import threading

import pytest

import cryptobox
import wire
from program import PATIENCE, PROGRAM, environment, run, start
from wire import PUBLISH

PLAIN = wire.rawsocket([wire.dump("cbor", [PUBLISH, i, {}, "com.acme.t", [i]]) for i in range(10)], "cbor")


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "in.rs"
    path.write_bytes(PLAIN)
    return path


def names(folder):
    return sorted(os.listdir(folder))


def test_output_appears_with_mode_0600_when_it_holds_plaintext(ring, source, tmp_path):
    run("seal", "-k", ring, source, "-o", tmp_path / "s.rs", code=0)
    run("open", "-k", ring, tmp_path / "s.rs", "-o", tmp_path / "p.rs", code=0)
    assert (tmp_path / "p.rs").read_bytes() == PLAIN
    assert stat.S_IMODE((tmp_path / "p.rs").stat().st_mode) == 0o600
    assert names(tmp_path) == ["in.rs", "p.rs", "ring.json", "s.rs"]


def test_existing_target_needs_force(ring, source, tmp_path):
    target = tmp_path / "s.rs"
    target.write_bytes(b"precious")
    result = run("seal", "-k", ring, source, "-o", target, code=(1, 2))
    assert target.read_bytes() == b"precious" and "--force" in result.errors and "s.rs" in result.errors
    run("seal", "-k", ring, source, "-o", target, "--force", code=0)
    assert len(wire.split_rawsocket(target.read_bytes())) == 10


def test_force_keeps_the_old_target_when_the_run_fails(ring, source, tmp_path):
    target = tmp_path / "s.rs"
    target.write_bytes(b"precious")
    source.write_bytes(PLAIN[:-3])
    run("seal", "-k", ring, source, "-o", target, "--force", code=4)
    assert target.read_bytes() == b"precious" and names(tmp_path) == ["in.rs", "ring.json", "s.rs"]


@pytest.mark.parametrize("how", ["same", "dot", "hard link", "symlink"])
def test_output_that_is_the_input_is_refused(how, ring, source, tmp_path):
    target = {"same": source, "dot": tmp_path / "." / "in.rs", "hard link": tmp_path / "hard.rs",
              "symlink": tmp_path / "soft.rs"}[how]
    if how == "hard link":
        os.link(source, target)
    if how == "symlink":
        os.symlink(source, target)
    word = str(tmp_path) + "/./in.rs" if how == "dot" else target
    result = run("seal", "-k", ring, source, "-o", word, "--force", code=(1, 2))
    assert source.read_bytes() == PLAIN and result.errors.startswith("boxcar: error: ")


def test_target_in_an_absent_folder(ring, source, tmp_path):
    result = run("seal", "-k", ring, source, "-o", tmp_path / "no" / "s.rs", code=(1, 2))
    assert str(tmp_path / "no") in result.errors and names(tmp_path) == ["in.rs", "ring.json"]


def test_folder_without_slash_is_no_target(ring, source, tmp_path):
    (tmp_path / "d").mkdir()
    result = run("seal", "-k", ring, source, "-o", tmp_path / "d")
    assert result.code in (0, 1, 2)
    if result.code == 0:
        assert names(tmp_path / "d") == ["in.rs"]
    else:
        assert names(tmp_path / "d") == []


def test_symlink_as_target_is_never_written_through(ring, source, tmp_path):
    victim = tmp_path / "victim"
    victim.write_bytes(b"precious")
    os.symlink(victim, tmp_path / "s.rs")
    run("seal", "-k", ring, source, "-o", tmp_path / "s.rs", code=(1, 2))
    assert victim.read_bytes() == b"precious"
    run("seal", "-k", ring, source, "-o", tmp_path / "s.rs", "--force", code=(0, 1, 2))
    assert victim.read_bytes() == b"precious" or len(wire.split_rawsocket(victim.read_bytes())) == 10


def test_many_inputs_become_one_stream(ring, tmp_path):
    for name, numbers in (("a.rs", range(3)), ("b.rs", range(3, 5))):
        (tmp_path / name).write_bytes(wire.rawsocket(
            [wire.dump("cbor", [PUBLISH, i, {}, "com.acme.t", [i]]) for i in numbers], "cbor"))
    run("seal", "-k", ring, tmp_path / "a.rs", tmp_path / "b.rs", "-o", tmp_path / "s.rs", code=0)
    out = run("open", "-k", ring, tmp_path / "s.rs", code=0).out
    assert [wire.load("cbor", b)[1] for b in wire.split_rawsocket(out)] == [0, 1, 2, 3, 4]
    lines = run("cat", tmp_path / "s.rs", code=0).lines()
    assert [line["n"] for line in lines] == [0, 1, 2, 3, 4]


def test_concatenating_refuses_another_serializer(ring, source, tmp_path):
    (tmp_path / "b.rs").write_bytes(wire.rawsocket([wire.dump("json", [PUBLISH, 1, {}, "com.acme.t", [1]])], "json"))
    result = run("seal", "-k", ring, source, tmp_path / "b.rs", "-o", tmp_path / "s.rs", code=(2, 4))
    assert not (tmp_path / "s.rs").exists() and "b.rs" in result.errors


def test_folder_as_target(ring, tmp_path):
    sub, out = tmp_path / "sub", tmp_path / "out"
    sub.mkdir()
    out.mkdir()
    for path in (tmp_path / "a.rs", sub / "b.rs"):
        path.write_bytes(PLAIN)
    run("seal", "-k", ring, tmp_path / "a.rs", sub / "b.rs", "-o", str(out) + "/", code=0)
    assert names(out) == ["a.rs", "b.rs"]
    for name in names(out):
        assert run("open", "-k", ring, out / name, code=0).out == PLAIN


def test_folder_as_target_collision(ring, source, tmp_path):
    sub, out = tmp_path / "sub", tmp_path / "out"
    sub.mkdir()
    out.mkdir()
    (sub / "in.rs").write_bytes(PLAIN)
    result = run("seal", "-k", ring, source, sub / "in.rs", "-o", str(out) + "/", code=2)
    assert names(out) == [] and "in.rs" in result.errors


def test_folder_as_target_tries_every_file(ring, source, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (tmp_path / "bad.rs").write_bytes(PLAIN[:-1])
    (tmp_path / "z.rs").write_bytes(PLAIN)
    result = run("seal", "-k", ring, tmp_path / "bad.rs", source, tmp_path / "absent.rs", tmp_path / "z.rs",
                 "-o", str(out) + "/", code=4)
    assert names(out) == ["in.rs", "z.rs"]
    assert "bad.rs" in result.errors and "absent.rs" in result.errors


def test_dash_is_stdin_and_stdout(ring, source):
    by_name = run("seal", "-k", ring, "--on-error", "stop", source, seed=1, code=0).out
    assert run("seal", "-k", ring, "-", "-o", "-", stdin=PLAIN, seed=1, code=0).out == by_name
    assert run("seal", "-k", ring, stdin=PLAIN, seed=1, code=0).out == by_name


def test_fifo_as_output(ring, source, tmp_path):
    fifo = tmp_path / "pipe.rs"
    os.mkfifo(fifo)
    got = []
    reader = threading.Thread(target=lambda: got.append(open(fifo, "rb").read()))
    reader.start()
    result = run("seal", "-k", ring, source, "-o", fifo, seed=1, code=0)
    reader.join(20 * PATIENCE)
    assert not reader.is_alive()
    assert got[0] == run("seal", "-k", ring, source, seed=1, code=0).out, result
    assert stat.S_ISFIFO(fifo.stat().st_mode)


def test_fifo_as_input(ring, tmp_path):
    fifo = tmp_path / "pipe.rs"
    os.mkfifo(fifo)

    def write():
        with open(fifo, "wb") as file:
            file.write(PLAIN)
    writer = threading.Thread(target=write)
    writer.start()
    out = run("seal", "-k", ring, fifo, "-o", tmp_path / "s.rs", code=0)
    writer.join(20 * PATIENCE)
    assert len(wire.split_rawsocket((tmp_path / "s.rs").read_bytes())) == 10, out


@pytest.mark.parametrize("words", [("-o", "/dev/full"), ()])
def test_full_device(words, ring, source):
    with open("/dev/full", "wb") as full:
        result = run("seal", "-k", ring, source, *words, stdout=full if not words else None, code=1)
    assert "No space left" in result.errors


def test_dev_null(ring, source):
    run("seal", "-k", ring, source, "-o", "/dev/null", code=0)
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def big(count=60000):
    body = wire.dump("cbor", [PUBLISH, 1, {}, "com.acme.t", ["y" * 100]])
    return wire.rawsocket([body] * count, "cbor")


@pytest.mark.parametrize("verb, silent", [("cat", True), ("seal", False), ("open", False), ("convert", False)])
def test_closed_stdout(verb, silent, ring, tmp_path):
    path = tmp_path / "big.rs"
    path.write_bytes(big())
    words = [PROGRAM, verb, str(path)] + ([] if verb == "convert" else ["-k", ring])
    words += ["-q"] if verb != "cat" else []
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
    process.stdout.read(10)
    process.stdout.close()
    err = process.stderr.read()
    assert process.wait(30 * PATIENCE) == 1, err
    assert (err == b"") == silent, err


def test_stdout_that_was_never_open(ring, source):
    process = subprocess.run(["sh", "-c", '"$0" seal -k "$1" "$2" >&-', PROGRAM, ring, str(source)],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), timeout=30 * PATIENCE)
    assert process.returncode == 1 and b"error" in process.stderr
    assert source.read_bytes() == PLAIN


def test_stdin_that_was_never_open(ring):
    process = subprocess.run(["sh", "-c", '"$0" seal -k "$1" <&-', PROGRAM, ring],
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment(), timeout=30 * PATIENCE)
    assert process.returncode in (1, 2) and process.stdout == b""


def test_empty_input(ring, tmp_path):
    (tmp_path / "empty.rs").write_bytes(b"")
    result = run("seal", "-k", ring, tmp_path / "empty.rs", "-o", tmp_path / "out.rs", "--json", code=0)
    assert result.json()["messages"] == 0 and (tmp_path / "out.rs").read_bytes() == b""
    assert run("seal", "-k", ring, "-f", "jsonl", stdin=b"", code=0).out == b""


@pytest.mark.parametrize("fmt, ser", [("rawsocket", "cbor"), ("jsonl", "json"), ("trace", "msgpack"), ("cbor", "cbor"),
                                      ("msgpack", "msgpack"), ("batched-json", "json"), ("batched-cbor", "cbor")])
@pytest.mark.parametrize("step", [1, 7])
def test_pipe_in_small_pieces(fmt, ser, step, ring, tmp_path):
    from test_seal_open import framed
    bodies = [wire.dump(ser, [PUBLISH, i, {}, "com.acme.t", ["x" * i, {"k": 1.5}]]) for i in range(12)]
    plain = framed(fmt, ser, bodies)
    path = tmp_path / "whole"
    path.write_bytes(plain)
    whole = run("seal", "-k", ring, "-f", fmt, path, seed=3, code=0).out
    process = start("seal", "-k", ring, "-f", fmt, "-q", stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE, env={"BOXCAR_TEST_NONCE_SEED": "3"}, bufsize=0)
    for i in range(0, len(plain), step):
        process.stdin.write(plain[i:i + step])
    out, err = process.communicate(timeout=60 * PATIENCE)
    assert process.returncode == 0, err
    assert out == whole


def test_directory_as_input(ring, tmp_path):
    result = run("seal", "-k", ring, tmp_path, code=(1, 2))
    assert result.out == b"" and result.errors.startswith("boxcar: error: ")
