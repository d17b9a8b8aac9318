"""What passes and what fails: --on-error, --rejects, --strict, --lossless, and the counts of a run."""

import json
import os

import pytest

import cryptobox
import wire
from program import run
from wire import CALL, ERROR, EVENT, INVOCATION, PUBLISH, RESULT, YIELD

pytestmark = pytest.mark.sanitized

ACME = cryptobox.Pair("com.acme.")
OTHER = cryptobox.Pair("com.other.")
SERS = ["json", "msgpack", "cbor"]


def stream(messages, ser="json"):
    return wire.rawsocket([wire.dump(ser, m) for m in messages], ser)


def publish(n, uri="com.acme.t"):
    return [PUBLISH, n, {}, uri, [n]]


def sealed(n, uri="com.acme.t", pair=ACME):
    return cryptobox.seal(publish(n, uri), pair.shared, uri)


def damaged(n):
    message = sealed(n)
    message[-1] = message[-1][:-1] + bytes([message[-1][-1] ^ 1])
    return message


# --- sealing: clear or not -----------------------------------------------------------------------

def test_no_key_passes_in_clear_and_is_counted(ring):
    plain = stream([publish(1), publish(2, "org.x"), publish(3)])
    result = run("seal", "-k", ring, "--json", stdin=plain, code=0)
    counts = result.json_err()
    assert counts["clear"]["no_key"] == 1 and counts["sealed"] == 2 and counts["messages"] == 3
    messages = [wire.load("json", b) for b in wire.split_rawsocket(result.out)]
    assert [wire.is_sealed(m) for m in messages] == [True, False, True]


@pytest.mark.parametrize("message", [
    [EVENT, 1, 2, {}, [1]], [INVOCATION, 1, 2, {}, [1]], [YIELD, 9, {}, [1]], [RESULT, 9, {}, [1]]], ids=lambda m: wire.NAMES[m[0]])
def test_unknown_uri_with_a_payload_is_a_loss(message, ring):
    plain = stream([publish(1), message])
    result = run("seal", "-k", ring, "--json", stdin=plain, code=3)
    assert result.json_err()["clear"]["unknown_uri"] == 1
    assert wire.split_rawsocket(result.out)[1] == wire.dump("json", message)
    strict = run("seal", "-k", ring, "--strict", "--json", stdin=plain, code=5)
    assert strict.json_err()["failed"] == {"unknown_uri": 1}


@pytest.mark.parametrize("message", [[EVENT, 1, 2, {}], [RESULT, 9, {}]], ids=["EVENT", "RESULT"])
def test_unknown_uri_without_a_payload_is_no_loss(message, ring):
    plain = stream([message])
    result = run("seal", "-k", ring, stdin=plain)
    # An absent payload is sealed where the URI is known; here there is nothing to keep from anybody.
    assert result.code == 0 and result.out == plain, result


def test_strict_refuses_a_uri_without_key(ring):
    result = run("seal", "-k", ring, "--strict", "--json", stdin=stream([publish(1), publish(2, "org.x")]), code=5)
    assert result.json_err()["failed"] == {"no_key": 1}


def test_strict_refuses_a_missing_role(tmp_path):
    half = cryptobox.write_ring(tmp_path / "half.json", [ACME.entry("responder")])
    plain = stream([publish(1)])
    lax = run("seal", "-k", half, "--json", stdin=plain, code=0)
    assert lax.json_err()["clear"]["no_role"] == 1 and lax.out == plain
    assert run("seal", "-k", half, "--strict", "--json", stdin=plain, code=5).json_err()["failed"] == {"no_role": 1}


def test_entry_without_the_role_hides_shorter_ones(tmp_path):
    longer = dict(ACME.entry("responder"), uri="com.acme.t")
    ring = cryptobox.write_ring(tmp_path / "r.json", [ACME, longer], default=cryptobox.Pair(None, "d"))
    plain = stream([publish(1)])
    assert run("seal", "-k", ring, stdin=plain, code=0).out == plain


