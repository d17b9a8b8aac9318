"""See seal.sh."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("BOXCAR_BUILD", os.path.join(ROOT, "build", "release"))
BOXCAR = os.path.join(BUILD, "boxcar")
VENV = os.environ.get("BOXCAR_PEERS", os.path.join(ROOT, "build", "peers"))
PEER = os.path.join(ROOT, "perf", "peers", "autobahn_peer.py")


def python_peers():
    found = []
    for name, path in (("Autobahn|Python", os.path.join(VENV, "bin", "python")),
                       ("Autobahn|Python on PyPy", os.path.join(VENV + "-pypy", "bin", "python"))):
        if os.path.exists(path):
            found.append((name, path))
    return found


def main():
    rounds, messages = int(sys.argv[1]), sys.argv[2]
    few = str(min(int(messages), 40000))
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    result = {"machine": compare.machine(), "messages": int(messages)}
    with tempfile.TemporaryDirectory(dir=base) as tmp:
        ring, plain, sealed, out = (os.path.join(tmp, n) for n in ("ring.json", "t.rs", "s.rs", "o.rs"))
        subprocess.run([BOXCAR, "keyring", "add", ring, "com.acme."], check=True, stdout=subprocess.DEVNULL)
        subprocess.run([BOXCAR, "gen", "-q", "-n", messages, "--size", "220", "-o", plain], check=True)
        subprocess.run([BOXCAR, "seal", "-q", "-k", ring, plain, "-o", sealed], check=True)
        for verb, source in (("seal", plain), ("open", sealed)):
            ours = [BOXCAR, verb, "--json", "--no-sync", "--force", "-k", ring, source, "-o", out]
            contenders = [("boxcar -j1", ours + ["-j1"]), ("boxcar -j2", ours + ["-j2"]),
                          ("boxcar -j1 --kernel portable", ours + ["-j1", "--kernel", "portable"]),
                          ("boxcar -j2 --kernel portable", ours + ["-j2", "--kernel", "portable"]),
                          ("plain C (msgpack-c, jansson)", [os.path.join(BUILD, "perf", "plain_peer"), verb, ring, source, out])]
            if verb == "seal":
                for name, peer in (("Go nacl/box, nothing parsed", "go_peer"), ("Rust crypto_box, nothing parsed", "rust_peer")):
                    if os.path.exists(os.path.join(BUILD, "perf", peer)):
                        contenders.append((name, [os.path.join(BUILD, "perf", peer), source, out]))
                contenders.append(("libsodium alone, nothing parsed", [os.path.join(BUILD, "perf", "sodium_peer"), source, out]))
            for name, python in python_peers():
                contenders.append((name, [python, PEER, verb, ring, source, out, few]))
            table = compare.compare(contenders, rounds, "boxcar -j1")
            compare.show("%s, %s messages of about 220 bytes, RawSocket MessagePack" % (verb, messages), table, "boxcar -j1")
            result[verb] = table
            one, two = table["boxcar -j1"], table["boxcar -j2"]
            print("-j2 over -j1: %.2fx; portable %.2fx" % (
                one["ns_median"] / two["ns_median"],
                table["boxcar -j1 --kernel portable"]["ns_median"] / table["boxcar -j2 --kernel portable"]["ns_median"]))
    compare.save(os.path.join(ROOT, "perf", "out", "seal.json"), result)


main()
