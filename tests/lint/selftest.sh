#!/bin/bash
# Proves the lint: in a small tree without fault nothing is found, and every planted violation is.
# usage: selftest.sh
set -u
here=$(cd "$(dirname "$0")" && pwd)
tree=$(mktemp -d) || exit 2
trap 'rm -rf "$tree"' EXIT
checked=0
bad=0

fresh() {
	rm -rf "$tree"
	mkdir -p "$tree"/{engine/{base,io,frame,codec,keys,box,archive,pipe,client},include/boxcar,tools,tests/data,perf,docs}
	cp "$here/../../.clang-format" "$tree/"
	local room
	for room in base io frame keys box archive pipe client; do
		printf '#ifndef BX_%s\n#define BX_%s\n\n#include <stdint.h>\n\n#endif\n' "$room" "$room" \
			>"$tree/engine/$room/${room}_a.h"
		printf '#include "%s/%s_a.h"\n\n#include <string.h>\n' "$room" "$room" \
			>"$tree/engine/$room/${room}_a.c"
	done
	local name
	for name in json msgpack cbor; do
		printf '#ifndef BX_%s\n#define BX_%s\n\n#endif\n' $name $name >"$tree/engine/codec/$name.h"
		printf '#include "codec/%s.h"\n' $name >"$tree/engine/codec/${name}_walk.c"
	done
	printf '#ifndef B_SPAN\n#define B_SPAN\n\n#include <stdint.h>\n\n#endif\n' >"$tree/include/boxcar/span.h"
	printf '#include "boxcar/span.h"\n' >"$tree/tools/main.c"
}

# expect WHAT PATTERN: the lint of the tree as it is now fails and says PATTERN.
expect() {
	checked=$((checked + 1))
	local said
	if said=$("$here/${3:-arrows.sh}" "$tree"); then
		bad=$((bad + 1))
		echo "selftest: $1: not found"
	elif ! printf '%s\n' "$said" | grep -qE -- "$2"; then
		bad=$((bad + 1))
		echo "selftest: $1: found, but it says:"
		printf '%s\n' "$said" | sed 's/^/    /'
	fi
}

# plant FILE LINE: adds a line to a file of a fresh tree.
plant() {
	fresh
	printf '%s\n' "$2" >>"$tree/$1"
}

fresh
checked=$((checked + 2))
said=$("$here/arrows.sh" "$tree") || {
	bad=$((bad + 1))
	echo "selftest: a tree without fault is refused:"
	printf '%s\n' "$said"
}
"$here/headers.sh" "$tree" >/dev/null || {
	bad=$((bad + 1))
	echo "selftest: headers without fault are refused"
}

