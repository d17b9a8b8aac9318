"""The real Autobahn|Python as a filter: one JSON job on stdin, one JSON answer on stdout.

Runs under the Python of the venv that tests/peers/crossbar/install.sh makes, and uses Autobahn's own
KeyRing, message classes and serializers; nothing of cryptobox is written here.
"""

import base64
import json
import sys

import txaio

txaio.use_asyncio()

from autobahn.wamp import message as m
from autobahn.wamp.cryptobox import Key, KeyRing
from autobahn.wamp.serializer import CBORSerializer, JsonSerializer, MsgPackSerializer
from autobahn.wamp.types import EncodedPayload

SERIALIZERS = {"json": JsonSerializer, "msgpack": MsgPackSerializer, "cbor": CBORSerializer}
# Who seals: the originator (True) or the responder; the other one opens.
ORIGINATING = {"PUBLISH": True, "EVENT": True, "CALL": True, "INVOCATION": True, "YIELD": False, "RESULT": False,
               "ERROR 68": False, "ERROR 48": False}


def untag(value):
    if isinstance(value, dict):
        if set(value) == {"$bin"}:
            return base64.b64decode(value["$bin"])
        return {k: untag(v) for k, v in value.items()}
    return [untag(v) for v in value] if isinstance(value, list) else value


def tag(value):
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bin": base64.b64encode(bytes(value)).decode()}
    if isinstance(value, dict):
        return {k: tag(v) for k, v in value.items()}
    return [tag(v) for v in value] if isinstance(value, (list, tuple)) else value


def key_of(entry):
    if entry.get("key"):
        return entry["key"]
    return Key(**{side: entry.get(side) for side in ("originator_priv", "originator_pub", "responder_priv", "responder_pub")})


def ring_of(ring):
    out = KeyRing(key_of(ring["default"]) if ring.get("default") else None)
    for entry in ring["keys"]:
        out.set_key(entry["uri"], key_of(entry))
    return out


def build(kind, request, uri, payload):
    """A message of Autobahn with `payload` as its arguments (args, kwargs or payload, enc_algo, ...)."""
    if kind == "PUBLISH":
        return m.Publish(request, uri, acknowledge=True, **payload)
    if kind == "EVENT":
        return m.Event(request, 7, topic=uri, **payload)
    if kind == "CALL":
        return m.Call(request, uri, **payload)
    if kind == "INVOCATION":
        return m.Invocation(request, 9, procedure=uri, **payload)
    if kind == "YIELD":
        return m.Yield(request, **payload)
    if kind == "RESULT":
        return m.Result(request, **payload)
    return m.Error(68 if kind == "ERROR 68" else 48, request, uri, **payload)


def make(job):
    """Messages sealed by KeyRing.encode, or plain, as octets."""
    ring = ring_of(job["ring"]) if job.get("ring") else None
    out = []
    for row in job["messages"]:
        args, kwargs = untag(row["args"]), untag(row["kwargs"])
        payload = {"args": args, "kwargs": kwargs}
        if ring:
            sealed = ring.encode(ORIGINATING[row["kind"]], row["uri"], args, kwargs)
            if sealed:
                payload = {"payload": sealed.payload, "enc_algo": sealed.enc_algo, "enc_serializer": sealed.enc_serializer,
                           "enc_key": sealed.enc_key}
        data, _ = SERIALIZERS[row["ser"]]().serialize(build(row["kind"], row["request"], row["uri"], payload))
        out.append(data.hex())
    return out


def read(job):
    """Octets as Autobahn understands them, opened by KeyRing.decode where they are sealed."""
    ring = ring_of(job["ring"]) if job.get("ring") else None
    out = []
    for row in job["messages"]:
        (message,) = SERIALIZERS[row["ser"]]().unserialize(bytes.fromhex(row["hex"]))
        answer = {"class": type(message).__name__, "sealed": message.payload is not None}
        if message.payload is not None:
            encoded = EncodedPayload(message.payload, message.enc_algo, message.enc_serializer, message.enc_key)
            uri, args, kwargs = ring.decode(not ORIGINATING[row["kind"]], row["uri"], encoded)
            answer["uri"] = uri
        else:
            args, kwargs = message.args, message.kwargs
        answer["args"], answer["kwargs"] = tag(args), tag(kwargs)
        out.append(answer)
    return out


def lookup(job):
    """The shared key that the ring gives for each [uri, is_originating], or null."""
    ring = ring_of(job["ring"])
    out = []
    for uri, originating in job["queries"]:
        box = ring._get_box(originating, uri)
        out.append(box.shared_key().hex() if box else None)
    return out


job = json.load(sys.stdin)
json.dump({"make": make, "read": read, "lookup": lookup}[job["do"]](job), sys.stdout)
