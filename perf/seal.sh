#!/usr/bin/env bash
# seal and open of a RawSocket MessagePack recording: boxcar -j1, -j2 and the portable kernel beside
# Autobahn|Python, a plain C program and libsodium alone. usage: perf/seal.sh [ROUNDS [MESSAGES]]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
exec python3 "$here/seal.py" "${1:-5}" "${2:-1000000}"
