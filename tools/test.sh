#!/usr/bin/env bash
# Installs what is missing, builds, runs all default tests; the last line has the counts.
# usage: tools/test.sh [--quick]     --quick: without sanitizers and without the real router
set -uo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root" || exit 1
quick=no
[ "${1:-}" = --quick ] && quick=yes

passed=0 failed=0 skipped=0 broken=0

say() { printf '\n== %s\n' "$*"; }

# must NAME COMMAND...: a step that the tests need; its failure counts as one failed test.
must() {
	local name=$1
	shift
	say "$name"
	mkdir -p build/log
	if "$@" >"build/log/$name.log" 2>&1; then
		tail -n 1 "build/log/$name.log"
	else
		tail -n 40 "build/log/$name.log"
		echo "test.sh: $name failed; the whole output is in build/log/$name.log"
		broken=$((broken + 1))
		return 1
	fi
}

build_tree() { # PRESET [TARGET...]
	local preset=$1
	shift
	cmake --preset "$preset" && cmake --build --preset "$preset" ${1:+--target "$@"}
}

# Counts of ctest and pytest are read from their closing lines.
count() {
	local log=$1 line
	if line=$(grep -E 'tests passed, [0-9]+ tests? failed out of' "$log"); then
		local lost total gone
		lost=$(sed -E 's/.* ([0-9]+) tests? failed out of.*/\1/' <<<"$line")
		total=$(sed -E 's/.* out of ([0-9]+).*/\1/' <<<"$line")
		gone=$(grep -cE '\*\*\*Skipped' "$log" || true)
		failed=$((failed + lost)) skipped=$((skipped + gone)) passed=$((passed + total - lost - gone))
	elif line=$(grep -E '^(=+ )?[0-9].* in [0-9.]+s' "$log" | tail -n 1); then
		for word in passed failed error skipped; do
			local n
			n=$(grep -oE "[0-9]+ ${word}s?" <<<"$line" | grep -oE '[0-9]+' || echo 0)
			case $word in
			passed) passed=$((passed + n)) ;;
			skipped) skipped=$((skipped + n)) ;;
			*) failed=$((failed + n)) ;;
			esac
		done
	else
		failed=$((failed + 1))
	fi
}

# suite NAME COMMAND...: runs it, shows its end (all that failed), counts.
suite() {
	local name=$1 code=0
	shift
	say "$name"
	"$@" >"build/log/$name.log" 2>&1 || code=$?
	if [ $code -ne 0 ]; then
		grep -E 'FAILED|\*\*\*|^E  |SUMMARY:' "build/log/$name.log" | head -n 60
		echo "the whole output is in build/log/$name.log"
	fi
	tail -n 2 "build/log/$name.log"
	local before=$failed
	count "build/log/$name.log"
	if [ $code -ne 0 ] && [ "$failed" -eq "$before" ]; then failed=$((failed + 1)); fi
}

python_tests() { # PROGRAM PATIENCE PATHS-AND-OPTIONS...
	local program=$1 patience=$2
	shift 2
	BOXCAR=$program BOXCAR_TEST_PATIENCE=$patience \
		ASAN_OPTIONS=exitcode=99 UBSAN_OPTIONS=exitcode=99 TSAN_OPTIONS=exitcode=99 \
		/usr/bin/python3 -m pytest -q -p no:cacheprovider -n 2 --tb=short "$@"
}

setup_words=()
[ $quick = no ] && setup_words=(--peers)
must setup tools/setup.sh "${setup_words[@]}"
if must build-release build_tree release; then
	suite unit ctest --test-dir build/release -j2 --output-on-failure
	paths=(tests/cli tests/captures)
	[ $quick = no ] && paths+=(tests/interop)
	suite program python_tests "$PWD/build/release/boxcar" 1 "${paths[@]}"
	mkdir -p build/samples
	BX_SAMPLES=$PWD/build/samples suite second-reader python_tests "$PWD/build/release/boxcar" 1 tests/reader
fi
if [ $quick = no ]; then
	# Clang, so that both compilers see every file with -Werror.
	if must build-asan env CC=clang CXX=clang++ cmake --preset asan && must make-asan cmake --build --preset asan; then
		suite unit-asan ctest --test-dir build/asan -j2 --output-on-failure
		suite program-asan python_tests "$PWD/build/asan/boxcar" 4 tests/cli tests/captures -m sanitized
	fi
	if must build-tsan build_tree tsan boxcar test_lane test_source; then
		suite unit-tsan ctest --test-dir build/tsan -j1 --output-on-failure -R 'unit/(test_lane|test_source)'
		suite program-tsan python_tests "$PWD/build/tsan/boxcar" 6 tests/cli tests/captures -m sanitized -k "same or capture or set"
	fi
fi

failed=$((failed + broken))
printf '\n%d passed, %d failed, %d skipped\n' "$passed" "$failed" "$skipped"
[ "$failed" -eq 0 ]
