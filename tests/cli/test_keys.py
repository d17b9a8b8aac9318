"""keygen and keyring: what they print and write, and that peers given the halves understand each other."""

import base64
import json
import os
import re
import stat

import nacl.bindings as sodium
import pytest

import cryptobox
from program import run

PAIR = cryptobox.Pair("com.acme.")


def mode_of(path):
    return stat.S_IMODE(os.stat(path).st_mode)


def read(path):
    with open(path) as f:
        return json.load(f)


def write(path, value, mode=0o600):
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    path.chmod(mode)
    return path


# --- keygen ---

def test_cryptobox_is_one_json_object():
    first, second = (run("keygen", "--cryptobox", code=0) for _ in range(2))
    keys = json.loads(first.out)
    assert set(keys) == {"priv", "pub"} and first.err == b"" and first.out != second.out
    private, public = (base64.b64decode(keys[k], validate=True) for k in ("priv", "pub"))
    assert len(private) == 32 and sodium.crypto_scalarmult_base(private) == public


def test_archive_is_one_text_line_each():
    lines = run("keygen", "--archive", code=0).out.decode().splitlines()
    assert len(lines) == 2
    assert re.fullmatch("boxcar1[02-9ac-hj-np-z]{58}", lines[0])
    assert re.fullmatch("BOXCAR-SECRET-KEY-1[02-9AC-HJ-NP-Z]{58}", lines[1])


@pytest.mark.parametrize("kind", ["--archive", "--sign", "--cryptobox"])
def test_secret_goes_to_a_private_file(kind, tmp_path):
    path = tmp_path / "me.key"
    result = run("keygen", kind, "-o", path, code=0)
    text = path.read_text()
    public = result.out.decode().strip()
    assert mode_of(path) == 0o600 and public in text
    if kind == "--archive":
        assert "# public key: %s\n" % public in text and text.splitlines()[-1].startswith("BOXCAR-SECRET-KEY-1")
        assert b"BOXCAR-SECRET" not in result.out + result.err
    again = run("keygen", kind, "-o", path, code=2)
    assert "exists" in again.errors and "--force" in again.errors and path.read_text() == text
    run("keygen", kind, "-o", path, "--force", code=0)
    assert path.read_text() != text and mode_of(path) == 0o600


@pytest.mark.parametrize("words", [[], ["--sign", "--archive"], ["--cryptobox", "x"]])
def test_keygen_usage(words):
    assert run("keygen", *words, code=2).out == b""


# --- keyring add, rm, list, which ---

def test_add_makes_a_ring_that_seals(tmp_path):
    ring = tmp_path / "ring.json"
    added = run("keyring", "add", ring, "com.acme.", "--json", code=0)
    assert mode_of(ring) == 0o600 and added.json()["created"] is True
    entry, = read(ring)["keys"]
    assert set(entry) == {"uri", "originator_priv", "responder_priv"} and entry["uri"] == "com.acme."
    assert not any(entry[k] in added.out.decode() + added.errors for k in entry if k.endswith("priv"))
    run("keyring", "add", ring, "com.acme.b.", "--string", "--note", "für \"b\"", code=0)
    run("keyring", "add", ring, "--default", code=0)
    text = read(ring)
    assert [sorted(e) for e in text["keys"]] == [["originator_priv", "responder_priv", "uri"], ["key", "note", "uri"]]
    assert text["keys"][1]["note"] == "für \"b\"" and sorted(text["default"]) == ["originator_priv", "responder_priv"]
    run("keyring", "add", ring, "com.acme.", code=2)
    run("keyring", "add", ring, "--default", code=2)
    assert read(ring) == text

    listed = run("keyring", "list", ring, "--json", code=0).json()["entries"]
    assert [(e["uri"], e["string"], e["default"]) for e in listed] == [
        ("com.acme.", False, False), ("com.acme.b.", True, False), ("", False, True)]
    secret = base64.b64decode(entry["originator_priv"])
    assert listed[0]["originator_pub"] == base64.b64encode(sodium.crypto_scalarmult_base(secret)).decode()

    run("keyring", "rm", ring, "com.acme.", code=0)
    run("keyring", "rm", ring, "com.acme.", code=2)
    run("keyring", "rm", ring, "--default", code=0)
    assert [e["uri"] for e in read(ring)["keys"]] == ["com.acme.b."] and not read(ring)["default"]
    assert mode_of(ring) == 0o600


def test_add_from_a_file(tmp_path):
    ring = tmp_path / "ring.json"
    keys = PAIR.entry("originator")
    del keys["uri"]
    given = write(tmp_path / "keys.json", dict(keys, originator_pub=None, responder_priv=None))
    run("keyring", "add", ring, "com.acme.", "--from", given, code=0)
    assert read(ring)["keys"] == [dict(keys, uri="com.acme.")]
    for bad in ({"priv": keys["originator_priv"]}, [], {}, dict(keys, uri="x")):
        write(given, bad)
        refused = run("keyring", "add", ring, "b.", "--from", given, code=2)
        assert keys["originator_priv"] not in refused.errors
    write(given, keys, 0o644)
    assert "chmod 600" in run("keyring", "add", ring, "b.", "--from", given, code=2).errors
    assert len(read(ring)["keys"]) == 1


