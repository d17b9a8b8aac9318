#!/bin/sh
# Install what building and testing boxcar needs on Debian 12. Safe and quick to repeat.
# usage: tools/setup.sh [--peers] [--list]
#   --peers   also make build/peers, a Python venv with the real Crossbar.io and Autobahn (network)
#   --list    print the packages and do nothing
# Works as root, or as a user that may use sudo.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)

# The one list of packages. Everything else refers to this script.
build="gcc g++ libc6-dev binutils cmake ninja-build pkg-config git
	libsodium-dev liburing-dev libzstd-dev libmsgpack-dev libjansson-dev zlib1g-dev libssl-dev"
tests="libcriterion-dev libcbor-dev clang clang-format zstd openssl ca-certificates
	python3 python3-venv python3-pytest python3-pytest-xdist python3-nacl python3-msgpack python3-cbor2"

peers=no
for word in "$@"; do
	case $word in
	--peers) peers=yes ;;
	--list)
		printf '%s\n' $build $tests
		exit 0
		;;
	-h | --help)
		sed -n '2,6s/^# \{0,1\}//p' "$0"
		exit 0
		;;
	*)
		echo "setup.sh: unknown option: $word" >&2
		exit 2
		;;
	esac
done

missing=
for package in $build $tests; do
	dpkg -s "$package" 2>/dev/null | grep -q '^Status: install ok installed' ||
		missing="$missing $package"
done

if [ -n "$missing" ]; then
	echo "setup.sh: installing:$missing"
	as_root=
	if [ "$(id -u)" != 0 ]; then
		if ! command -v sudo >/dev/null; then
			echo "setup.sh: not root and no sudo; as root run: apt-get install$missing" >&2
			exit 1
		fi
		as_root=sudo
	fi
	$as_root apt-get update -q
	# DEBIAN_FRONTEND by env: sudo drops the caller's environment.
	$as_root env DEBIAN_FRONTEND=noninteractive \
		apt-get install -q -y --no-install-recommends $missing
fi

if [ "$peers" = yes ]; then
	mkdir -p "$root/build"
	# Debian's own Python 3.11, whatever else is first in PATH: the pins are for it.
	PYTHON=/usr/bin/python3 "$root/tests/peers/crossbar/install.sh" "$root/build/peers"
fi
