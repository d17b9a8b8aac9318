"""Help, version, and what a user is told who typed the wrong word."""

import re

import pytest

from program import run

VERBS = ["keygen", "keyring", "seal", "open", "rekey", "verify", "convert", "info", "cat", "gen",
         "bench"]
STREAMING = ["seal", "open", "rekey", "verify", "convert", "cat"]


@pytest.mark.parametrize("words", [(), ("help",), ("--help",), ("-h",)])
def test_overview_goes_to_stdout_and_names_every_verb(words):
    result = run(*words, code=0)
    assert result.err == b""
    text = result.out.decode()
    for verb in VERBS:
        assert re.search(r"^\s+%s\s+\S" % verb, text, re.M), verb


def test_version():
    result = run("--version", code=0)
    assert re.fullmatch(rb"boxcar \d+\.\d+\.\d+[^\n]*\n", result.out) and result.err == b""


@pytest.mark.parametrize("verb", VERBS)
def test_a_verbs_page(verb):
    page = run("help", verb, code=0)
    assert page.err == b""
    text = page.out.decode()
    assert text.startswith("usage: boxcar %s" % verb)
    assert "example" in text.lower() and "boxcar %s" % verb in text.lower().split("example", 1)[1]
    assert run(verb, "--help", code=0).out == page.out
    assert run(verb, "-h", code=0).out == page.out


@pytest.mark.parametrize("verb", STREAMING)
def test_shared_options_stand_on_the_page(verb):
    text = run("help", verb, code=0).out.decode()
    for option in ["--keyring", "--threads", "--json", "--progress", "--io", "--kernel", "--from"]:
        if option == "--keyring" and verb == "convert":
            continue
        assert option in text, option
    if verb in ("seal", "open", "rekey", "convert"):
        for option in ["--force", "--to", "--output"]:
            assert option in text, option
    if verb in ("seal", "open", "rekey"):
        for option in ["--on-error", "--rejects", "--strict"]:
            assert option in text, option


@pytest.mark.parametrize("typed, meant", [
    ("seel", "seal"), ("opne", "open"), ("verfy", "verify"), ("keyrings", "keyring"), ("inof", "info")])
def test_unknown_verb_names_it_and_the_nearest(typed, meant):
    result = run(typed, code=2)
    assert result.out == b""
    assert typed in result.errors and re.search(r"\b%s\b" % meant, result.errors)


def test_unknown_verb_in_help():
    result = run("help", "seel", code=2)
    assert result.out == b"" and "seel" in result.errors and "seal" in result.errors


@pytest.mark.parametrize("typed, meant", [
    ("--keyrng", "--keyring"), ("--thread", "--threads"), ("--forse", "--force"), ("--on-eror", "--on-error")])
def test_unknown_option_names_it_and_the_nearest(typed, meant):
    result = run("seal", typed, "x", code=2)
    assert result.out == b""
    assert typed in result.errors and meant in result.errors


def test_word_that_resembles_nothing():
    result = run("qqqqqqqqqq", code=2)
    assert "qqqqqqqqqq" in result.errors


@pytest.mark.parametrize("words", [
    ("seal", "--threads", "many"), ("seal", "--threads", "-1"), ("seal", "--on-error", "explode"),
    ("seal", "--kernel", "mmx"), ("seal", "--io", "carrier-pigeon"), ("seal", "--progress", "sometimes"),
    ("seal", "--nonce", "zero"), ("seal", "--from", "flac"), ("seal", "--to", "flac"), ("seal", "-k"),
    ("seal", "--threads"), ("cat", "--match", "regex"), ("cat", "--limit", "x"), ("cat", "--type", "PUBLISHED_"),
    ("gen", "--messages", "1e"), ("convert", "--dir", "sideways")])
def test_bad_values_are_usage_errors(words, ring, tmp_path):
    more = () if "-k" in words or words[0] in ("gen", "convert") else ("-k", ring)
    result = run(*words, *more, stdin=b"[16,1,{},\"com.acme.x\"]\n", code=2)
    assert result.out == b""
    assert result.errors.startswith("boxcar: error: ")


@pytest.mark.parametrize("typed, meant", [("jsonll", "jsonl"), ("msgpak", "msgpack"), ("rawsoket", "rawsocket")])
def test_unknown_format_names_the_nearest(typed, meant, ring):
    result = run("seal", "-k", ring, "-f", typed, code=2)
    assert typed in result.errors and meant in result.errors


def test_error_lines_have_their_form(ring, tmp_path):
    result = run("seal", "-k", ring, tmp_path / "absent.rs", code=1)
    lines = result.errors.strip().split("\n")
    assert lines[0].startswith("boxcar: error: ") and "absent.rs" in lines[0]
    for line in lines:
        # The closing summary comes last.
        assert line.startswith(("boxcar: error: ", "boxcar: hint: ", "boxcar: seal: 0 messages")), line
        assert not line.endswith(".")


def test_seal_without_keyring_is_a_usage_error():
    result = run("seal", stdin=b"[16,1,{},\"a\",[]]\n", code=2)
    assert "keyring" in result.errors


def test_untrusted_text_is_escaped(ring, tmp_path):
    name = tmp_path / "x\x1b[31mred\nboxcar: hint: lie.rs"
    result = run("open", "-k", ring, name, code=1)
    assert b"\x1b" not in result.err
    assert not any(line.startswith("boxcar: hint: lie") for line in result.errors.split("\n"))