@pytest.mark.parametrize("ser, odd", [
    ("msgpack", b"\x95\x10\x01\x80\xaacom.acme.t\x91\xca\x3f\x80\x00\x00"),       # float32
    ("msgpack", b"\x95\x10\x01\x80\xaacom.acme.t\x91\xcd\x00\x01"),               # 1 in 16 bits
    ("cbor", b"\x85\x10\x01\xa0\x6acom.acme.t\x81\xf9\x3c\x00"),                  # float16
    ("cbor", b"\x85\x10\x01\xa0\x6acom.acme.t\x9f\x01\xff"),                      # indefinite list
    ("json", b'[16,1,{},"com.acme.t",[1E2]]'),
    ("json", b'[16,1,{},"com.acme.t", [1] ]'),
    ("json", b'[16,1,{},"com.acme.t",["\\u0041"]]'),
], ids=lambda x: x if isinstance(x, str) else "")
def test_lossless_refuses_what_would_come_back_in_other_bytes(ser, odd, ring):
    plain = wire.rawsocket([odd], ser)
    lax = run("seal", "-k", ring, "--json", stdin=plain, code=0)
    assert lax.json_err()["reencoded"] == 1 and lax.json_err()["sealed"] == 1
    back = run("open", "-k", ring, stdin=lax.out, code=0).out
    assert back != plain and wire.same(wire.load(ser, wire.split_rawsocket(back)[0]), wire.load(ser, odd))
    strict = run("seal", "-k", ring, "--lossless", "--json", stdin=plain, code=(4, 5))
    assert strict.json_err()["failed"] == {"not_lossless": 1} and wire.nothing(strict.out)


@pytest.mark.parametrize("ser", SERS)
def test_lossless_lets_canonical_bytes_through(ser, ring):
    plain = stream([publish(1), [CALL, 1, {}, "com.acme.p", [], {"a": 1.5}], [CALL, 2, {}, "com.acme.p"]], ser)
    out = run("seal", "-k", ring, "--lossless", "--json", stdin=plain, code=0)
    assert out.json_err()["sealed"] == 3 and out.json_err()["reencoded"] == 0
    assert run("open", "-k", ring, stdin=out.out, code=0).out == plain


@pytest.mark.parametrize("ser", SERS)
def test_foreign_payloads_are_left_alone(ser, ring):
    messages = [
        [PUBLISH, 1, {"enc_algo": "mqtt", "enc_serializer": "json"}, "com.acme.t", b"abc"],
        [PUBLISH, 2, {"enc_algo": "x_mine"}, "com.acme.t", b"abc"],
        [PUBLISH, 3, {}, "com.acme.t", b"raw pass-through"],
        [PUBLISH, 4, {}, "com.acme.t", b""],
        [PUBLISH, 5, {"ppt_scheme": "wamp", "ppt_serializer": "cbor"}, "com.acme.t", [b"\xa0"]],
    ]
    plain = stream(messages, ser)
    for verb in ("seal", "open"):
        result = run(verb, "-k", ring, "--json", stdin=plain, code=0)
        assert result.out == plain and result.json_err()["foreign"] == 5, verb


@pytest.mark.parametrize("ser", SERS)
def test_enc_keys_over_a_list_are_replaced_when_sealing(ser, ring):
    message = [PUBLISH, 1, {"enc_algo": "cryptobox", "enc_serializer": "json", "a": 1}, "com.acme.t", [1]]
    result = run("seal", "-k", ring, "--json", stdin=stream([message], ser), code=0)
    got = wire.load(ser, wire.split_rawsocket(result.out)[0])
    assert list(got[2]) == ["a", "enc_algo", "enc_serializer"] and wire.is_sealed(got)
    assert result.json_err()["reencoded"] == 1


# --- opening -------------------------------------------------------------------------------------

def test_plain_messages_pass_open_untouched(ring):
    plain = stream([publish(1), publish(2, "org.x"), [EVENT, 5, 6, {}, [1]]])
    assert run("open", "-k", ring, stdin=plain, code=0).out == plain


