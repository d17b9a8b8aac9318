#!/usr/bin/env bash
# Everything that does the same job, side by side in one run: Autobahn|Python, a plain C program,
# libsodium alone, Go x/crypto/nacl/box and Rust crypto_box where their toolchains are there, and the
# copy that bounds the I/O. usage: perf/peers.sh [ROUNDS [MESSAGES]]
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${BOXCAR_BUILD:-$here/../build/release}
mkdir -p "$build/perf"
if command -v go >/dev/null; then
	(cd "$here/peers/go_peer" && go build -o "$(cd "$build/perf" && pwd)/go_peer" .) || echo "go_peer: not built"
fi
if command -v cargo >/dev/null; then
	(cd "$here/peers/rust_peer" && CARGO_TARGET_DIR="$(cd "$build" && pwd)/rust" cargo build --quiet --release &&
		cp "$(cd "$build" && pwd)/rust/release/rust_peer" "$(cd "$build/perf" && pwd)/") || echo "rust_peer: not built"
fi
if [ -x "$build/perf/io_bench" ]; then
	"$build/perf/io_bench" -n 3 -s 256 "$build"
fi
exec python3 "$here/seal.py" "${1:-5}" "${2:-1000000}"
