#!/bin/bash
# Build boxcar and run every test. From any directory; installs what is missing.
# usage: tools/test.sh [--quick]
#   --quick   the release build only: no sanitizers, no peers
# The logs of all steps are under build/test-logs. The last line is the count; the exit code is not 0
# when something failed.
set -u
root=$(cd "$(dirname "$0")/.." && pwd) || exit 1
cd "$root" || exit 1

quick=no
case ${1:-} in
'') ;;
--quick) quick=yes ;;
-h | --help)
	sed -n '2,6s/^# \{0,1\}//p' "$0"
	exit 0
	;;
*)
	echo "test.sh: unknown option: $1" >&2
	exit 2
	;;
esac

logs=$root/build/test-logs
rm -rf "$logs"
mkdir -p "$logs"
python=/usr/bin/python3
cpus=$(nproc)
passed=0 failed=0 skipped=0

finish() {
	if [ "$skipped" = 0 ]; then
		echo "$passed passed, $failed failed"
	else
		echo "$passed passed, $failed failed, $skipped skipped"
	fi
	[ "$failed" = 0 ]
	exit
}

# run NAME COMMAND...: one step with its log. A JUnit file logs/NAME.xml, where the step writes one, is
# counted; any other step is one test.
run() {
	local name=$1 began=$SECONDS code p=0 f=0 s=0
	shift
	printf '%-16s ' "$name"
	"$@" >"$logs/$name.log" 2>&1 </dev/null
	code=$?
	if [ -s "$logs/$name.xml" ]; then
		read -r p f s < <("$python" tests/support/tally.py "$logs/$name.xml" 2>"$logs/$name.names")
	elif [ "$code" = 0 ]; then
		p=1
	fi
	# A step that ends badly is never a success, whatever it counted.
	[ "$code" = 0 ] || [ "$f" != 0 ] || f=1
	passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
	printf '%5d passed, %d failed, %d skipped, %d s\n' "$p" "$f" "$s" $((SECONDS - began))
	[ ! -s "$logs/$name.names" ] || cat "$logs/$name.names"
	if [ "$code" != 0 ] && [ ! -s "$logs/$name.names" ]; then
		tail -n 30 "$logs/$name.log" | sed 's/^/    /'
	fi
	return "$code"
}

# build PRESET [TARGET...]
build() {
	local preset=$1
	shift
	# Debian's Python, which setup.sh gave the modules that the tests need, whatever else is in PATH.
	cmake --preset "$preset" -DPython3_EXECUTABLE="$python" && cmake --build --preset "$preset" ${1:+--target "$@"}
}

# suites NAME BUILD MARKER... : the tests of the program in Python.
suites() {
	local name=$1 build=$2
	shift 2
	BOXCAR=$root/build/$build/boxcar "$python" -B -m pytest -p no:cacheprovider -q -n "$cpus" \
		--junitxml "$logs/$name.xml" "$@"
}

unit() {
	local name=$1 build=$2
	shift 2
	ctest --test-dir "build/$build" --output-on-failure -j "$cpus" --output-junit "$logs/$name.xml" "$@"
}

run setup tools/setup.sh || finish
run build-release build release || finish
run unit unit unit release
run cli suites cli release tests/cli
run captures suites captures release tests/captures
run demo tools/demo.sh

[ "$quick" = no ] || finish

# The peers come from the Python package index. Without a network their tests are skipped, said so.
tools/setup.sh --peers >"$logs/peers.log" 2>&1 ||
	echo "the peers could not be set up (see $logs/peers.log): their tests are skipped"
run interop suites interop release tests/interop

# Under the sanitizers: all unit tests and corpora, and of the program what they may find something in.
export ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=exitcode=99:print_stacktrace=1 TSAN_OPTIONS=exitcode=99
export BOXCAR_TEST_BUILD=sanitize BOXCAR_TEST_PATIENCE=6 BOXCAR_TEST_STEP=31
# With clang, so that both compilers see every file with -Werror.
if CC=clang CXX=clang++ run build-asan build asan; then
	run asan-unit unit asan-unit asan
	run asan-cli suites asan-cli asan -m sanitized tests/cli tests/captures
fi
# Criterion cannot start under TSan; the threads are those of the program, which is run with many.
if run build-tsan build tsan boxcar; then
	run tsan-cli suites tsan-cli tsan tests/cli/test_same_bytes.py
fi
finish