def test_partly_sealed(ring):
    mixed = stream([sealed(1), publish(2), sealed(3), publish(4, "org.x")])
    result = run("open", "-k", ring, "--json", stdin=mixed, code=0)
    assert result.out == stream([publish(1), publish(2), publish(3), publish(4, "org.x")])
    assert (result.json_err()["opened"], result.json_err()["plain"]) == (2, 2)


def test_unknown_uri_is_opened_by_trial_and_said_so(tmp_path):
    ring = cryptobox.write_ring(tmp_path / "two.json", [OTHER, ACME])
    event = cryptobox.seal([EVENT, 1, 2, {}, [1]], ACME.shared, "com.acme.t")
    result = run("open", "-k", ring, "--json", stdin=stream([event]), code=0)
    assert result.out == stream([[EVENT, 1, 2, {}, [1]]]) and result.json_err()["trusted_by_key"] == 1


def test_trial_wants_the_ring_to_select_the_same_key_for_the_uri_inside(tmp_path):
    ring = cryptobox.write_ring(tmp_path / "two.json", [OTHER, ACME])
    event = cryptobox.seal([EVENT, 1, 2, {}, [1]], ACME.shared, "com.other.t")
    result = run("open", "-k", ring, "--json", stdin=stream([event]), code=5)
    assert wire.nothing(result.out) and result.json_err()["failed"] == {"uri_mismatch": 1}


def test_missing_key(ring):
    result = run("open", "-k", ring, "--json", stdin=stream([sealed(1), sealed(2, "com.other.t", OTHER)]), code=5)
    assert result.json_err()["failed"] == {"no_key": 1}


def test_wrong_ring(tmp_path):
    wrong = cryptobox.write_ring(tmp_path / "wrong.json", [cryptobox.Pair("com.acme.", "another")])
    result = run("open", "-k", wrong, "--json", stdin=stream([sealed(1)]), code=5)
    assert wire.nothing(result.out) and result.json_err()["failed"] == {"bad_tag": 1}


def test_epochs_and_ambiguous_keys(ring, tmp_path):
    newer = cryptobox.write_ring(tmp_path / "newer.json", [cryptobox.Pair("com.acme.", "newer")])
    mixed = stream([sealed(1), sealed(2, pair=cryptobox.Pair("com.acme.", "newer"))])
    assert run("open", "-k", ring, "-k", newer, stdin=mixed, code=0).out == stream([publish(1), publish(2)])
    # The same key in two rings is one key.
    assert run("open", "-k", ring, "-k", ring, stdin=stream([sealed(1)]), code=0).out == stream([publish(1)])


@pytest.mark.parametrize("ser", ["msgpack"])
def test_value_that_the_serializer_cannot_carry(ser, ring):
    message = [PUBLISH, 1, {"enc_algo": "cryptobox", "enc_serializer": "json"}, "com.acme.t",
               cryptobox.box(ACME.shared, b"n" * 24, cryptobox.plaintext("com.acme.t", [2**70], None))]
    recording = stream([message], ser)
    result = run("open", "-k", ring, "--json", stdin=recording, code=4)
    assert result.json_err()["failed"] == {"not_representable": 1}
    kept = run("open", "-k", ring, "--on-error", "pass", stdin=recording, code=3)
    assert kept.out == recording, "--on-error pass keeps it sealed"
    assert run("cat", "-k", ring, stdin=recording, code=0).lines()[0]["args"] == [2**70]


# --- --on-error ----------------------------------------------------------------------------------

BAD = [sealed(0), publish(1), damaged(2), sealed(3), sealed(4, "com.other.t", OTHER), damaged(5), publish(6)]


@pytest.mark.parametrize("threads", [1, 4])
def test_stop_leaves_no_output_and_gives_the_first_failures_code(threads, ring, tmp_path):
    source = tmp_path / "in.rs"
    source.write_bytes(stream(BAD))
    result = run("open", "-k", ring, source, "-o", tmp_path / "out.rs", "-j", threads, code=5)
    assert sorted(os.listdir(tmp_path)) == ["in.rs", "ring.json"]
    assert "in.rs" in result.errors and "message 2 at byte" in result.errors and "PUBLISH com.acme.t" in result.errors
    offset = 4 + sum(4 + len(wire.dump("json", m)) for m in BAD[:2])
    assert "at byte %d " % offset in result.errors


