#!/bin/bash
# Checks the doors between the rooms, and what else must hold all over the tree.
# usage: arrows.sh [ROOT [BUILD]]
#   ROOT   the tree (default: the one that this script stands in)
#   BUILD  a finished build of it: also checks the symbols of libboxcar.a and libboxcar.so
# One line for every violation, "warning:" lines that do not count, then one closing line of counts.
# Exit 1 when there is a violation.
#
# The rules are those of the architecture: which room may include which, which third-party header
# belongs where, and which rooms are pure (no descriptors, no threads, no clock).
set -u
export LC_ALL=C
root=$(cd "${1:-$(dirname "$0")/../..}" && pwd) || exit 2
build=${2:-}
[ -z "$build" ] || build=$(cd "$build" && pwd) || exit 2
cd "$root" || exit 2

found=$(mktemp) || exit 2
trap 'rm -f "$found"' EXIT
checked=0

# Every file of the tree; what is built or left behind by a run is not part of it.
list_files() {
	find . \( -name .git -o -path ./build -o -name __pycache__ -o -path ./perf/out \) -prune -o \
		-type f -print | sed 's,^\./,,' | sort
}

# name: one check, which prints its violations.
check() {
	checked=$((checked + 1))
	"$@" >>"$found"
}

# --- what stands at the top ----------------------------------------------------------------------

check_top() {
	find . -mindepth 1 -maxdepth 1 | sed 's,^\./,,' | sort | while read -r name; do
		case $name in
		.git | .gitignore | .clang-format | .ci | build) ;;
		CMakeLists.txt | CMakePresets.json | README.md | LICENSE) ;;
		docs | engine | include | perf | tests | tools) ;;
		*) echo "$name: nothing of this name belongs at the top" ;;
		esac
	done
}

# --- one name, one file --------------------------------------------------------------------------

# Names that a tool wants in many folders, and data whose names come from a set.
check_unique_names() {
	list_files | grep -vE '^tests/(data|kat|fuzz/corpus)/' |
		grep -vE '(^|/)(CMakeLists\.txt|README\.md|\.gitignore|conftest\.py|__init__\.py)$' |
		awk -F/ '{ n[$NF]++; where[$NF] = where[$NF] " " $0 }
			END { for (f in n) if (n[f] > 1) print f ": more than one file has this name:" where[f] }' |
		sort
}

# --- the doors -----------------------------------------------------------------------------------

