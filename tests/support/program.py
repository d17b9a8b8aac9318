"""Runs the built program."""

import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
DATA = os.path.join(ROOT, "tests", "data")
CAPTURES = os.path.join(DATA, "captures")
PROGRAM = os.path.abspath(os.environ.get("BOXCAR") or os.path.join(ROOT, "build", "release", "boxcar"))
# A sanitizer or valgrind slows everything down.
PATIENCE = float(os.environ.get("BOXCAR_TEST_PATIENCE", "1"))
NONCE_SEED = "BOXCAR_TEST_NONCE_SEED"


class Result:
    def __init__(self, code, out, err):
        self.code, self.out, self.err = code, out, err

    @property
    def errors(self):
        return self.err.decode("utf-8", "replace")

    def json(self):
        """The one JSON object that is the last line of stdout."""
        return json.loads(self.out.decode().strip().split("\n")[-1])

    def json_err(self):
        return json.loads(self.err.decode().strip().split("\n")[-1])

    def lines(self):
        return [json.loads(line) for line in self.out.decode().split("\n") if line]

    def __repr__(self):
        return "exit %s\nstdout %r\nstderr %s" % (self.code, self.out[:600], self.errors[:3000])


def environment(**more):
    env = {k: v for k, v in os.environ.items() if not k.startswith("BOXCAR")}
    env["LC_ALL"] = "C.UTF-8"
    env.update({k: str(v) for k, v in more.items()})
    return env


def run(*words, stdin=b"", seed=None, code=None, timeout=60, cwd=None, stdout=None, **env):
    """Runs the program with `words`; `code` (a number or several) is what it must exit with."""
    if seed is not None:
        env[NONCE_SEED] = seed
    process = subprocess.run(
        [PROGRAM] + [str(w) for w in words], input=stdin, timeout=timeout * PATIENCE, cwd=cwd,
        stdout=stdout or subprocess.PIPE, stderr=subprocess.PIPE, env=environment(**env))
    result = Result(process.returncode, process.stdout or b"", process.stderr)
    # 99 is what a sanitizer is told to end with: never an exit code of the program's own.
    assert process.returncode >= 0 and process.returncode != 99, (words, result)
    if code is not None:
        assert result.code in (code if isinstance(code, (tuple, list, set)) else (code,)), (words, result)
    return result


def start(*words, **keywords):
    """The program as a subprocess that the caller ends."""
    env = environment(**keywords.pop("env", {}))
    return subprocess.Popen([PROGRAM] + [str(w) for w in words], env=env, **keywords)


if not os.access(PROGRAM, os.X_OK):
    sys.exit("no program at %s: build it, or name it with BOXCAR" % PROGRAM)
