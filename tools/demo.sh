#!/usr/bin/env bash
# From nothing to a sealed, verified and opened recording of a real router, with the figures.
# usage: tools/demo.sh
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
bold() { printf '\n\033[1m%s\033[0m\n' "$*"; }
[ -t 1 ] || bold() { printf '\n%s\n' "$*"; }
run() {
	printf '$ boxcar'
	printf ' %q' "$@"
	printf '\n'
	"$boxcar" "$@"
}

bold "1. what is missing is installed, and boxcar is built"
tools/setup.sh
mkdir -p build/log
if ! { cmake --preset release && cmake --build --preset release --target boxcar; } >build/log/demo-build.log 2>&1; then
	tail -n 30 build/log/demo-build.log
	exit 1
fi
boxcar=$root/build/release/boxcar
"$boxcar" --version

# Memory rather than a disk, where there is room: the figures are about boxcar.
place=${TMPDIR:-/tmp}
if [ -w /dev/shm ] && [ "$(df --output=avail -k /dev/shm | tail -n 1)" -gt 2000000 ]; then place=/dev/shm; fi
work=$(mktemp -d -p "$place")
trap 'rm -rf "$work"' EXIT
cd "$work"

bold "2. a real recording: 100,501 PUBLISH and as many EVENT that went through Crossbar.io"
zstd -q -d "$root/tests/data/captures/bulk-telemetry-plain/capture.trace.jsonl.zst" -o day.trace.jsonl
run info day.trace.jsonl | head -n 16

bold "3. a keyring"
run keyring add ring.json com.acme.
run keyring check ring.json || true

bold "4. one of its connections as a RawSocket stream: sealed, verified, opened"
run convert -q day.trace.jsonl --conn 1 --dir c2r -t rawsocket -o day.rs
run seal -k ring.json day.rs -o day.sealed.rs
run verify -k ring.json day.sealed.rs
run open -k ring.json day.sealed.rs -o day.opened.rs
cmp day.rs day.opened.rs && echo "day.opened.rs is day.rs, byte for byte"

bold "5. what an observer sees, and what a holder of the key sees"
run cat day.sealed.rs --type PUBLISH --limit 1 | cut -c 1-300
run cat -k ring.json day.sealed.rs --type PUBLISH --limit 1 | cut -c 1-300

bold "6. a million synthetic messages"
run gen -q -n 1e6 --size 220 -o million.rs
for threads in 1 "$(nproc)"; do
	run seal -k ring.json --no-sync --force -j "$threads" million.rs -o million.sealed.rs
done
run open -k ring.json --no-sync million.sealed.rs -o million.opened.rs
cmp million.rs million.opened.rs && echo "million.opened.rs is million.rs, byte for byte"
