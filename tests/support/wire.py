"""WAMP on the wire, written a second time: serializers, framings and trace lines, for the tests."""

import base64
import json
import math
import struct

import cbor2
import msgpack

HELLO, WELCOME, ABORT, GOODBYE, ERROR = 1, 2, 3, 6, 8
PUBLISH, PUBLISHED, SUBSCRIBE, SUBSCRIBED = 16, 17, 32, 33
UNSUBSCRIBE, UNSUBSCRIBED, EVENT = 34, 35, 36
CALL, CANCEL, RESULT, REGISTER, REGISTERED = 48, 49, 50, 64, 65
UNREGISTER, UNREGISTERED, INVOCATION, INTERRUPT, YIELD = 66, 67, 68, 69, 70

NAMES = {
    1: "HELLO", 2: "WELCOME", 3: "ABORT", 4: "CHALLENGE", 5: "AUTHENTICATE", 6: "GOODBYE", 8: "ERROR",
    16: "PUBLISH", 17: "PUBLISHED", 32: "SUBSCRIBE", 33: "SUBSCRIBED", 34: "UNSUBSCRIBE",
    35: "UNSUBSCRIBED", 36: "EVENT", 48: "CALL", 49: "CANCEL", 50: "RESULT", 64: "REGISTER",
    65: "REGISTERED", 66: "UNREGISTER", 67: "UNREGISTERED", 68: "INVOCATION", 69: "INTERRUPT",
    70: "YIELD", 337: "EVENT_RECEIVED",
}
SERIALIZER_ID = {"json": 1, "msgpack": 2, "cbor": 3, "ubjson": 4}
# Type -> (index of the dict, index of the URI or None, index P of the payload).
SHAPE = {
    PUBLISH: (2, 3, 4), EVENT: (3, None, 4), CALL: (2, 3, 4), RESULT: (2, None, 3),
    INVOCATION: (3, None, 4), YIELD: (2, None, 3), ERROR: (3, 4, 5),
}


# --- values --------------------------------------------------------------------------------------

def to_json(value):
    """Binary becomes U+0000 and base64, as WAMP's JSON serializer writes it."""
    if isinstance(value, (bytes, bytearray)):
        return "\0" + base64.b64encode(value).decode()
    if isinstance(value, (list, tuple)):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        return {k: to_json(v) for k, v in value.items()}
    return value


def from_json(value):
    """The inverse: a string value (not a key) that begins with U+0000 is binary."""
    if isinstance(value, str):
        return base64.b64decode(value[1:]) if value.startswith("\0") else value
    if isinstance(value, list):
        return [from_json(v) for v in value]
    if isinstance(value, dict):
        return {k: from_json(v) for k, v in value.items()}
    return value


def json_text(value):
    """Compact JSON as Autobahn writes it."""
    return json.dumps(to_json(value), separators=(",", ":"), ensure_ascii=False)


def dump(ser, message):
    if ser == "json":
        return json_text(message).encode()
    if ser == "msgpack":
        return msgpack.packb(message, use_bin_type=True)
    if ser == "cbor":
        return cbor2.dumps(message)
    raise ValueError(ser)


def load(ser, data):
    if ser == "json":
        return from_json(json.loads(data))
    if ser == "msgpack":
        return msgpack.unpackb(data, raw=False, strict_map_key=True)
    if ser == "cbor":
        return cbor2.loads(data)
    raise ValueError(ser)


def same(a, b):
    """Equal to the last bit: 1 is not 1.0 or true, -0.0 is not 0.0, NaN is NaN; map order counts not."""
    if isinstance(a, float) and isinstance(b, float):
        return (math.isnan(a) and math.isnan(b)) or struct.pack("d", a) == struct.pack("d", b)
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    return a == b


def same_payload(args_a, kwargs_a, args_b, kwargs_b):
    """null, [], {} and absent are one; otherwise exact."""
    return same(args_a or [], args_b or []) and same(kwargs_a or {}, kwargs_b or {})


# --- framings ------------------------------------------------------------------------------------

def handshake(ser, length=15):
    return bytes([0x7F, length << 4 | SERIALIZER_ID[ser], 0, 0])


def rawsocket(bodies, ser=None):
    """With `ser`: the handshake in front."""
    head = handshake(ser) if ser else b""
    return head + b"".join(struct.pack(">I", len(b)) + b for b in bodies)


def split_rawsocket(data, with_handshake=True):
    at = 4 if with_handshake else 0
    bodies = []
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        assert length <= 0xFFFFFF, "a control frame"
        body = data[at + 4:at + 4 + length]
        assert len(body) == length, "cut inside a message"
        bodies.append(body)
        at += 4 + length
    return bodies


def nothing(data):
    """No message came out of a pipe; a handshake, which holds none, may have."""
    return data == b"" or len(data) == 4 and data[0] == 0x7F


def batched(ser, bodies, separator=b"\x18"):
    if ser == "json":
        return b"".join(b + separator for b in bodies)
    return rawsocket(bodies)


def split_batched(ser, data):
    if ser == "json":
        parts = data.replace(b"\x1e", b"\x18").split(b"\x18")
        assert parts[-1] == b""
        return parts[:-1]
    return split_rawsocket(data, with_handshake=False)


def trace_line(body, ser, conn=None, direction=None, ts=None, form="b64", **more):
    line = {}
    if ts is not None:
        line["ts"] = ts
    if conn is not None:
        line["conn"] = conn
    if direction is not None:
        line["dir"] = direction
    line["ser"] = ser
    line.update(more)
    if form == "b64":
        line["b64"] = base64.b64encode(body).decode()
    elif form == "hex":
        line["hex"] = body.hex()
    else:
        line["msg"] = to_json(load(ser, body))
    return json.dumps(line, separators=(",", ":"), ensure_ascii=False) + "\n"


def trace_body(line):
    """(ser, bytes) of one parsed trace line."""
    if "b64" in line:
        return line["ser"], base64.b64decode(line["b64"])
    if "hex" in line:
        return line["ser"], bytes.fromhex(line["hex"])
    return "json", json_text(from_json(line["msg"])).encode()


def lines_of(data):
    """JSON lines, split at newlines only: strings may hold U+2028."""
    if isinstance(data, bytes):
        data = data.decode()
    return [json.loads(line) for line in data.split("\n") if line]


def payload_index(message):
    """Index P of a message of the seven types, else None."""
    shape = SHAPE.get(message[0])
    return shape[2] if shape else None


def is_sealed(message):
    p = payload_index(message)
    return (p is not None and len(message) == p + 1 and isinstance(message[p], bytes)
            and message[SHAPE[message[0]][0]].get("enc_algo") == "cryptobox")
