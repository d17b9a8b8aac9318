"""seal and open against libsodium: every type, serializer and framing, both ways."""

import pytest

import cryptobox
import wire
from program import run
from wire import CALL, ERROR, EVENT, INVOCATION, PUBLISH, REGISTER, REGISTERED, RESULT, SUBSCRIBE, SUBSCRIBED, YIELD

pytestmark = pytest.mark.sanitized

ACME = cryptobox.Pair("com.acme.")
ORDERS = cryptobox.Pair("com.acme.orders.")

# One side of a conversation each, with all that is needed to know every URI. The comment of a payload
# message is the URI that it belongs to.
VALUES = [
    ([1, "two", None, True, False], {"k": [1, 2], "z": {}}),
    ([], {"only": "kwargs"}),
    (["Grüße, 日本語 😀 \u2028\u2029\x7f", "\"\\/\b\f\n\r\t\x01\x1f", "</script>"], {"": "empty key", "a\"b": 1}),
    ([0, -1, 23, 24, 255, 256, 65535, 65536, 2**32, 2**53 + 1, 2**63 - 1, -2**63, 2**64 - 1], {}),
    ([0.0, -0.0, 1.0, -1.5, 0.1, 1e15, 1e16, 1.2345678901234568e17, 1e-4, 1e-5, 5e-324, 1.7976931348623157e308], {}),
    ([b"", b"\0", bytes(range(256))], {"b": b"abc"}),
    ([[[[[]]], {}], {"a": {"b": {"c": [{"d": [1, [2, [3]]]}]}}}], {"x": [{"y": [{"z": None}]}]}),
    (["x" * 70000], {}),
]


def conversation():
    """(message, URI or None, Pair that seals it or None) in recording order, c2r and r2c mixed."""
    out = [([1, "realm1", {"roles": {"caller": {}}}], None, None), ([2, 77, {"roles": {}}], None, None)]

    def say(message, uri=None, pair=None):
        out.append((message, uri, pair))

    for i, (args, kwargs) in enumerate(VALUES):
        tail = [args, kwargs] if kwargs else [args]
        req = 100 + i
        say([PUBLISH, req, {"acknowledge": True, "x_unknown": [1]}, "com.acme.temp"] + tail, "com.acme.temp", ACME)
        say([PUBLISH, req, {}, "com.acme.orders.new"] + tail, "com.acme.orders.new", ORDERS)
        say([PUBLISH, req, {}, "org.free.topic"] + tail)
        say([SUBSCRIBE, req, {}, "com.acme.temp"])
        say([SUBSCRIBED, req, 9000 + i])
        say([EVENT, 9000 + i, 5, {}] + tail, "com.acme.temp", ACME)
        say([EVENT, 4242, 5, {"topic": "com.acme.orders.a"}] + tail, "com.acme.orders.a", ORDERS)
        say([CALL, req, {"receive_progress": True}, "com.acme.orders.add"] + tail, "com.acme.orders.add", ORDERS)
        say([RESULT, req, {"progress": True}] + tail, "com.acme.orders.add", ORDERS)
        say([RESULT, req, {}] + tail, "com.acme.orders.add", ORDERS)
        say([REGISTER, req, {}, "com.acme.proc"])
        say([REGISTERED, req, 7000 + i])
        say([INVOCATION, 300 + i, 7000 + i, {}] + tail, "com.acme.proc", ACME)
        say([YIELD, 300 + i, {}] + tail, "com.acme.proc", ACME)
        say([INVOCATION, 400 + i, 7000 + i, {"procedure": "com.acme.orders.x"}] + tail, "com.acme.orders.x", ORDERS)
        say([ERROR, 68, 400 + i, {}, "com.acme.error"] + tail, "com.acme.error", ACME)
        say([CALL, 500 + i, {}, "com.acme.orders.add"] + tail, "com.acme.orders.add", ORDERS)
        say([ERROR, 48, 500 + i, {}, "com.acme.orders.error"] + tail, "com.acme.orders.error", ORDERS)
    return out


def framed(fmt, ser, bodies):
    if fmt == "rawsocket":
        return wire.rawsocket(bodies, ser)
    if fmt == "trace":
        return "".join(wire.trace_line(b, ser, conn=3, ts=1000 + i) for i, b in enumerate(bodies)).encode()
    if fmt == "jsonl":
        return b"".join(b + b"\n" for b in bodies)
    if fmt.startswith("batched"):
        return wire.batched(ser, bodies)
    return b"".join(bodies)


