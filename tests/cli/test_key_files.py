"""Key files that should not be trusted, by mode, owner and kind, and keyrings that are not what they should be."""

import json
import os
import resource
import subprocess

import pytest

import cryptobox
import wire
from program import PATIENCE, PROGRAM, environment, run
from wire import PUBLISH

pytestmark = pytest.mark.sanitized

PLAIN = wire.rawsocket([wire.dump("cbor", [PUBLISH, 1, {}, "com.acme.t", [1]])], "cbor")
ACME = cryptobox.Pair("com.acme.")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o666, 0o620, 0o602, 0o610, 0o777])
def test_a_mode_that_others_can_use_is_refused(mode, ring):
    os.chmod(ring, mode)
    for verb in ("seal", "open", "verify", "cat"):
        result = run(verb, "-k", ring, stdin=PLAIN, code=2)
        assert result.out == b"" and "chmod 600" in result.errors and "ring.json" in result.errors
    warned = run("seal", "-k", ring, "--insecure-key-modes", stdin=PLAIN, code=0)
    assert "warning" in warned.errors and len(wire.split_rawsocket(warned.out)) == 1


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_private_modes_are_fine(mode, ring):
    os.chmod(ring, mode)
    assert "warning" not in run("seal", "-k", ring, stdin=PLAIN, code=0).errors


def test_both_rings_of_a_rekey_are_checked(ring, tmp_path):
    lax = cryptobox.write_ring(tmp_path / "lax.json", [ACME], mode=0o644)
    for words in (("-k", lax, "-K", ring), ("-k", ring, "-K", lax)):
        assert "lax.json" in run("rekey", *words, stdin=PLAIN, code=2).errors


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_somebody_else_is_refused(ring):
    os.chown(ring, 65534, -1)
    result = run("seal", "-k", ring, stdin=PLAIN, code=2)
    assert "ring.json" in result.errors and result.out == b""


def test_a_symlink_is_refused(ring, tmp_path):
    os.symlink(ring, tmp_path / "link.json")
    assert "link.json" in run("seal", "-k", tmp_path / "link.json", stdin=PLAIN, code=2).errors


def test_a_fifo_does_not_hang(tmp_path):
    os.mkfifo(tmp_path / "fifo.json", 0o600)
    run("seal", "-k", tmp_path / "fifo.json", stdin=PLAIN, code=2, timeout=10)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/"])
def test_devices_and_folders_are_refused(path):
    run("seal", "-k", path, stdin=PLAIN, code=2, timeout=10)


def test_an_absent_ring(tmp_path):
    result = run("seal", "-k", tmp_path / "none.json", stdin=PLAIN, code=(1, 2))
    assert "none.json" in result.errors


KEY = cryptobox.b64(b"k" * 32)


@pytest.mark.parametrize("text, named", [
    ("", None), ("{", None), ("[]", None), ("null", None), ('{"keys": {}}', "keys"),
    ('{"keys": [], "defualt": null}', "defualt"),
    ('{"keys": [{"uri": "a", "key": "%s", "colour": 1}]}' % KEY, "colour"),
    ('{"keys": [{"uri": "a", "key": "%s"}, {"uri": "a", "key": "%s"}]}' % (KEY, KEY), "a"),
    ('{"default": {"key": "%s"}, "keys": [{"uri": "", "key": "%s"}]}' % (KEY, KEY), None),
    ('{"keys": [{"key": "%s"}]}' % KEY, "uri"), ('{"keys": [{"uri": 1, "key": "%s"}]}' % KEY, "uri"),
    ('{"keys": [{"uri": "a"}]}', None), ('{"keys": [{"uri": "a", "key": 1}]}', "key"),
    ('{"keys": [{"uri": "a", "key": "%s"}]}' % KEY[:-4], "key"), ('{"keys": [{"uri": "a", "key": "%s"}]}' % KEY.rstrip("="), "key"),
    ('{"keys": [{"uri": "a", "key": "%s"}]}' % cryptobox.b64(b"k" * 31), "key"),
    ('{"keys": [{"uri": "a", "key": "%s"}]}' % cryptobox.b64(b"k" * 33), "key"),
    ('{"keys": [{"uri": "a", "key": "%s"}]}' % ("ab" * 32), "key"),
    ('{"keys": [{"uri": "a", "key": "%s!"}]}' % KEY, "key"),
    ('{"keys": [{"uri": "a", "key": "%s", "originator_priv": "%s"}]}' % (KEY, KEY), None),
    ('{"keys": [{"uri": "a", "originator_priv": "%s"}]}' % KEY, None),
    ('{"keys": [{"uri": "a", "originator_priv": "%s", "originator_pub": "%s", "responder_priv": "%s"}]}' % (KEY, KEY, KEY), None),
    ('{"keys": [{"uri": "a", "originator_priv": "%s", "responder_pub": "%s"}]}' % (KEY, cryptobox.b64(b"\0" * 32)), None),
    ('{"version": 2, "keys": []}', "version"), ('{"keys": []} x', None), ('{"keys": [], "keys": []}', None),
    ('{"keys": [{"uri": "a", "key": "%s"}]}' % KEY + " " * 10 + "\0", None),
])
def test_what_is_no_keyring_is_refused_by_name(text, named, tmp_path):
    path = tmp_path / "bad.json"
    path.write_text(text)
    path.chmod(0o600)
    result = run("seal", "-k", path, stdin=PLAIN, code=2)
    assert "bad.json" in result.errors and result.out == b""
    assert named is None or named in result.errors.replace("bad.json", "")
    assert KEY.rstrip("=")[:30] not in result.errors


