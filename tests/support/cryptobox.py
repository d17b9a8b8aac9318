"""WAMP cryptobox by libsodium alone: what the program's boxes are compared with."""

import base64
import hashlib
import json
import os

import nacl.bindings as sodium

import wire


def b64(data):
    return base64.b64encode(data).decode()


def public_of(secret):
    return sodium.crypto_scalarmult_base(secret)


class Pair:
    """One keyring entry with both private keys, derived from a name: same name, same keys."""

    def __init__(self, uri, name=None):
        self.uri = uri
        seed = (name or uri).encode()
        self.originator = hashlib.sha256(b"originator " + seed).digest()
        self.responder = hashlib.sha256(b"responder " + seed).digest()
        self.shared = sodium.crypto_box_beforenm(public_of(self.responder), self.originator)

    def entry(self, side="both"):
        """`side`: both, originator, responder or public: what a peer of that side holds."""
        out = {} if self.uri is None else {"uri": self.uri}
        if side in ("both", "originator"):
            out["originator_priv"] = b64(self.originator)
        else:
            out["originator_pub"] = b64(public_of(self.originator))
        if side in ("both", "responder"):
            out["responder_priv"] = b64(self.responder)
        else:
            out["responder_pub"] = b64(public_of(self.responder))
        return out


def shared_of(entry):
    """The shared key of a keyring entry, or None."""
    if entry.get("key"):
        secret = base64.b64decode(entry["key"])
        return sodium.crypto_box_beforenm(public_of(secret), secret)
    def side(name):
        private, public = entry.get(name + "_priv"), entry.get(name + "_pub")
        if private:
            private = base64.b64decode(private)
        return private, base64.b64decode(public) if public else private and public_of(private)
    originator, originator_pub = side("originator")
    responder, responder_pub = side("responder")
    if originator and responder_pub:
        return sodium.crypto_box_beforenm(responder_pub, originator)
    if responder and originator_pub:
        return sodium.crypto_box_beforenm(originator_pub, responder)
    return None


def find(ring, uri):
    """The entry that serves a URI: the longest one that is a prefix, else the default."""
    best = ring.get("default")
    length = -1
    for entry in ring.get("keys", []):
        if uri.startswith(entry["uri"]) and len(entry["uri"]) > length:
            best, length = entry, len(entry["uri"])
    return best


def write_ring(path, entries, default=None, mode=0o600):
    entries = [e.entry() if isinstance(e, Pair) else e for e in entries]
    default = default.entry() if isinstance(default, Pair) else default
    path = str(path)
    with open(path, "w") as file:
        json.dump({"default": default, "keys": entries}, file)
    os.chmod(path, mode)
    return path


def plaintext(uri, args, kwargs):
    return wire.json_text({"uri": uri, "args": args, "kwargs": kwargs}).encode()


def box(shared, nonce, text):
    """nonce, tag, ciphertext."""
    return nonce + sodium.crypto_box_afternm(text, nonce, shared)


def unbox(shared, payload):
    """The plaintext; nacl.exceptions.CryptoError when it does not verify."""
    return sodium.crypto_box_open_afternm(payload[24:], payload[:24], shared)


def seal(message, shared, uri, nonce=None, args=None, kwargs=None):
    """A plain message with its payload sealed, as the specification says (lossless mapping)."""
    p = wire.payload_index(message)
    if args is None and kwargs is None:
        args = message[p] if len(message) > p else None
        kwargs = message[p + 1] if len(message) > p + 1 else None
    sealed = list(message[:p])
    at = wire.SHAPE[message[0]][0]
    sealed[at] = dict(sealed[at], enc_algo="cryptobox", enc_serializer="json")
    sealed.append(box(shared, nonce or os.urandom(24), plaintext(uri, args, kwargs)))
    return sealed


def open_inner(message, shared):
    """(uri, args, kwargs) of a sealed message."""
    inner = wire.from_json(json.loads(unbox(shared, message[-1])))
    return inner.get("uri"), inner.get("args"), inner.get("kwargs")
