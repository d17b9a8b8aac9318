"""The real peers: Autobahn|Python and Crossbar.io in the venv of tests/peers/crossbar/install.sh."""

import json
import os
import socket
import subprocess
import time

import pytest

from program import PATIENCE, ROOT

VENV = os.environ.get("BOXCAR_PEERS") or os.path.join(ROOT, "build", "peers")
PYTHON = os.path.join(VENV, "bin", "python")
HERE = os.path.join(ROOT, "tests", "interop")
CROSSBAR = os.path.join(ROOT, "tests", "peers", "crossbar")


def need_peers():
    if not os.access(PYTHON, os.X_OK):
        pytest.skip("no peers at %s: run tools/setup.sh --peers" % VENV, allow_module_level=True)


def autobahn(job):
    """One job for autobahn_offline.py."""
    result = subprocess.run([PYTHON, os.path.join(HERE, "autobahn_offline.py")], input=json.dumps(job).encode(),
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=120 * PATIENCE)
    assert result.returncode == 0, result.stderr.decode()[-3000:]
    return json.loads(result.stdout)


def free_ports(count):
    """Ports that nobody listens on now, on the loopback interface."""
    taken = []
    for _ in range(count):
        s = socket.socket()
        s.bind(("127.0.0.1", 0))
        taken.append(s)
    ports = [s.getsockname()[1] for s in taken]
    for s in taken:
        s.close()
    return ports


class Router:
    """A Crossbar.io of its own folder and ports; always stopped, with its worker processes."""

    def __init__(self, folder, config="config.json"):
        self.folder = str(folder)
        for attempt in range(3):
            self.raw, self.ws = free_ports(2)
            self.log = open(os.path.join(self.folder, "router.log"), "wb")
            self.process = subprocess.Popen(
                [os.path.join(CROSSBAR, "start.sh"), VENV, self.folder, str(self.raw), str(self.ws),
                 os.path.join(CROSSBAR, config)],
                stdout=self.log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, start_new_session=True)
            if self._ready(60 * PATIENCE):
                return
            self.stop()
        with open(os.path.join(self.folder, "router.log")) as file:
            raise AssertionError("the router did not start:\n" + file.read()[-3000:])

    def _ready(self, patience):
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            try:
                with socket.create_connection(("127.0.0.1", self.raw), 1) as s:
                    s.settimeout(2)
                    s.sendall(b"\x7f\xf2\0\0")
                    if s.recv(4)[:1] == b"\x7f":
                        return True
            except OSError:
                pass
            time.sleep(0.1)
        return False

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            pass
        # The controller takes its workers with it; if it was killed, the session group is left.
        try:
            os.killpg(self.process.pid, 9)
        except ProcessLookupError:
            pass
        self.process.wait(10)
        self.log.close()