def test_stop_on_a_pipe_gives_whole_messages_and_the_last_good_number(ring):
    result = run("open", "-k", ring, stdin=stream(BAD), code=5)
    whole = stream([publish(0), publish(1)])
    assert whole.startswith(result.out)
    last = result.errors.strip().split("\n")[-1]
    if len(result.out) > 4:
        assert str(len(wire.split_rawsocket(result.out)) - 1) in last, last


@pytest.mark.parametrize("threads", [1, 4])
def test_skip_drops_and_rejects_tell_why(threads, ring, tmp_path):
    source, rejects = tmp_path / "in.rs", tmp_path / "rejects.trace.jsonl"
    source.write_bytes(stream(BAD, "cbor"))
    result = run("open", "-k", ring, source, "-o", tmp_path / "out.rs", "--on-error", "skip", "--rejects", rejects, "--json",
                 "-j", threads, code=3)
    assert (tmp_path / "out.rs").read_bytes() == stream([publish(0), publish(1), publish(3), publish(6)], "cbor")
    counts = result.json()
    assert counts["skipped"] == 3 and counts["failed"] == {"bad_tag": 2, "no_key": 1} and counts["exit"] == 3
    lines = wire.lines_of(rejects.read_bytes())
    bodies = [wire.trace_body(line) for line in lines]
    assert bodies == [("cbor", wire.dump("cbor", BAD[i])) for i in (2, 4, 5)]
    text = [json.dumps(line) for line in lines]
    assert "bad_tag" in text[0] and "no_key" in text[1] and "bad_tag" in text[2]
    # Rejects are a trace recording: what failed can be tried again, with the ring that was missing.
    again = cryptobox.write_ring(tmp_path / "other.json", [OTHER])
    retry = run("open", "-k", again, rejects, "--on-error", "skip", "--json", "-o", tmp_path / "x.trace.jsonl", code=3)
    assert retry.json()["opened"] == 1


@pytest.mark.parametrize("threads", [1, 4])
def test_pass_keeps_the_input_bytes(threads, ring):
    result = run("open", "-k", ring, "--on-error", "pass", "--json", "-j", threads, stdin=stream(BAD, "msgpack"), code=3)
    want = [publish(0), publish(1), BAD[2], publish(3), BAD[4], BAD[5], publish(6)]
    assert result.out == stream(want, "msgpack") and result.json_err()["passed"] == 3


def test_seal_that_passes_warns_of_plaintext(ring):
    plain = stream([publish(1), publish(2, "org.x")])
    result = run("seal", "-k", ring, "--strict", "--on-error", "pass", stdin=plain, code=3)
    assert "warning" in result.errors and ("plain" in result.errors or "clear" in result.errors)
    assert [wire.is_sealed(wire.load("json", b)) for b in wire.split_rawsocket(result.out)] == [True, False]


def test_malformed_message_among_good_ones(ring):
    """A frame whose body breaks its serializer's rules."""
    bodies = [wire.dump("msgpack", publish(0)), b"\x95\x10\x01\x80\xaacom.acme.t\x91\xc1", wire.dump("msgpack", publish(2))]
    plain = wire.rawsocket(bodies, "msgpack")
    result = run("seal", "-k", ring, "--json", stdin=plain, code=4)
    assert result.json_err()["failed"] == {"malformed": 1}
    skipped = run("seal", "-k", ring, "--on-error", "skip", stdin=plain, code=3).out
    assert len(wire.split_rawsocket(skipped)) == 2
    passed = wire.split_rawsocket(run("seal", "-k", ring, "--on-error", "pass", stdin=plain, code=3).out)
    assert passed[1] == bodies[1] and len(passed) == 3