check_doors() {
	list_files | grep -E '^(engine|include|tools|tests|perf)/.*\.(c|h)$' | grep -v '^tests/data/' |
		xargs -d '\n' awk '
	function say(text) { print FILENAME ":" FNR ": " text }
	function allow(room, list,   i, n, part) {
		n = split(list, part, " ")
		for (i = 1; i <= n; i++) may[room, part[i]] = 1
		known[room] = 1
	}
	function third(header, list,   i, n, part) {
		n = split(list, part, " ")
		for (i = 1; i <= n; i++) lib[header, part[i]] = 1
		is_lib[header] = 1
	}
	function one_of(name, list) { return index(" " list " ", " " name " ") != 0 }
	BEGIN {
		# Which room may include which. Its own and the public headers are always open.
		allow("base", "")
		allow("io", "base")
		allow("frame", "base")
		allow("codec", "base")
		allow("keys", "base")
		allow("box", "base")
		allow("archive", "base")
		allow("import", "base frame codec")
		allow("pipe", "base io frame codec keys box archive import")
		allow("client", "base io frame codec keys archive pipe")

		# Third-party headers, by the word they begin with, and the rooms that may use them.
		third("liburing", "io")
		third("zstd", "io archive tests perf")
		third("zlib", "frame tests")
		# io: key files are read into guarded memory.
		third("sodium", "keys box archive client io pipe tests perf")
		# Small documents: keyring files, HELLO and WELCOME, the state of a rekey, --json.
		third("jansson", "keys client pipe tools tests perf")
		third("msgpack", "client tests perf")
		third("openssl", "client tests perf")
		third("cbor", "tests perf")
		third("criterion", "tests")

		libc = "assert ctype errno fenv float inttypes limits locale math setjmp signal stdalign" \
			" stdarg stdatomic stdbool stddef stdint stdio stdlib stdnoreturn string strings tgmath" \
			" threads time unistd fcntl poll pthread sched dirent fnmatch ftw getopt glob" \
			" libgen netdb pwd regex spawn termios syslog endian byteswap execinfo malloc dlfcn semaphore" \
			" immintrin emmintrin wmmintrin smmintrin nmmintrin cpuid x86intrin"
		fd_thread_clock = "fcntl unistd pthread threads time poll dirent sched semaphore spawn termios" \
			" sys/socket sys/stat sys/time sys/uio sys/epoll sys/eventfd sys/timerfd sys/file" \
			" sys/mman sys/vfs sys/sendfile sys/inotify netdb"
		simd = "immintrin emmintrin wmmintrin smmintrin nmmintrin cpuid x86intrin"
		pure = "frame codec keys box archive"
	}
	FNR == 1 {
		n = split(FILENAME, path, "/")
		top = path[1]
		room = top == "engine" ? path[2] : top == "include" ? "boxcar" : top
		base = path[n]
		includes = 0
		own = ""
		if (top == "engine" && !(room in known)) say("engine/" room " is no room of the architecture")
		if (base ~ /\.c$/) {
			header = base
			sub(/\.c$/, ".h", header)
			if (top == "engine") own = room "/" header
			else own = header
			full = FILENAME
			sub(/\.c$/, ".h", full)
			if ((getline line < full) < 0) own = ""
			else close(full)
		}
	}
	/^[ \t]*#[ \t]*include[ \t]/ {
		includes++
		text = $0
		sub(/^[ \t]*#[ \t]*include[ \t]+/, "", text)
		quoted = text ~ /^"/
		name = text
		sub(/^["<]/, "", name)
		sub(/[">].*$/, "", name)
		if (includes == 1 && own != "" && name != own) say("a .c includes its own header first: " own)

		folder = name
		if (!sub(/\/.*$/, "", folder)) folder = ""
		stem = name
		sub(/\.(h|hpp)$/, "", stem)
		word = stem
		sub(/[\/_.].*$/, "", word)

		if (quoted) {
			if (name ~ /\.\./) say("an include climbs out of its folder: " name)
			if (folder == "tests" || folder == "perf") {
				if (top != "tests" && top != "perf") say("nothing includes " folder "/: " name)
				next
			}
			if (top == "engine") {
				if (folder == "") say("an include inside engine/ names its folder: " name)
				else if (folder != room && folder != "boxcar" && !((room, folder) in may))
					say(room " must not include " folder ": " name)
				serializer(name)
			} else if (top == "include") {
				if (folder != "boxcar") say("a public header includes only public headers: " name)
			} else if (top == "tools") {
				if (folder != "boxcar" && !(folder == "" && is_tools_header(name)))
					say("tools/ includes only include/boxcar and its own headers: " name)
			}
			next
		}
		if (word in is_lib) {
			if (!((word, room) in lib)) say("<" name "> does not belong in " room)
		} else if (one_of(stem, libc) || folder ~ /^(sys|linux|netinet|arpa|net|asm)$/) {
			if (top == "engine" && one_of(room, pure) && one_of(stem, fd_thread_clock))
				say(room " is pure (no descriptors, threads or clock): <" name ">")
			if (top == "include" && !one_of(stem, "stdbool stddef stdint stdio"))
				say("a public header stays free of the system: <" name ">")
			if (top == "engine" && one_of(stem, simd) && !one_of(room, "base box"))
				say("SIMD headers belong in base and box: <" name ">")
		} else {
			say("<" name "> is no known third-party or system header")
		}
	}
	# msgpack, json and cbor never include each other.
	function serializer(name,   mine, theirs) {
		if (room != "codec" || name !~ /^codec\//) return
		mine = base ~ /^(msgpack|json|cbor)/ ? base : ""
		theirs = name
		sub(/^codec\//, "", theirs)
		if (mine == "" || theirs !~ /^(msgpack|json|cbor)/) return
		sub(/[_.].*$/, "", mine)
		sub(/[_.].*$/, "", theirs)
		if (mine != theirs) say(mine " must not include " theirs ": " name)
	}
	function is_tools_header(name,   line, there) {
		there = (getline line < ("tools/" name)) >= 0
		if (there) close("tools/" name)
		return there
	}'
}

# Calls that a pure room has no use for, spelled without their header.
check_pure_calls() {
	list_files | grep -E '^engine/(frame|codec|keys|box|archive)/.*\.(c|h)$' | xargs -d '\n' -r awk '
	BEGIN {
		calls = "(open|openat|read|write|pread|pwrite|close|fopen|fsync|fdatasync|mmap|socket|poll" \
			"|select|ioctl|pthread_[a-z_]+|thrd_[a-z]+|clock_gettime|gettimeofday|time|nanosleep" \
			"|usleep|sleep)"
	}
	FNR == 1 { comment = 0 }
	{
		line = $0
		gsub(/\/\*[^*]*\*\//, "", line)
		if (comment && !sub(/^.*\*\//, "", line)) next
		comment = sub(/\/\*.*$/, "", line)
		gsub(/"([^"\\]|\\.)*"/, "", line)
		# A name in the first column is a definition of our own, "." and ">" lead to a member.
		if (line ~ ("[^_[:alnum:].>]" calls "[ \t]*\\("))
			print FILENAME ":" FNR ": a pure room calls the system:" $0
	}'
}

# Only box.c names a kernel; a kernel's own file defines it.
check_kernels() {
	list_files | grep -E '^(engine|tools|include)/.*\.(c|h)$' |
		grep -vE '^engine/box/(box\.c|box_kernel\.h|box_(portable|avx2|avx512)\.c)$' |
		xargs -d '\n' -r grep -nE '\bbx_box_(portable|avx2|avx512)\b' |
		sed -E 's/^([^:]*:[0-9]+):.*/\1: only box.c names a kernel/'
}

# --- text ----------------------------------------------------------------------------------------

# A path of somebody's machine; data and this rule's own line are not looked at.
check_paths() {
	list_files | grep -vE '^tests/(data|kat|fuzz/corpus|lint)/|\.(zst|bin|raw|png)$' |
		xargs -d '\n' grep -nIE '(^|[^[:alnum:]_.~$}/-])/(work|root|Users|home/[a-z][^/ ]*)/' |
		sed -E 's/^([^:]*:[0-9]+):.*/\1: an absolute path of one machine/'
}

check_format() {
	command -v clang-format >/dev/null || {
		echo "warning: clang-format is missing, the format was not checked"
		return
	}
	list_files | grep -E '^(engine|include|tools|tests|perf)/.*\.(c|h)$' | grep -v '^tests/data/' |
		xargs -d '\n' -r -P 2 -n 40 clang-format --dry-run --Werror 2>&1 |
		grep -E ': (error|warning):' | sed -E 's/^([^:]*):([0-9]+):[0-9]+:.*/\1/' | sort | uniq -c |
		awk '{ print $2 ": not as .clang-format says (" $1 " places)" }'
}

check_lengths() {
	list_files | grep -E '^(engine|include|tools)/.*\.(c|h)$' | grep -vE '_table\.h$' |
		while read -r file; do
			lines=$(wc -l <"$file")
			[ "$lines" -le 500 ] || echo "warning: $file: $lines lines, aim for 500"
			# A file that nobody can read in one sitting is no longer a matter of taste.
			[ "$lines" -le 1200 ] || echo "$file: $lines lines are too many"
		done
}

check_data_size() {
	[ -d tests/data ] || return
	size=$(find tests/data -type f -printf '%s\n' | awk '{ n += $1 } END { print n + 0 }')
	[ "$size" -le 20971520 ] || echo "tests/data: $size bytes, at most 20 MiB"
}

# --- symbols -------------------------------------------------------------------------------------

check_symbols() {
	for lib in "$build/libboxcar.a" "$build/libboxcar.so"; do
		if [ ! -e "$lib" ]; then
			echo "$lib: not built"
			continue
		fi
		case $lib in *.so) dynamic=-D ;; *) dynamic= ;; esac
		nm $dynamic -g --defined-only "$lib" | awk -v lib="${lib##*/}" '
			/^$/ || /:$/ { file = $1; next }
			NF >= 2 {
				name = $NF
				sub(/@.*/, "", name)
				seen++
				if (name !~ /^bx_/) print lib ": " file " external symbol without bx_: " name
			}
			END { if (seen < 20) print lib ": only " seen + 0 " external symbols, is this the library?" }'
	done
}

check check_top
check check_unique_names
check check_doors
check check_pure_calls
check check_kernels
check check_paths
check check_format
check check_lengths
check check_data_size
[ -z "$build" ] || check check_symbols

cat "$found"
bad=$(grep -vc '^warning:' "$found")
echo "arrows: $checked checks, $bad violations"
[ "$bad" = 0 ]
