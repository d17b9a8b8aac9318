#!/usr/bin/env python3
"""Seals or opens a RawSocket recording with Autobahn|Python, one message at a time, as a user would.

usage: autobahn_peer.py seal|open RING IN OUT [LIMIT]
Prints one JSON object: messages done and seconds for them (reading, parsing, crypto, serializing, writing).
"""
import json
import struct
import sys
import time

import txaio

txaio.use_asyncio()
from autobahn.wamp import message, role, serializer  # noqa: E402
from autobahn.wamp.cryptobox import EncodedPayload, Key, KeyRing  # noqa: E402

KINDS = {1: serializer.JsonSerializer, 2: serializer.MsgPackSerializer, 3: serializer.CBORSerializer}


def ring_of(path):
    ring = KeyRing()
    for entry in json.load(open(path))["keys"]:
        ring.set_key(entry["uri"], Key(originator_priv=entry["originator_priv"],
                                       responder_priv=entry["responder_priv"]))
    return ring


def main():
    verb, ring, limit = sys.argv[1], ring_of(sys.argv[2]), int(sys.argv[5]) if len(sys.argv) > 5 else 10**12
    start = time.perf_counter()
    with open(sys.argv[3], "rb") as f:
        data = f.read()
    at, ser, topics, done = 0, KINDS[2](), {}, 0
    out = []
    if data[:1] == b"\x7f":
        ser, at = KINDS[data[1] & 15](), 4
        out.append(data[:4])
    pending = {}
    while at < len(data) and done < limit:
        (size,) = struct.unpack_from(">I", data, at)
        body = data[at + 4:at + 4 + size]
        at += 4 + size
        for msg in ser.unserialize(body):
            uri = None
            if isinstance(msg, message.Subscribe):
                pending[msg.request] = msg.topic
            elif isinstance(msg, message.Subscribed):
                topics[msg.subscription] = pending.pop(msg.request)
            elif isinstance(msg, message.Publish):
                uri = msg.topic
            elif isinstance(msg, message.Event):
                uri = msg.topic or topics[msg.subscription]
            if uri and verb == "seal":
                enc = ring.encode(True, uri, msg.args, msg.kwargs)
                msg.args = msg.kwargs = None
                msg.payload, msg.enc_algo, msg.enc_key = enc.payload, enc.enc_algo, enc.enc_key
                msg.enc_serializer = enc.enc_serializer
            elif uri:
                enc = EncodedPayload(msg.payload, msg.enc_algo, msg.enc_serializer, msg.enc_key)
                inner, msg.args, msg.kwargs = ring.decode(False, uri, enc)
                assert inner == uri
                msg.payload = msg.enc_algo = msg.enc_key = msg.enc_serializer = None
            msg.uncache()
            body, _ = ser.serialize(msg)
            out.append(struct.pack(">I", len(body)))
            out.append(body)
            done += 1
    with open(sys.argv[4], "wb") as f:
        f.write(b"".join(out))
    print(json.dumps({"messages": done, "seconds": time.perf_counter() - start, "bytes": at}))


main()