for pair in io:frame frame:codec codec:keys keys:box box:archive archive:io; do
	from=${pair%:*} to=${pair#*:}
	plant "engine/$from/${from}_b.c" "#include \"$to/${to}_a.h\""
	expect "$from -> $to" "$from must not include $to"
done
plant engine/base/base_a.c '#include "io/io_a.h"'
expect "base -> io" "base must not include io"
plant engine/pipe/pipe_a.c '#include "client/client_a.h"'
expect "pipe -> client" "pipe must not include client"
plant engine/client/client_a.c '#include "box/box_a.h"'
expect "client -> box" "client must not include box"
for pair in json:msgpack msgpack:cbor cbor:json; do
	from=${pair%:*} to=${pair#*:}
	plant "engine/codec/${from}_walk.c" "#include \"codec/$to.h\""
	expect "$from -> $to" "$from must not include $to"
done
plant engine/io/io_a.c '#include "tests/x.h"'
expect "engine -> tests" "nothing includes tests/"
plant tools/main.c '#include "perf/x.h"'
expect "tools -> perf" "nothing includes perf/"
plant tools/main.c '#include "pipe/pipe_a.h"'
expect "tools -> engine" "tools/ includes only"
plant include/boxcar/span.h '#include "base/base_a.h"'
expect "public -> engine" "a public header includes only"
plant engine/io/io_a.c '#include "io_a.h"'
expect "include without folder" "names its folder"
plant engine/pipe/pipe_a.c '#include <liburing.h>'
expect "liburing in pipe" "<liburing.h> does not belong in pipe"
plant engine/frame/frame_a.c '#include <zstd.h>'
expect "zstd in frame" "<zstd.h> does not belong in frame"
plant engine/io/io_a.c '#include <zlib.h>'
expect "zlib in io" "<zlib.h> does not belong in io"
plant engine/codec/json_walk.c '#include <jansson.h>'
expect "jansson in codec" "<jansson.h> does not belong in codec"
plant engine/codec/json_walk.c '#include <sodium.h>'
expect "sodium in codec" "<sodium.h> does not belong in codec"
plant engine/pipe/pipe_a.c '#include <openssl/ssl.h>'
expect "openssl in pipe" "<openssl/ssl.h> does not belong in pipe"
plant engine/io/io_a.c '#include <curl/curl.h>'
expect "an unknown library" "no known third-party"
plant engine/keys/keys_a.c '#include <fcntl.h>'
expect "descriptors in keys" "keys is pure"
plant engine/box/box_a.c '#include <pthread.h>'
expect "threads in box" "box is pure"
plant engine/archive/archive_a.c '#include <time.h>'
expect "the clock in archive" "archive is pure"
plant engine/frame/frame_a.c '	x = clock_gettime(0, 0);'
expect "a call of the clock" "pure room calls the system"
plant engine/archive/archive_a.c '	n = write(fd, p, 4);'
expect "a call of write" "pure room calls the system"
plant engine/pipe/pipe_a.c 'extern int bx_box_avx2;'
expect "a kernel named in pipe" "only box.c names a kernel"
plant engine/io/io_b.c '#include <string.h>'
printf '#ifndef X\n#define X\n\n#endif\n' >"$tree/engine/io/io_b.h"
expect "own header not first" "own header first"
plant engine/pipe/io_a.c '#include <string.h>'
expect "two files of one name" "more than one file has this name"
fresh
mkdir -p "$tree/engine/attic" && echo '#include <string.h>' >"$tree/engine/attic/attic.c"
expect "a room nobody planned" "no room of the architecture"
plant NOTES.txt 'x'
expect "a stray file at the top" "belongs at the top"
plant docs/page.md "see /ho""me/somebody/x"
expect "a path of one machine" "absolute path"
plant engine/io/io_a.c 'int   bx_badly( int a ){return a;}'
expect "bad format" "clang-format"
fresh
truncate -s 21000000 "$tree/tests/data/big.bin"
expect "too much data" "at most 20 MiB"
plant include/boxcar/span.h 'bool bx_x(struct undeclared u);'
expect "a header that needs another" "does not compile alone" headers.sh
plant include/boxcar/span.h 'int bx_twice = 1;'
expect "a header without a guard" "does not compile alone" headers.sh
plant include/boxcar/span.h 'static inline int bx_new(int class) { return class; }'
expect "a header that is no C++" "c\+\+17" headers.sh

# Symbols: a library with one foreign name.
fresh
mkdir -p "$tree/build"
{
	for i in $(seq 30); do echo "int bx_x_$i(void); int bx_x_$i(void) { return $i; }"; done
	echo "int helper_without_prefix(void); int helper_without_prefix(void) { return 0; }"
} >"$tree/build/x.c"
(cd "$tree/build" && gcc -fPIC -c x.c && ar rcs libboxcar.a x.o && gcc -shared -o libboxcar.so x.o)
checked=$((checked + 1))
said=$("$here/arrows.sh" "$tree" "$tree/build")
if [ "$(printf '%s\n' "$said" | grep -c 'without bx_: helper_without_prefix')" != 2 ]; then
	bad=$((bad + 1))
	echo "selftest: a foreign symbol was not found in both libraries:"
	printf '%s\n' "$said" | sed 's/^/    /'
fi

echo "selftest: $checked checks, $bad failed"
[ "$bad" = 0 ]
