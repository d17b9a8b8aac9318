"""Runs programs side by side, interleaved, and tells their ratios. Used by the scripts beside it.

A contender is (name, command, how): `how` says how its messages a second are found: "json" reads
{"messages": N, "seconds": S} from its last line of stdout or stderr, which leaves out its start-up
and makes short runs of slow peers comparable with long ones of fast ones.
"""
import json
import os
import platform
import statistics
import subprocess
import sys
import time


def machine():
    model = "unknown"
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                model = line.split(":", 1)[1].strip()
                break
    return {"cpu": model, "cores": len(os.sched_getaffinity(0)), "kernel": platform.release(),
            "date": time.strftime("%Y-%m-%d")}


def run(command):
    """ns per message and CPU ns per message of one run."""
    before = os.times()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    after = os.times()
    if done.returncode != 0:
        sys.exit("%s: exit %d\n%s" % (" ".join(command), done.returncode, done.stderr.decode()))
    for text in (done.stdout, done.stderr):
        for line in reversed(text.decode().splitlines()):
            if line.startswith("{"):
                row = json.loads(line)
                cpu = after.children_user + after.children_system - before.children_user - before.children_system
                return {"ns": row["seconds"] * 1e9 / row["messages"], "cpu_ns": cpu * 1e9 / row["messages"],
                        "messages": row["messages"]}
    sys.exit("%s: printed no result" % " ".join(command))


def compare(contenders, rounds, base):
    """Interleaves the contenders; every ratio is of two runs of one round: others / base."""
    rows = {name: [] for name, _ in contenders}
    for _ in range(rounds):
        for name, command in contenders:
            rows[name].append(run(command))
    table = {}
    for name, runs in rows.items():
        ns = [r["ns"] for r in runs]
        ratios = [r["ns"] / b["ns"] for r, b in zip(runs, rows[base])]
        table[name] = {"ns_min": min(ns), "ns_median": statistics.median(ns), "ns_max": max(ns),
                       "cpu_ns_median": statistics.median(r["cpu_ns"] for r in runs),
                       "messages": runs[0]["messages"],
                       "ratio_min": min(ratios), "ratio_median": statistics.median(ratios),
                       "ratio_max": max(ratios)}
    return table


def show(title, table, base):
    print("\n%s\n%-34s %10s %10s %10s %12s %26s" % (title, "", "min ns", "median ns", "max ns", "messages/s",
                                                 "boxcar is faster by"))
    for name, row in table.items():
        ratio = "" if name == base else "%.1fx (%.1f..%.1f)" % (row["ratio_median"], row["ratio_min"], row["ratio_max"])
        print("%-34s %10.0f %10.0f %10.0f %12.0f %26s" % (name, row["ns_min"], row["ns_median"], row["ns_max"],
                                                        1e9 / row["ns_median"], ratio))


def save(path, result):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as f:
        json.dump(result, f, indent=1)
    print("\nwritten: %s" % os.path.relpath(path))
