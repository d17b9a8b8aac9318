"""The recorded sets of tests/data/captures, and what is known of them."""

import base64
import collections
import hashlib
import json
import os
import subprocess

import cryptobox
import wire
from program import CAPTURES

ALL_SETS = sorted(os.listdir(CAPTURES))
SEALED_SETS = [s for s in ALL_SETS if s.endswith("-sealed")]
PLAIN_SETS = [s for s in ALL_SETS if s.endswith("-plain")]


def path(name, file):
    return os.path.join(CAPTURES, name, file)


def unpacked(name, file):
    """The bytes of a file of a set, which may be kept as .zst."""
    plain = path(name, file)
    if os.path.exists(plain):
        with open(plain, "rb") as f:
            return f.read()
    return subprocess.run(["zstd", "-dc", "-q", plain + ".zst"], stdout=subprocess.PIPE, check=True).stdout


def raw_files(name):
    return sorted(f for f in os.listdir(os.path.join(CAPTURES, name)) if ".raw" in f)


def manifest(name):
    with open(path(name, "manifest.json")) as file:
        return json.load(file)


def lines(name, file):
    return wire.lines_of(unpacked(name, file))


def ring_for(name, tmp_path):
    """A 0600 copy of the keyring; a plain set takes that of its sealed twin."""
    twin = name[:-len("plain")] + "sealed" if name.endswith("-plain") else name
    if twin.startswith("bulk-"):
        return cryptobox.write_ring(tmp_path / "ring.json", [cryptobox.Pair("com.acme.telemetry.")])
    with open(path(twin, "keyring.json")) as file:
        ring = json.load(file)
    return cryptobox.write_ring(tmp_path / "ring.json", ring["keys"], ring["default"])


def totals(name):
    """Messages by (conn, direction, type name), and how many are sealed."""
    counts = collections.Counter()
    for c in manifest(name)["connections"]:
        for direction, types in c["messages"].items():
            for kind, n in types.items():
                counts[c["conn"], direction, kind] += n
    sealed = sum(n for kind, n in manifest(name)["totals"].items() if kind.endswith(" sealed"))
    return counts, sealed


def from_truth(value):
    """A value as truth and received spell it to what Python has for it."""
    if isinstance(value, dict):
        if set(value) == {"$bin"}:
            return base64.b64decode(value["$bin"])
        return {k: from_truth(v) for k, v in value.items()}
    if isinstance(value, list):
        return [from_truth(v) for v in value]
    return value


def digest(args, kwargs):
    """What received.jsonl keeps of a long payload; `args` and `kwargs` with binary as {"$bin"}."""
    text = json.dumps([args or [], kwargs or {}], separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def to_truth(value):
    if isinstance(value, bytes):
        return {"$bin": base64.b64encode(value).decode()}
    if isinstance(value, list):
        return [to_truth(v) for v in value]
    if isinstance(value, dict):
        return {k: to_truth(v) for k, v in value.items()}
    return value


def beyond_msgpack(value):
    """True when a value holds an integer that MessagePack has no form for (2^70 occurs in the sets)."""
    if isinstance(value, list):
        return any(beyond_msgpack(v) for v in value)
    if isinstance(value, dict):
        return any(beyond_msgpack(v) for v in value.values())
    return type(value) is int and not -2**63 <= value < 2**64
