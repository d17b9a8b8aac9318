#!/bin/bash
# Every public header compiles alone as C17 and as C++17 (gcc, and clang where it is), and every
# header of the engine compiles alone as C17.
# usage: headers.sh [ROOT]
# One line for every header that does not, then one closing line of counts. Exit 1 when there is one.
set -u
root=$(cd "${1:-$(dirname "$0")/../..}" && pwd) || exit 2
cd "$root" || exit 2

warnings="-Wall -Wextra -Werror -Wno-unused-function"
checked=0
bad=0

# compile COMPILER LANGUAGE STANDARD HEADER EXTRA...
compile() {
	local compiler=$1 language=$2 standard=$3 header=$4
	shift 4
	checked=$((checked + 1))
	# Twice: the guard must hold. The name of the header is what a user would write.
	local text="#include \"$header\"
#include \"$header\"
"
	if ! errors=$(printf '%s' "$text" | "$compiler" -x "$language" -std="$standard" $warnings "$@" \
		-Iinclude -fsyntax-only - 2>&1); then
		bad=$((bad + 1))
		echo "$header: does not compile alone as $standard ($compiler)"
		printf '%s\n' "$errors" | head -5 | sed 's/^/    /'
	fi
}

shopt -s nullglob
public=(include/boxcar/*.h)
if [ ${#public[@]} = 0 ]; then
	echo "include/boxcar: no headers"
	bad=1
fi
for header in "${public[@]}"; do
	compile gcc c c17 "${header#include/}" -pedantic
	compile g++ c++ c++17 "${header#include/}" -pedantic
	if command -v clang >/dev/null; then
		compile clang c c17 "${header#include/}" -pedantic
		compile clang++ c++ c++17 "${header#include/}" -pedantic
	fi
done

# A body that is included many times with other macros says so in its name; so do the pieces of the
# kernels, which want the lanes of the file that includes them.
for header in engine/*/*.h; do
	case $header in
	*_body.h | engine/box/box_lanes.h | engine/box/box_chunk.h | engine/box/*_rounds.h | engine/box/poly_*.h)
		continue
		;;
	esac
	compile gcc c c17 "${header#engine/}" -D_GNU_SOURCE -Iengine
done

echo "headers: $checked compiled, $bad failed"
[ "$bad" = 0 ]