def test_which(tmp_path):
    ring = cryptobox.write_ring(tmp_path / "ring.json", [PAIR])
    answer = run("keyring", "which", "com.acme.temp", "-k", ring, code=0)
    assert re.search(r"com\.acme\.temp.*com\.acme\..*originator.*responder", answer.out.decode())
    entry = run("keyring", "which", "com.acme.temp", "-k", ring, "--json", code=0).json()["entry"]
    assert entry["uri"] == "com.acme." and entry["roles"] == ["originator", "responder"]
    assert run("keyring", "which", "com.acm", "-k", ring, "--json", code=5).json()["entry"] is None
    # A URI with escape sequences does not reach the terminal as it is.
    hostile = run("keyring", "which", "com.acme.\x1b[31m", "-k", ring, code=0)
    assert b"\x1b" not in hostile.out


def test_lax_modes(tmp_path):
    ring = cryptobox.write_ring(tmp_path / "ring.json", [PAIR])
    os.chmod(ring, 0o640)
    for words in (["list", ring], ["which", "a", "-k", ring], ["add", ring, "b."], ["rm", ring, "com.acme."],
                  ["split", ring]):
        assert "chmod 600 %s" % ring in run("keyring", *words, code=2).errors
    assert "chmod 600" in run("keyring", "list", ring, "--insecure-key-modes", code=0).errors
    found = run("keyring", "check", ring, "--json", code=3).json()["findings"]
    assert [f["kind"] for f in found] == ["lax-file"]


# --- keyring check, split ---

@pytest.mark.parametrize("entries, kinds", [
    ([PAIR.entry()], []),
    ([dict(PAIR.entry(), uri="com.acme")], ["open-prefix"]),
    ([PAIR.entry(), PAIR.entry()], ["duplicate"]),
    ([PAIR.entry("public")], ["public-only"]),
    ([PAIR.entry(), dict(PAIR.entry("originator"), uri="com.acme.b.")], ["hides-role"]),
    ([dict(PAIR.entry(), originator_priv="AAAA"), dict(PAIR.entry(), uri="b.", x=1)], ["bad-key", "malformed"]),
    ([{"uri": "a.", "key": cryptobox.b64(bytes(32))}], ["string-key"]),
])
def test_check(entries, kinds, tmp_path):
    ring = write(tmp_path / "ring.json", {"keys": entries})
    found = run("keyring", "check", ring, "--json", code=3 if kinds else 0).json()["findings"]
    assert [f["kind"] for f in found] == kinds
    text = run("keyring", "check", ring, code=3 if kinds else 0).out.decode()
    assert all(re.search(r"^%s:\d+: %s: " % (re.escape(str(ring)), kind), text, re.M) for kind in kinds)


def test_check_of_what_is_no_keyring(tmp_path):
    for text in ("", "[]", "{", "\x00"):
        run("keyring", "check", write(tmp_path / "ring.json", text), code=2)


def test_split_gives_rings_for_peers(tmp_path):
    ring = cryptobox.write_ring(tmp_path / "ring.json", [PAIR])
    parts = run("keyring", "split", ring, "--json", code=0).json()
    for side in ("originator", "responder", "public"):
        assert parts[side] == str(tmp_path / ("ring.%s.json" % side)) and mode_of(parts[side]) == 0o600
        assert read(parts[side])["keys"] == [PAIR.entry(side)]
    run("keyring", "split", ring, code=2)
    (tmp_path / "out").mkdir()
    run("keyring", "split", ring, "-o", str(tmp_path / "out") + "/", code=0)
    assert sorted(os.listdir(tmp_path / "out")) == ["ring.originator.json", "ring.public.json", "ring.responder.json"]


def test_halves_understand_each_other(tmp_path):
    ring = cryptobox.write_ring(tmp_path / "ring.json", [PAIR])
    parts = run("keyring", "split", ring, "--json", code=0).json()
    plain = b'[16,1,{},"com.acme.temp",[1,"two"],{"k":null}]\n'
    sealed = run("seal", "-f", "jsonl", "-k", parts["originator"], stdin=plain, code=0).out
    assert b"two" not in sealed and b'"enc_algo":"cryptobox"' in sealed
    assert run("open", "-f", "jsonl", "-k", parts["responder"], stdin=sealed, code=0).out == plain
    # The responder half has not the role to seal a PUBLISH; the public part opens nothing.
    assert run("seal", "-f", "jsonl", "-k", parts["responder"], stdin=plain, code=0).out == plain
    run("open", "-f", "jsonl", "-k", parts["public"], stdin=sealed, code=5)


@pytest.mark.parametrize("words", [[], ["lst"], ["add"], ["add", "r"], ["add", "r", "a", "b"],
                                   ["add", "r", "a", "--default"], ["which", "-k", "r"], ["list"]])
def test_keyring_usage(words, tmp_path):
    result = run("keyring", *words, code=2, cwd=tmp_path)
    assert result.out == b"" and ("hint" in result.errors or "give a URI" in result.errors)
    assert os.listdir(tmp_path) == []
