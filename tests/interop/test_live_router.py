"""Through a running Crossbar.io: what the program sealed reaches an Autobahn application, and its answers come back."""

import json
import os
import queue
import socket
import subprocess
import threading
import time

import pytest

import cryptobox
import peers
import wire
from program import PATIENCE, environment, run
from recordings import from_truth
from wire import CALL, EVENT, GOODBYE, HELLO, PUBLISH, PUBLISHED, RESULT, SUBSCRIBE, SUBSCRIBED, WELCOME

peers.need_peers()

ACME = cryptobox.Pair("com.acme.", "live")
VALUES = [
    ([1, "two", None, True, -0.0, 1.5], {"k": [1, {"z": {}}]}),
    ([b"", b"\0\xff" * 20, "Grüße \u2028 😀"], {}),
    ([2**53 + 1, -2**63, 1e300, "x" * 20000], {"only": b"bin"}),
    ([], {}),
]


@pytest.fixture(scope="module")
def router(tmp_path_factory):
    router = peers.Router(tmp_path_factory.mktemp("router"))
    yield router
    router.stop()


class Application:
    """autobahn_live.py as a process."""

    def __init__(self, url, ser, ring):
        self.process = subprocess.Popen(
            [peers.PYTHON, os.path.join(peers.HERE, "autobahn_live.py"), url, ser, ring],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment())
        self.said = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.said.put(json.loads(line))

    def next(self):
        try:
            return self.said.get(timeout=20 * PATIENCE)
        except queue.Empty:
            self.process.kill()
            raise AssertionError("the application said nothing more:\n" + self.process.stderr.read().decode()[-3000:])

    def stop(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class Client:
    """A RawSocket client that sends octets as they are given and records both directions."""

    def __init__(self, port, ser):
        self.ser = ser
        self.trace = []
        self.socket = socket.create_connection(("127.0.0.1", port), 10)
        self.socket.settimeout(20 * PATIENCE)
        self.socket.sendall(wire.handshake(ser))
        assert self._bytes(4)[0] == 0x7F
        roles = {r: {"features": {}} for r in ("publisher", "subscriber", "caller", "callee")}
        self.send(wire.dump(ser, [HELLO, "realm1", {"roles": roles}]))
        self.welcome = self.take(WELCOME)

    def _bytes(self, count):
        data = b""
        while len(data) < count:
            more = self.socket.recv(count - len(data))
            assert more, "the router closed the connection"
            data += more
        return data

    def _record(self, direction, body):
        self.trace.append(wire.trace_line(body, self.ser, conn=0, direction=direction, ts=time.time_ns()))

    def send(self, body):
        self._record("c2r", body)
        self.socket.sendall(len(body).to_bytes(4, "big") + body)

    def take(self, kind):
        """The next message of a kind; what comes before it is only recorded."""
        while True:
            body = self._bytes(int.from_bytes(self._bytes(4), "big"))
            self._record("r2c", body)
            message = wire.load(self.ser, body)
            if message[0] == kind:
                return message
            assert message[0] in (PUBLISHED, EVENT, RESULT, 8), message

    def close(self):
        self.send(wire.dump(self.ser, [GOODBYE, {}, "wamp.close.normal"]))
        try:
            self.take(GOODBYE)
        finally:
            self.socket.close()


@pytest.mark.slow
@pytest.mark.parametrize("ser, app_ser, transport", [
    ("msgpack", "msgpack", "rs"), ("json", "cbor", "rs"), ("cbor", "json", "ws"), ("json", "msgpack", "ws")])
def test_sealed_by_the_program_and_lived_by_autobahn(ser, app_ser, transport, router, tmp_path):
    ours = cryptobox.write_ring(tmp_path / "ours.json", [ACME.entry("originator")])
    theirs = cryptobox.write_ring(tmp_path / "theirs.json", [ACME])
    full = cryptobox.write_ring(tmp_path / "full.json", [ACME])
    url = "rs://127.0.0.1:%d" % router.raw if transport == "rs" else "ws://127.0.0.1:%d/ws" % router.ws
    application = Application(url, app_ser, theirs)
    client = None
    try:
        assert application.next() == {"ready": True}
        client = Client(router.raw, ser)

        # The recording: made in clear, sealed by the program, then sent as it came out.
        plain, request = [], 0

        def add(kind, uri, args, kwargs, **options):
            nonlocal request
            request += 1
            plain.append([kind, request, options, uri] + ([args, kwargs] if kwargs else [args] if args else []))
        for args, kwargs in VALUES:
            add(PUBLISH, "com.acme.topic", args, kwargs, acknowledge=True)
            add(PUBLISH, "com.acme.many.sub", args, kwargs, acknowledge=True)
            add(CALL, "com.acme.echo", args, kwargs)
        add(CALL, "com.acme.stepwise", [3], {}, receive_progress=True)
        add(CALL, "com.acme.fail", ["why"], {"code": 7})
        recording = tmp_path / "calls.rs"
        recording.write_bytes(wire.rawsocket([wire.dump(ser, m) for m in plain], ser))
        sealed = tmp_path / "sealed.rs"
        counts = run("seal", "-k", ours, recording, "-o", sealed, "--strict", "--json", code=0).json()
        assert counts["sealed"] == len(plain)
        bodies = wire.split_rawsocket(sealed.read_bytes())

        client.send(wire.dump(ser, [SUBSCRIBE, 900, {}, "com.acme.back"]))
        client.take(SUBSCRIBED)
        for message, body in zip(plain, bodies):
            client.send(body)
            if message[0] == PUBLISH:
                client.take(PUBLISHED)
                said = application.next()
                assert said.get("event") == ("exact" if message[3] == "com.acme.topic" else "prefix"), said
                assert said["enc"] == "cryptobox"
            elif message[3] == "com.acme.echo":
                client.take(RESULT)
                said = application.next()
                assert said.get("call") == "echo" and said["enc"] == "cryptobox", said
            elif message[3] == "com.acme.stepwise":
                while client.take(RESULT)[2].get("progress"):
                    pass
                continue
            else:
                client.take(8)
                continue
            tail = message[4:] + [None, None]
            assert wire.same_payload(from_truth(said["args"]), from_truth(said["kwargs"]), tail[0], tail[1]), (said, tail)

        # An event that Autobahn seals, to a subscription of this client.
        announce = wire.rawsocket([wire.dump(ser, [CALL, 700, {}, "com.acme.announce", ["com.acme.back", 1, b"two", 3.0]])], ser)
        client.send(wire.split_rawsocket(run("seal", "-k", ours, stdin=announce, code=0).out)[0])
        client.take(EVENT)
        if not any('"b64"' in line and wire.load(ser, wire.trace_body(json.loads(line))[1])[0:2] == [RESULT, 700] for line in client.trace):
            client.take(RESULT)
        client.close()
        while not application.said.empty():
            said = application.said.get()
            # Autobahn reports the error that the procedure raises on purpose.
            assert "com.acme.error.failed" in said.get("trouble", ""), said
    finally:
        if client is not None:
            client.socket.close()
        application.stop()

    # What came over the wire, recorded, opened by the program.
    (tmp_path / "live.trace.jsonl").write_text("".join(client.trace))
    lines = run("cat", "-k", full, tmp_path / "live.trace.jsonl", code=0).lines()
    results = [x for x in lines if x["type"] == "RESULT" and x["uri"] == "com.acme.echo"]
    assert len(results) == len(VALUES)
    for line, (args, kwargs) in zip(results, VALUES):
        assert line["sealed"] and line["opened"]
        assert wire.same_payload(wire.from_json(line.get("args")), wire.from_json(line.get("kwargs")), args, kwargs)
    steps = [x for x in lines if x["type"] == "RESULT" and x["uri"] == "com.acme.stepwise"]
    assert [x["args"] for x in steps] == [[0], [1], [2], ["done"]] and all(x["opened"] for x in steps)
    assert [x.get("kwargs") or {} for x in steps] == [{"of": 3}] * 3 + [{}]
    (error,) = [x for x in lines if x["type"] == "ERROR"]
    assert error["uri"] == "com.acme.error.failed" and error["opened"] and error["args"] == ["why"] and error["kwargs"] == {"code": 7}
    (event,) = [x for x in lines if x["type"] == "EVENT"]
    assert event["uri"] == "com.acme.back" and event["opened"]
    assert wire.same(wire.from_json(event["args"]), [1, b"two", 3.0])
    verified = run("verify", "-k", full, "--json", tmp_path / "live.trace.jsonl", code=0).json()
    assert verified["failed"] == {} and verified["opened"] == len([x for x in lines if x.get("sealed")])