def unframed(fmt, ser, data, sizes=None):
    if fmt == "rawsocket":
        assert data[:4] == wire.handshake(ser)
        return wire.split_rawsocket(data)
    if fmt == "trace":
        return [wire.trace_body(line)[1] for line in wire.lines_of(data)]
    if fmt == "jsonl":
        return data.split(b"\n")[:-1]
    if fmt.startswith("batched"):
        return wire.split_batched(ser, data)
    import io

    import cbor2
    import msgpack
    out = []
    stream = io.BytesIO(data)
    if ser == "msgpack":
        unpacker = msgpack.Unpacker(stream, raw=False, max_buffer_size=1 << 27)
        at = 0
        for _ in unpacker:
            out.append(data[at:unpacker.tell()])
            at = unpacker.tell()
    else:
        while stream.tell() < len(data):
            at = stream.tell()
            cbor2.load(stream)
            out.append(data[at:stream.tell()])
    return out


FORMATS = [("rawsocket", "json"), ("rawsocket", "msgpack"), ("rawsocket", "cbor"), ("trace", "json"), ("trace", "msgpack"),
           ("trace", "cbor"), ("jsonl", "json"), ("msgpack", "msgpack"), ("cbor", "cbor"), ("batched-json", "json"),
           ("batched-msgpack", "msgpack"), ("batched-cbor", "cbor")]


@pytest.fixture
def two(tmp_path):
    return cryptobox.write_ring(tmp_path / "two.json", [ACME, ORDERS])


@pytest.mark.parametrize("fmt, ser", FORMATS)
def test_sealed_boxes_are_those_of_libsodium_and_open_gives_the_bytes_back(fmt, ser, two, tmp_path):
    talk = conversation()
    bodies = [wire.dump(ser, m) for m, _, _ in talk]
    plain = framed(fmt, ser, bodies)
    sealed = run("seal", "-k", two, "-f", fmt, stdin=plain, code=0).out
    out = unframed(fmt, ser, sealed)
    assert len(out) == len(talk)
    nonces = set()
    for body, before, (message, uri, pair) in zip(out, bodies, talk):
        if pair is None:
            assert body == before
            continue
        got = wire.load(ser, body)
        p = wire.payload_index(message)
        nonce = got[p][:24]
        nonces.add(nonce)
        want = cryptobox.seal(message, pair.shared, uri, nonce)
        assert wire.same(got, want), (message[0], uri)
        # Nothing else of the message moves: what the reference library writes for it is what stands.
        assert body == wire.dump(ser, want)
    assert len(nonces) == sum(1 for _, _, pair in talk if pair)

    opened = run("open", "-k", two, "-f", fmt, stdin=sealed, code=0).out
    assert opened == plain


@pytest.mark.parametrize("fmt, ser", FORMATS)
def test_opens_what_libsodium_sealed(fmt, ser, two):
    talk = conversation()
    plain = framed(fmt, ser, [wire.dump(ser, m) for m, _, _ in talk])
    sealed = framed(fmt, ser, [
        wire.dump(ser, cryptobox.seal(m, pair.shared, uri) if pair else m) for m, uri, pair in talk])
    assert run("open", "-k", two, "-f", fmt, stdin=sealed, code=0).out == plain


def test_trace_members_keep_their_form_and_order(two):
    message = [PUBLISH, 1, {}, "com.acme.temp", [b"x", 1.0]]
    other = [SUBSCRIBE, 1, {}, "com.acme.temp"]
    for form in ("b64", "hex", "msg"):
        ser = "json" if form == "msg" else "cbor"
        lines = wire.trace_line(wire.dump(ser, message), ser, conn=1, direction="c2r", ts=5, form=form, note="kept ü", realm="r")
        lines += '{ "ser" : "json",  "msg":[ 32, 1, {}, "com.acme.temp" ] , "odd": [1, {"a": 2}] }\n'
        lines += wire.trace_line(wire.dump(ser, other), ser, form=form)
        sealed = run("seal", "-k", two, "-f", "trace", stdin=lines.encode(), code=0).out.decode()
        first, *rest = sealed.split("\n")
        assert rest == lines.split("\n")[1:], "an untouched line keeps every byte"
        import json
        was, now = json.loads(lines.split("\n")[0]), json.loads(first)
        assert list(now) == list(was)
        assert {k: v for k, v in now.items() if k != form} == {k: v for k, v in was.items() if k != form}
        ser_now, body = wire.trace_body(now)
        assert wire.is_sealed(wire.load(ser_now, body))
        again = run("open", "-k", two, "-f", "trace", stdin=sealed.encode(), code=0).out.decode()
        assert again == lines


def test_b64_wins_over_msg(two):
    body = wire.dump("json", [PUBLISH, 1, {}, "com.acme.temp", ["from b64"]])
    line = wire.trace_line(body, "json").rstrip("\n")[:-1] + ',"msg":[16,1,{},"com.acme.temp",["from msg"]],"hex":"5b5d"}\n'
    out = wire.lines_of(run("seal", "-k", two, "-f", "trace", stdin=line.encode(), code=0).out)[0]
    assert set(out) == {"ser", "b64"}, "the member that was read is replaced, the other two are dropped"
    _, inner_args, _ = cryptobox.open_inner(wire.load("json", wire.trace_body(out)[1]), ACME.shared)
    assert inner_args == ["from b64"]


