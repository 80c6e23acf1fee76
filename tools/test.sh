#!/usr/bin/env bash
# Sets up, builds and tests everything: preset dev with all its tests, then the programs that read foreign bytes under
# AddressSanitizer and UndefinedBehaviorSanitizer, then the threaded ones under ThreadSanitizer.
# Works in an empty clone on a fresh Debian 12. Exit status: 0 all passed, 1 something failed, 2 wrong command line.

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=tools/setup.sh
source tools/setup.sh

# Test programs that run under the sanitizers, where they exist. Each is a CMake target and the label of its tests.
asan_programs=(tests_readers)
tsan_programs=(tests_core tests_run)
# With --long only: all of them would double the time CI takes.
asan_long_programs=(tests_caen tests_core tests_dig2 tests_fcio_board tests_monitor tests_niscope tests_run tests_simulator tests_sis3316 tests_store tests_trigger tests_wire)
tsan_long_programs=(tests_caen tests_dig2 tests_fcio_board tests_niscope tests_sis3316 tests_wire)

usage() {
    cat <<'END'
usage: tools/test.sh [--long]

Installs missing packages (tools/packages.txt), builds preset dev and runs all tests but the long ones, then builds and
runs parts of them under the sanitizers (presets asan and tsan). Everything is built in build/.

  --long   also run the tests labelled "long" (preset dev), and under AddressSanitizer all folders' tests and the program
           itself on a thousand mutated files, under ThreadSanitizer the drivers of boards and the sockets
  --help   print this
END
}

long=no
for argument in "$@"; do
    case $argument in
        --long) long=yes ;;
        --help | -h) usage && exit 0 ;;
        *)
            printf 'tools/test.sh: unknown argument: %s\n\n' "$argument" >&2
            usage >&2
            exit 2
            ;;
    esac
done
if [[ $long == yes ]]; then
    asan_programs+=("${asan_long_programs[@]}")
    tsan_programs+=("${tsan_long_programs[@]}")
fi

jobs=$(nproc)
failed=()   # presets with a failed test
summary=''  # ctest's closing lines, by preset
runner=()   # stands before a command that starts instrumented programs

# build PRESET TARGET...  (a test program is started once while it is built, to list its tests)
build() {
    local preset=$1
    shift
    "${runner[@]}" cmake --build --preset "$preset" --parallel "$jobs" --target "$@"
}

# run PRESET [CTEST ARGUMENT...]: runs the tests and keeps ctest's closing lines. One more than there are cores: many wait.
run() {
    local preset=$1 log=build/ctest-$1.log status=0
    shift
    "${runner[@]}" ctest --preset "$preset" --parallel "$((jobs + 1))" --no-label-summary "$@" 2>&1 | tee "$log" |
        grep -vE '^ +Start +[0-9]+:' || status=$?
    summary+="$preset: $(sed -n '/ tests passed, /,$p' "$log")"$'\n'
    return "$status"
}

# existing PRESET PROGRAM...: prints those of the programs that the configured tree has.
existing() {
    local preset=$1 targets program
    shift
    targets=$(cmake --build --preset "$preset" --target help)
    for program in "$@"; do
        if grep -q "^$program: " <<<"$targets"; then printf '%s\n' "$program"; fi
    done
}

# sanitize PRESET PROGRAM...: builds and runs those of the programs that exist.
sanitize() {
    local preset=$1 programs
    shift
    step "configures preset $preset" cmake --preset "$preset"
    mapfile -t programs <<<"$(existing "$preset" "$@")"
    step "builds ${programs[*]} with preset $preset" build "$preset" "${programs[@]}"
    local labels
    labels=$(IFS='|' && printf '^(%s)$' "${programs[*]}")
    step "runs ${programs[*]} with preset $preset" run "$preset" --label-regex "$labels" || failed+=("$preset")
}

# ThreadSanitizer of g++ 12 cannot start where addresses are randomised by more than 28 bits.
keep_addresses_in_place() {
    local bits=28
    if [[ -r /proc/sys/vm/mmap_rnd_bits ]]; then bits=$(cat /proc/sys/vm/mmap_rnd_bits); fi
    if ((bits > 28)) && setarch "$(uname -m)" -R true 2>/dev/null; then runner=(setarch "$(uname -m)" -R); fi
}

# Without a home ccache has no place of its own.
if [[ ! -w ${HOME:-/nonexistent} ]]; then export CCACHE_DIR=$PWD/build/ccache; fi
# The leak check reads /proc, which a plain chroot does not have. All other checks do without.
if [[ ! -r /proc/self/maps ]]; then export ASAN_OPTIONS=detect_leaks=0; fi

trap 'status=$?; if ((status != 0)); then printf "\nFAILED after %d s\n" "$SECONDS" >&2; exit 1; fi' EXIT

step "installs missing packages" install_packages
step "configures preset dev" cmake --preset dev
step "builds everything with preset dev" build dev all
step "runs the tests with preset dev" run dev || failed+=(dev)
sanitize asan "${asan_programs[@]}"
keep_addresses_in_place
sanitize tsan "${tsan_programs[@]}"
if [[ $long == yes ]]; then
    step "builds alleycat with preset asan" build asan alleycat
    # Files are made by the ordinary build and read by this one, a thousand of them (tests/programs/mutated_files.py).
    export ALLEYCAT_UNDER_TEST=$PWD/build/asan/tools/alleycat
    step "runs the long tests with preset dev" run long || failed+=(long)
fi

printf '\n%s\n' "$summary"
if ((${#failed[@]} > 0)); then
    printf 'Tests failed with: %s (logs: build/ctest-*.log)\n' "${failed[*]}" >&2
    exit 1
fi
printf 'All tests passed in %d s.\n' "$SECONDS"
