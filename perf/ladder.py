"""See ladder.sh."""
import json
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import compare  # noqa: E402

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BOXCAR = os.path.join(os.environ.get("BOXCAR_BUILD", os.path.join(ROOT, "build", "release")), "boxcar")
SEAL = ["read", "frame", "scan", "route", "key", "transcode", "nonce", "seal", "splice", "write"]
SIZES = ["32", "64", "128", "256", "1024", "4096", "16384", "65536", "lognormal:200"]
COLOURS = ["#4c78a8", "#9ecae9", "#f58518", "#ffbf79", "#54a24b", "#e45756", "#b79a20", "#72b7b2", "#b279a2", "#9d755d"]


def kernels():
    found = []
    for name in ("avx512", "avx2", "portable"):
        done = subprocess.run([BOXCAR, "gen", "-n", "3", "-t", "rawsocket"], capture_output=True, check=True)
        probe = subprocess.run([BOXCAR, "info", "--kernel", name, "-q"], input=done.stdout, capture_output=True, check=False)
        if probe.returncode == 0:
            found.append(name)
    return found


def bench(tmp, ring, serializer, size, kernel, rounds):
    path = os.path.join(tmp, "%s-%s.rs" % (serializer, size.replace(":", "-")))
    if not os.path.exists(path):
        mean = 200 if ":" in size else int(size)
        count = max(300, min(200000, 48_000_000 // max(mean, 100)))
        subprocess.run([BOXCAR, "gen", "-q", "-n", str(count), "--size", size, "--serializer", serializer, "-o", path], check=True)
    done = subprocess.run([BOXCAR, "bench", "--json", "-k", ring, "--kernel", kernel, "--rounds", str(rounds), path],
                          capture_output=True, check=True)
    return json.loads(done.stdout)


def svg(rows, path):
    """Stacked bars: ns a message by stage, for MessagePack with the fastest kernel, by size."""
    height, bar, left, width = 24 * len(rows) + 70, 16, 120, 640
    most = max(sum(row["stages"][s][1] for s in SEAL) for _, row in rows)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="820" height="%d" font-family="sans-serif" font-size="11">' % height]
    for i, (name, row) in enumerate(rows):
        x, y, total = left, 10 + i * 24, sum(row["stages"][s][1] for s in SEAL)
        out.append('<text x="%d" y="%d" text-anchor="end">%s</text>' % (left - 6, y + 12, name))
        for stage, colour in zip(SEAL, COLOURS):
            w = row["stages"][stage][1] / total * width
            out.append('<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>' % (x, y, w, bar, colour))
            x += w
        out.append('<text x="%d" y="%d">%.0f</text>' % (left + width + 6, y + 12, total))
    for i, (stage, colour) in enumerate(zip(SEAL, COLOURS)):
        x, y = left + (i % 5) * 120, height - 44 + (i // 5) * 18
        out.append('<rect x="%d" y="%d" width="10" height="10" fill="%s"/><text x="%d" y="%d">%s</text>' % (x, y, colour, x + 14, y + 9, stage))
    out.append('<text x="%d" y="%d">share of each stage in sealing; at the right ns a message (largest %.0f)</text></svg>' % (left, height - 2, most))
    with open(path, "w") as f:
        f.write("\n".join(out))


def main():
    rounds = int(sys.argv[1])
    result = {"machine": compare.machine(), "rows": []}
    names = kernels()
    base = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=base) as tmp:
        ring = os.path.join(tmp, "ring.json")
        subprocess.run([BOXCAR, "keyring", "add", ring, "com.acme."], check=True, stdout=subprocess.DEVNULL)
        for serializer in ("msgpack", "json", "cbor"):
            for size in SIZES:
                for kernel in names if serializer == "msgpack" else names[:1]:
                    row = bench(tmp, ring, serializer, size, kernel, rounds)
                    row.update(serializer=serializer, size=size, asked_kernel=kernel)
                    result["rows"].append(row)
    print("%-9s %-14s %-9s" % ("", "size", "kernel") + "".join("%10s" % s for s in SEAL) + "%9s %9s %7s" % ("sum", "whole -j1", "share"))
    for row in result["rows"]:
        pure = row["seal_sum"] - row["stages"]["write"][1]
        print("%-9s %-14s %-9s" % (row["serializer"], row["size"], row["asked_kernel"]) +
              "".join("%10.1f" % row["stages"][s][1] for s in SEAL) +
              "%9.0f %9.0f %6.2f" % (row["seal_sum"], row["whole_one"], pure / row["whole_one"] if row["whole_one"] else 0))
    print("ns a message, medians of %d rounds; the whole writes into nothing; share: stages without write / whole" % (rounds - 1))
    svg([(r["size"], r) for r in result["rows"] if r["serializer"] == "msgpack" and r["asked_kernel"] == names[0]],
        os.path.join(ROOT, "perf", "ladder.svg"))
    compare.save(os.path.join(ROOT, "perf", "out", "ladder.json"), result)


main()