@pytest.mark.parametrize("ser", ["json", "msgpack", "cbor"])
def test_enc_keys_stand_last_and_are_removed_alone(ser, two):
    message = [PUBLISH, 1, {"x_mine": 1, "acknowledge": True, "zz": {"enc_algo": "inner"}}, "com.acme.temp", [1]]
    sealed = run("seal", "-k", two, "-f", "rawsocket", stdin=wire.rawsocket([wire.dump(ser, message)], ser), code=0).out
    got = wire.load(ser, wire.split_rawsocket(sealed)[0])
    assert list(got[2]) == ["x_mine", "acknowledge", "zz", "enc_algo", "enc_serializer"]
    got[2] = dict({"enc_key": "k1"}, **got[2])
    opened = run("open", "-k", two, "-f", "rawsocket", stdin=wire.rawsocket([wire.dump(ser, got)], ser), code=0).out
    assert wire.split_rawsocket(opened) == [wire.dump(ser, message)]


def test_seal_twice_leaves_the_first_seal(two):
    plain = wire.rawsocket([wire.dump("cbor", [PUBLISH, 1, {}, "com.acme.temp", [1]])], "cbor")
    once = run("seal", "-k", two, stdin=plain, code=0)
    twice = run("seal", "-k", two, "--json", stdin=once.out, code=0)
    assert twice.out == once.out
    assert twice.json_err()["already_sealed"] == 1


@pytest.mark.parametrize("uri", ["wamp.session.on_join", "crossbar.get_info"])
@pytest.mark.parametrize("code", [PUBLISH, CALL])
def test_reserved_uris_are_never_sealed(uri, code, tmp_path):
    ring = cryptobox.write_ring(tmp_path / "all.json", [], default=cryptobox.Pair(None, "default"))
    plain = wire.rawsocket([wire.dump("json", [code, 1, {}, uri, [1]])], "json")
    assert run("seal", "-k", ring, stdin=plain, code=0).out == plain


def test_default_entry_serves_what_no_prefix_does(tmp_path):
    default = cryptobox.Pair(None, "default")
    ring = cryptobox.write_ring(tmp_path / "d.json", [ACME], default=default)
    plain = wire.rawsocket([wire.dump("json", [PUBLISH, 1, {}, u, [1]]) for u in ("org.x", "com.acme.y")], "json")
    bodies = wire.split_rawsocket(run("seal", "-k", ring, stdin=plain, code=0).out)
    for body, pair, uri in zip(bodies, (default, ACME), ("org.x", "com.acme.y")):
        assert cryptobox.open_inner(wire.load("json", body), pair.shared)[0] == uri


@pytest.mark.parametrize("side, sealed_types", [
    ("originator", {PUBLISH, EVENT, CALL, INVOCATION}), ("responder", {ERROR}), ("public", set())])
def test_roles_decide_what_is_sealed_but_not_what_is_opened(side, sealed_types, tmp_path):
    # decisions 2: an answer is sealed iff its procedure's entry could seal the CALL too, ERROR by role alone.
    half = cryptobox.write_ring(tmp_path / "half.json", [ACME.entry(side)])
    messages = [
        ([PUBLISH, 1, {}, "com.acme.t", [1]], "com.acme.t"),
        ([EVENT, 1, 2, {"topic": "com.acme.t"}, [1]], "com.acme.t"),
        ([CALL, 1, {}, "com.acme.p", [1]], "com.acme.p"),
        ([RESULT, 1, {}, [1]], "com.acme.p"),
        ([INVOCATION, 3, 4, {"procedure": "com.acme.p"}, [1]], "com.acme.p"),
        ([YIELD, 3, {}, [1]], "com.acme.p"),
        ([ERROR, 68, 9, {}, "com.acme.e", [1]], "com.acme.e"),
    ]
    plain = wire.rawsocket([wire.dump("json", m) for m, _ in messages], "json")
    out = run("seal", "-k", half, stdin=plain, code=0).out
    got = {m[0] for m in (wire.load("json", b) for b in wire.split_rawsocket(out)) if wire.is_sealed(m)}
    assert got == sealed_types
    full = cryptobox.write_ring(tmp_path / "full.json", [ACME])
    everything = run("seal", "-k", full, stdin=plain, code=0).out
    if side != "public":
        assert run("open", "-k", half, stdin=everything, code=0).out == plain
    else:
        assert run("open", "-k", half, stdin=everything, code=5).code == 5
