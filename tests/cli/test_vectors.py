"""The known answers of cryptobox-vectors.json (made by Autobahn) through the program."""

import json
import os

import pytest

import cryptobox
import wire
from program import DATA, run
from wire import CALL, ERROR, EVENT, INVOCATION, PUBLISH, REGISTER, REGISTERED, RESULT, SUBSCRIBE, SUBSCRIBED, YIELD

with open(os.path.join(DATA, "cryptobox-vectors.json")) as file:
    ALL = json.load(file)
SERIALIZERS = ["json", "msgpack", "cbor"]
VECTORS = [v for v in ALL["vectors"] if v["serializer"] in SERIALIZERS]
KEYSETS = sorted({v["keyset"] for v in VECTORS})


def plain_value(value):
    """A value as the vectors spell it ({"$bytes"}, {"$float"}) to what Python has for it."""
    if isinstance(value, dict):
        if set(value) == {"$bytes"}:
            return bytes.fromhex(value["$bytes"])
        if set(value) == {"$float"}:
            return float(value["$float"])
        return {k: plain_value(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain_value(v) for v in value]
    return value


def before(message, uri):
    """The messages that tell the URI of `message`, as a recording would hold them before it."""
    kind = message[0]
    if kind == EVENT and "topic" not in message[3]:
        return [[SUBSCRIBE, 1, {}, uri], [SUBSCRIBED, 1, message[1]]]
    if kind == INVOCATION and "procedure" not in message[3]:
        return [[REGISTER, 1, {}, uri], [REGISTERED, 1, message[2]]]
    if kind == YIELD:
        return [[REGISTER, 1, {}, uri], [REGISTERED, 1, 55], [INVOCATION, message[1], 55, {}]]
    if kind == RESULT:
        return [[CALL, message[1], {}, uri]]
    return []


def trace_of(vectors, which):
    """A trace with each vector on a connection of its own, and the record numbers of the vectors."""
    lines, numbers = [], []
    for conn, v in enumerate(vectors):
        body = bytes.fromhex(v[which])
        for message in before(wire.load(v["serializer"], bytes.fromhex(v["sealed_message_hex"])), v["uri"]):
            lines.append(wire.trace_line(wire.dump(v["serializer"], message), v["serializer"], conn=conn))
        numbers.append(len(lines))
        lines.append(wire.trace_line(body, v["serializer"], conn=conn))
    return "".join(lines).encode(), numbers


def ring_of(tmp_path, keys, uri=""):
    entry = {k: x for k, x in keys.items() if x}
    return cryptobox.write_ring(tmp_path / "vector.json", [], default=entry)


@pytest.mark.parametrize("keyset", KEYSETS)
def test_every_sealed_message_opens_to_its_values(keyset, tmp_path):
    vectors = [v for v in VECTORS if v["keyset"] == keyset]
    assert len(vectors) > 50
    ring = ring_of(tmp_path, vectors[0]["open_keys"])
    trace, numbers = trace_of(vectors, "sealed_message_hex")
    lines = {line["n"]: line for line in run("cat", "-k", ring, "-f", "trace", stdin=trace, code=0).lines()}
    for v, n in zip(vectors, numbers):
        line = lines[n]
        assert line["sealed"] is True and line["opened"] is True, v["id"]
        assert line["uri"] == v["uri"] and line["type"] == v["message"], v["id"]
        args, kwargs = wire.from_json(line.get("args")), wire.from_json(line.get("kwargs"))
        assert wire.same_payload(args, kwargs, plain_value(v["opened_args"]), plain_value(v["opened_kwargs"])), v["id"]


# Autobahn itself writes these two plain messages, and its parser refuses what it wrote; a plain form
# of the huge integers does not exist in MessagePack.
@pytest.mark.parametrize("keyset", KEYSETS)
def test_sealed_messages_open_to_the_plain_messages_byte_for_byte(keyset, tmp_path):
    vectors = [v for v in VECTORS if v["keyset"] == keyset and v["plain_message_hex"] and v["opened_equals_input"]]
    ring = ring_of(tmp_path, vectors[0]["open_keys"])
    sealed, numbers = trace_of(vectors, "sealed_message_hex")
    plain, _ = trace_of(vectors, "plain_message_hex")
    opened = run("open", "-k", ring, "-f", "trace", stdin=sealed, code=0).out
    got, want = opened.split(b"\n"), plain.split(b"\n")
    assert len(got) == len(want)
    different = 0
    for v, n in zip(vectors, numbers):
        if got[n] == want[n]:
            continue
        different += 1
        # The lossless mapping writes what was sealed: an empty list or map that Autobahn leaves out.
        ser, body = wire.trace_body(json.loads(got[n]))
        message = wire.load(ser, body)
        p = wire.payload_index(message)
        tail = message[p:] + [None] * 2
        assert wire.same(tail[0], plain_value(v["args"])) and wire.same(tail[1], plain_value(v["kwargs"])), v["id"]
        assert v["args"] == [] or v["kwargs"] == {}, v["id"]
    assert different < len(vectors) / 3


@pytest.mark.parametrize("keyset", KEYSETS)
def test_sealing_the_plain_messages_gives_the_plaintexts_of_autobahn(keyset, tmp_path):
    """With the nonce that the program used, the box is the one that libsodium makes of Autobahn's plaintext."""
    vectors = [v for v in VECTORS if v["keyset"] == keyset and v["plain_message_hex"]]
    ring = ring_of(tmp_path, vectors[0]["keys"])
    # Answers are sealed only by an entry that can seal the call as well (decisions 2).
    if keyset in ("asym-originator", "asym-responder"):
        ring = ring_of(tmp_path, next(v for v in VECTORS if v["keyset"] == "asym-both")["keys"])
    plain, numbers = trace_of(vectors, "plain_message_hex")
    sealed = wire.lines_of(run("seal", "-k", ring, "-f", "trace", stdin=plain, code=0).out)
    exact = 0
    for v, n in zip(vectors, numbers):
        ser, body = wire.trace_body(sealed[n])
        message = wire.load(ser, body)
        assert wire.is_sealed(message), v["id"]
        payload = message[-1]
        text = cryptobox.unbox(bytes.fromhex(v["shared_key_hex"]), payload)
        if v["opened_equals_input"]:
            want = json.loads(v["plaintext_utf8"])
            got = json.loads(text)
            assert list(got) == ["uri", "args", "kwargs"]
            assert got["uri"] == v["uri"] and wire.same_payload(
                got["args"], got["kwargs"], want["args"], want["kwargs"]), v["id"]
        if text == bytes.fromhex(v["plaintext_hex"]):
            exact += 1
            # Then the whole message is Autobahn's but for the nonce.
            want = cryptobox.box(bytes.fromhex(v["shared_key_hex"]), payload[:24], text)
            assert payload == want
            assert len(body) == len(bytes.fromhex(v["sealed_message_hex"])), v["id"]
    assert exact > len(vectors) / 2


# decisions 9: what Autobahn's outcome is called here, and what the program exits with.
NEGATIVE = {
    "negative/control": None, "negative/same-role": None, "negative/pt-extra-key": None,
    "negative/pt-dup-key": None, "negative/pt-whitespace": None,
    "negative/other-uri": "uri_mismatch", "negative/pt-empty-object": "uri_mismatch",
    "negative/flip-nonce": "bad_tag", "negative/flip-tag": "bad_tag", "negative/flip-ct": "bad_tag",
    "negative/truncated": "bad_tag", "negative/only-nonce": "bad_tag", "negative/short": "bad_tag",
    "negative/wrong-key": "bad_tag",
    # A list in place of the object: JSON, but of the wrong type.
    "negative/pt-array": "wrong_type", "negative/pt-bad-utf8": "bad_plaintext", "negative/pt-empty": "bad_plaintext",
    "negative/pt-bad-base64": "bad_plaintext", "negative/pt-bom": "bad_plaintext",
    "negative/pt-args-not-list": "wrong_type",
}
# Not ours to open: passed untouched and counted, never an error (decisions 10).
UNTOUCHED = {"negative/empty", "negative/algo-xbr"}
OTHER = {"negative/ser-msgpack", "negative/ser-none", "negative/role-missing"}


def negative_message(v, ser):
    options = {}
    if v["enc_algo"]:
        options["enc_algo"] = v["enc_algo"]
    if v["enc_serializer"]:
        options["enc_serializer"] = v["enc_serializer"]
    return wire.rawsocket([wire.dump(ser, [PUBLISH, 1, options, v["uri"], bytes.fromhex(v["payload_hex"])])], ser)


def test_every_negative_vector_has_its_place():
    assert {v["id"] for v in ALL["negative"]} == set(NEGATIVE) | UNTOUCHED | OTHER


@pytest.mark.parametrize("ser", SERIALIZERS)
@pytest.mark.parametrize("v", [v for v in ALL["negative"] if v["id"] in NEGATIVE], ids=lambda v: v["id"])
def test_negative(v, ser, tmp_path):
    ring = ring_of(tmp_path, v["keys"])
    stream = negative_message(v, ser)
    why = NEGATIVE[v["id"]]
    opened = run("open", "-k", ring, "--json", stdin=stream, code=0 if why is None else (4, 5))
    verified = run("verify", "-k", ring, "--json", stdin=stream, code=opened.code)
    counts = verified.json()
    if why is None:
        _, args, kwargs = v["expect"]["result"]
        message = wire.load(ser, wire.split_rawsocket(opened.out)[0])
        tail = message[4:] + [None, None]
        assert wire.same_payload(tail[0], tail[1], plain_value(args), plain_value(kwargs))
        assert counts["opened"] == 1
    else:
        assert wire.nothing(opened.out)
        assert opened.code == (5 if why in ("uri_mismatch", "bad_tag") else 4)
        assert counts["failed"] == {why: 1}, counts


@pytest.mark.parametrize("ser", SERIALIZERS)
@pytest.mark.parametrize("v", [v for v in ALL["negative"] if v["id"] in UNTOUCHED], ids=lambda v: v["id"])
def test_not_ours_is_passed_untouched(v, ser, tmp_path):
    ring = ring_of(tmp_path, v["keys"])
    stream = negative_message(v, ser)
    assert run("open", "-k", ring, stdin=stream, code=(0, 3)).out == stream
    assert run("seal", "-k", ring, stdin=stream, code=0).out == stream


@pytest.mark.parametrize("v", [v for v in ALL["negative"] if v["id"].startswith("negative/ser-")], ids=lambda v: v["id"])
def test_foreign_inner_serializer_is_not_opened(v, tmp_path):
    ring = ring_of(tmp_path, v["keys"])
    stream = negative_message(v, "cbor")
    result = run("open", "-k", ring, stdin=stream, code=(0, 3, 4, 5))
    assert wire.nothing(result.out) or result.out == stream, "never read by other rules than its own"


def test_role_missing_opens_unless_roles_are_strict(tmp_path):
    v = next(v for v in ALL["negative"] if v["id"] == "negative/role-missing")
    ring = ring_of(tmp_path, v["keys"])
    stream = negative_message(v, "json")
    run("open", "-k", ring, stdin=stream, code=0)
    result = run("verify", "-k", ring, "--strict-roles", "--json", stdin=stream, code=5)
    assert result.json()["failed"]["no_role"] == 1


@pytest.mark.parametrize("ser", SERIALIZERS)
def test_messages_of_live_sessions(ser, tmp_path):
    vectors = [v for v in ALL["session"] if v["plaintext_utf8"]]
    ring = ring_of(tmp_path, vectors[0]["keys"])
    lines = []
    for conn, v in enumerate(vectors):
        message = wire.load(ser, bytes.fromhex(v["message_hex"][ser]))
        for m in before(message, json.loads(v["plaintext_utf8"])["uri"]):
            lines.append(wire.trace_line(wire.dump(ser, m), ser, conn=conn))
        lines.append(wire.trace_line(bytes.fromhex(v["message_hex"][ser]), ser, conn=conn, note=v["id"]))
    out = [line for line in run("cat", "-k", ring, "-f", "trace", stdin="".join(lines).encode(), code=0).lines()
           if line.get("sealed")]
    assert len(out) == len(vectors)
    for line, v in zip(out, vectors):
        want = json.loads(v["plaintext_utf8"])
        assert line["opened"] and line["uri"] == want["uri"]
        assert wire.same_payload(line.get("args"), line.get("kwargs"), want["args"], want["kwargs"]), v["id"]


@pytest.mark.parametrize("v", ALL["keyring"], ids=lambda v: v["id"])
def test_keyring_lookups(v, tmp_path):
    """Each query as a message of that role: sealed by the expected shared key, or in clear."""
    keys = {name: {k: x for k, x in entry.items() if x} for name, entry in ALL["keyring_keys"].items()}
    ring = {"default": v["default"], "keys": {}}
    for op in v["ops"]:
        if op["set_key"] == "":
            ring["default"] = op["key"]
        elif op["key"] is None:
            ring["keys"].pop(op["set_key"], None)
        else:
            ring["keys"][op["set_key"]] = op["key"]
    path = cryptobox.write_ring(
        tmp_path / "ring.json", [dict(keys[k], uri=u) for u, k in ring["keys"].items()],
        default=keys[ring["default"]] if ring["default"] else None)
    for q in v["queries"]:
        kind = [PUBLISH, 1, {}, q["uri"], [1]] if q["is_originating"] else [ERROR, 68, 1, {}, q["uri"], [1]]
        body = wire.dump("json", kind)
        out = run("seal", "-k", path, stdin=wire.rawsocket([body], "json"), code=0).out
        message = wire.load("json", wire.split_rawsocket(out)[0])
        # wamp.error.runtime_error in ERROR 68 is sealed, as Autobahn does.
        assert wire.is_sealed(message) == (not q["in_clear"]), q
        if not q["in_clear"]:
            assert cryptobox.open_inner(message, bytes.fromhex(q["shared_key_hex"]))[0] == q["uri"]


@pytest.mark.parametrize("ser", SERIALIZERS)
def test_batched_framings(ser):
    two = bytes.fromhex(ALL["batched"][ser]["two_messages_hex"])
    lines = run("cat", "-f", "batched-" + ser, stdin=two, code=0).lines()
    assert [line["uri"] for line in lines] == ["a", "b"] and [line["n"] for line in lines] == [0, 1]


@pytest.mark.parametrize("v", ALL["json_values"], ids=lambda v: v["python"][:40])
def test_json_values(v, tmp_path):
    """A value in a box is what Autobahn reads there, to the last bit."""
    pair = cryptobox.Pair("com.acme.")
    ring = cryptobox.write_ring(tmp_path / "ring.json", [pair])
    text = b'{"uri":"com.acme.v","args":[' + bytes.fromhex(v["json_utf8_hex"]) + b'],"kwargs":{}}'
    message = [PUBLISH, 1, {"enc_algo": "cryptobox", "enc_serializer": "json"}, "com.acme.v",
               cryptobox.box(pair.shared, b"n" * 24, text)]
    stream = wire.rawsocket([wire.dump("cbor", message)], "cbor")
    line = run("cat", "-k", ring, stdin=stream, code=0).lines()[0]
    want = json.loads(text)["args"]
    assert wire.same(line["args"], want), v
