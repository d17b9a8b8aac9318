#!/usr/bin/env bash
# The ladder: each stage alone, then the whole, for serializers, sizes, kernels. Prints tables, writes
# perf/out/ladder.json and perf/ladder.svg. usage: perf/ladder.sh [ROUNDS]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/ladder.py" "${1:-7}"
