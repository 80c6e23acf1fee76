#!/bin/bash
# Builds the fuzz targets with clang and its sanitizers and lets each decoder eat what libFuzzer thinks of.
set -euo pipefail
usage() {
    cat <<'TEXT'
usage: tools/fuzz.sh [SECONDS [TARGET...]]

Builds build/fuzz (clang, libFuzzer, AddressSanitizer, UndefinedBehaviorSanitizer) and runs each target, or those named, for so
many seconds of processor time (default 60). A line per target says how it ended. What broke one is kept in build/fuzz/found.
Exit status: 0 nothing found; 1 something; 77 clang or its libFuzzer is not installed (packages clang, libclang-rt-14-dev).
TEXT
}
if [[ ${1:-} == --help || ${1:-} == -h ]]; then usage; exit 0; fi
seconds=${1:-60}
[[ $seconds =~ ^[0-9]+$ ]] || { usage >&2; exit 2; }
shift || true

source_dir=$(cd "$(dirname "$0")/.." && pwd)
build=$source_dir/build/fuzz
targets=("$@")
[[ ${#targets[@]} -gt 0 ]] || targets=(caen_events compass compass_settings dig2_events fcio labview sis3316_events wavedump)

mkdir -p "$build"
if ! command -v clang++ >/dev/null ||
    ! echo 'extern "C" int LLVMFuzzerTestOneInput(const unsigned char*, unsigned long) { return 0; }' |
        clang++ -fsanitize=fuzzer,address -x c++ - -o "$build/probe" 2>/dev/null; then
    echo "SKIPPED: clang++ with libFuzzer is absent (packages clang, libclang-rt-14-dev)"
    exit 77
fi

cmake -S "$source_dir" -B "$build" -G Ninja -DALLEYCAT_FUZZ=ON -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++ \
    -DCMAKE_CXX_FLAGS="-O1 -g1 -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer" \
    >"$build/configure.log" || { cat "$build/configure.log"; exit 1; }
cmake --build "$build" --target "${targets[@]/#/fuzz_}" >"$build/build.log" || { tail -30 "$build/build.log"; exit 1; }
/usr/bin/python3 -B "$source_dir/tests/fuzz/seeds.py" "$build/seeds"
cp -r "$source_dir/tests/fuzz/corpus/." "$build/seeds"

failed=0
mkdir -p "$build/found"
for target in "${targets[@]}"; do
    corpus=$build/corpus/$target
    mkdir -p "$corpus"
    longest=2048
    [[ $target == labview ]] && longest=8192
    log=$build/$target.log
    # libFuzzer counts time on the wall, of which a busy machine gives little: it is started again for what is missing.
    verdict="nothing found" left=$seconds
    : >"$log"
    while [[ $left -gt 0 ]]; do
        spent=$({ TIMEFORMAT='%U %S'; time "$build/tests/fuzz/fuzz_$target" -max_total_time="$left" -max_len=$longest -timeout=30 \
            -rss_limit_mb=2048 -artifact_prefix="$build/found/$target-" -print_final_stats=1 "$corpus" "$build/seeds/$target" \
            >>"$log" 2>&1 || echo failed; } 2>&1)
        if [[ $spent == *failed* ]]; then
            verdict="FOUND SOMETHING: $log"
            failed=1
            break
        fi
        left=$(awk -v left="$left" '{ left -= $1 + $2 } END { print int(left) }' <<<"$spent")
    done
    runs=$(awk '/^stat::number_of_executed_units:/ { runs += $2 } END { print runs + 0 }' "$log")
    coverage=$(grep -o 'cov: [0-9]*' "$log" | tail -1)
    echo "$target: $verdict ($runs inputs in $seconds s, ${coverage:-cov: none})"
done
exit $failed