def test_too_big_for_its_framing(ring):
    size = (1 << 24) - 100
    plain = wire.rawsocket([wire.dump("msgpack", publish(0)), wire.dump("msgpack", [PUBLISH, 1, {}, "com.acme.t", ["x" * size]])],
                           "msgpack")
    result = run("seal", "-k", ring, "--json", stdin=plain, code=(4, 5))
    assert result.json_err()["failed"] == {"too_big": 1}


# --- dry run and the summary ---------------------------------------------------------------------

def test_dry_run_counts_and_writes_nothing(ring, tmp_path):
    source = tmp_path / "in.rs"
    source.write_bytes(stream([publish(1), publish(2, "org.x")]))
    result = run("seal", "-k", ring, source, "-o", tmp_path / "out.rs", "--dry-run", "--json", code=0)
    assert sorted(os.listdir(tmp_path)) == ["in.rs", "ring.json"]
    counts = json.loads((result.out or result.err).decode().strip().split("\n")[-1])
    assert counts["sealed"] == 1 and counts["clear"]["no_key"] == 1
    assert run("seal", "-k", ring, source, "--dry-run", code=0).out == b""


def test_json_is_one_object_and_the_last_of_its_stream(ring, tmp_path):
    source = tmp_path / "in.rs"
    source.write_bytes(stream([publish(1), publish(2, "org.x")]))
    to_file = run("seal", "-k", ring, source, "-o", tmp_path / "out.rs", "--json", code=0)
    assert to_file.err == b"" and to_file.out.count(b"\n") == 1
    to_pipe = run("seal", "-k", ring, source, "--json", code=0)
    assert to_pipe.err.count(b"\n") == 1 and wire.split_rawsocket(to_pipe.out)
    for counts in (to_file.json(), to_pipe.json_err()):
        assert counts["schema"] == 1 and counts["verb"] == "seal" and counts["exit"] == 0
        assert counts["messages"] == 2 and counts["sealed"] == 1 and counts["failed"] == {}
        assert counts["bytes_in"] == source.stat().st_size
        assert counts["bytes_out"] == (tmp_path / "out.rs").stat().st_size
        assert counts["seconds"] >= 0 and counts["messages_per_second"] > 0
    failed = run("open", "-k", ring, "--json", "-o", tmp_path / "o2.rs", stdin=stream(BAD), code=5)
    counts = json.loads((failed.out or failed.err).decode().strip().split("\n")[-1])
    assert counts["exit"] == 5 and "message" in counts["error"]


def test_summary_on_stderr_and_quiet(ring):
    plain = stream([publish(1), publish(2, "org.x")])
    said = run("seal", "-k", ring, stdin=plain, code=0).errors
    assert "2 messages" in said and "1 sealed" in said and "no key" in said and "bytes in" in said
    assert run("seal", "-k", ring, "-q", stdin=plain, code=0).err == b""
    assert b"\r" not in run("seal", "-k", ring, stdin=plain).err, "no progress line without a terminal"


def test_verbose_says_what_was_chosen(ring):
    said = run("seal", "-k", ring, "-v", "--kernel", "portable", stdin=stream([publish(1)]), code=0).errors
    assert "portable" in said


CANARY = "canary-7f3a-plaintext"


def test_errors_hold_no_plaintext_and_no_key(ring, tmp_path):
    # Authentic, of a wrong type inside: the plaintext is known when the error is made.
    text = ('{"uri":"com.acme.t","args":"%s","kwargs":null}' % CANARY).encode()
    bad = ('{"uri":"com.acme.t","args":["%s"' % CANARY).encode()
    for inner in (text, bad):
        message = [PUBLISH, 1, {"enc_algo": "cryptobox", "enc_serializer": "json"}, "com.acme.t",
                   cryptobox.box(ACME.shared, b"n" * 24, inner)]
        for verb in ("open", "verify", "cat"):
            result = run(verb, "-k", ring, "-v", stdin=stream([message]), code=(4, 5, 3, 0))
            assert CANARY.encode() not in result.err
            assert verb == "cat" or CANARY.encode() not in result.out
            with open(ring) as file:
                for entry in json.load(file)["keys"]:
                    for name, value in entry.items():
                        assert name == "uri" or value.encode() not in result.err + result.out