@pytest.mark.parametrize("text", [
    '{"keys": []}', '{"default": null, "keys": []}', '{"version": 1, "keys": [{"uri": "a", "key": "%s", "note": "mine"}]}' % KEY,
    '{"keys": [{"uri": "a", "key": " %s\\n"}]}' % KEY,
    '{"keys": [{"uri": "a", "originator_priv": "%s", "originator_pub": null, "responder_priv": "%s"}]}' % (KEY, KEY),
    '{"keys": [{"uri": "a", "originator_priv": "%s", "originator_pub": "%s", "responder_priv": "%s"}]}' % (
        KEY, cryptobox.b64(cryptobox.public_of(b"k" * 32)), KEY),
    '{"keys": [{"uri": "", "key": "%s"}]}' % KEY,
])
def test_what_is_a_keyring(text, tmp_path):
    path = tmp_path / "good.json"
    path.write_text(text)
    path.chmod(0o600)
    run("seal", "-k", path, stdin=PLAIN, code=0)


def test_strict_keys_refuses_one_key_for_both_roles(ring, tmp_path):
    string = cryptobox.write_ring(tmp_path / "string.json", [{"uri": "com.acme.", "key": KEY}])
    run("seal", "-k", string, stdin=PLAIN, code=0)
    assert "string.json" in run("seal", "-k", string, "--strict-keys", stdin=PLAIN, code=2).errors
    run("seal", "-k", ring, "--strict-keys", stdin=PLAIN, code=0)


def test_a_huge_ring_is_refused_in_bounded_time(tmp_path):
    path = tmp_path / "huge.json"
    with open(path, "w") as file:
        file.write('{"keys": [')
        for _ in range(300):
            file.write('{"uri": "' + "x" * 1000000 + '"},\n')
        file.write("]}")
    path.chmod(0o600)
    run("seal", "-k", path, stdin=PLAIN, code=2, timeout=20)


def test_a_deep_ring_is_refused(tmp_path):
    path = tmp_path / "deep.json"
    path.write_text('{"keys": ' + "[" * 100000 + "]" * 100000 + "}")
    path.chmod(0o600)
    run("seal", "-k", path, stdin=PLAIN, code=2)


def test_no_key_in_the_environment_or_on_the_command_line(ring):
    """Secrets come from files: the process shows none while it runs."""
    process = subprocess.Popen([PROGRAM, "seal", "-k", ring, "-f", "jsonl", "-q"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=environment())
    try:
        process.stdin.write(b'[16,1,{},"com.acme.t",[1]]\n')
        process.stdin.flush()
        process.stdout.readline()
        with open(ring) as file:
            secrets = [v for e in json.load(file)["keys"] for k, v in e.items() if k != "uri"]
        for name in ("cmdline", "environ"):
            with open("/proc/%d/%s" % (process.pid, name), "rb") as file:
                shown = file.read()
            assert not any(s.encode() in shown for s in secrets)
    finally:
        process.stdin.close()
        process.wait(20 * PATIENCE)


def test_dumps_no_core(ring, tmp_path):
    """A crash leaves no image of the keys behind, even where the shell allows core files."""
    def allow():
        _, hard = resource.getrlimit(resource.RLIMIT_CORE)
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    if resource.getrlimit(resource.RLIMIT_CORE)[1] == 0:
        pytest.skip("core files are not allowed here at all")
    process = subprocess.Popen([PROGRAM, "seal", "-k", ring, "-f", "jsonl", "-q"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                               env=environment(), cwd=tmp_path, preexec_fn=allow)
    try:
        process.stdin.write(b'[16,1,{},"com.acme.t",[1]]\n')
        process.stdin.flush()
        process.stdout.readline()
        with open("/proc/%d/limits" % process.pid) as file:
            core = [line for line in file if line.startswith("Max core file size")][0].split()[4:6]
        assert core[0] == "0", core
    finally:
        process.stdin.close()
        process.wait(20 * PATIENCE)
