#!/usr/bin/env bash
# Fuzzes each executable of the package Fuzz/ for FUZZ_SECONDS (60) with libFuzzer and the address sanitizer.
# A target is Fuzz/Sources/<Name>Fuzz, a program whose main.swift hands its one function to
# LLVMFuzzerRunDriver (declared in a C header of that package); its seeds are in Fuzz/Seeds/<Name>Fuzz. What is
# found stays in .build-fuzz/<Name>Fuzz; a crash is named with the command that repeats it. The linker is lld:
# gold cannot place the fuzzer's own main beside Swift's.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -f Fuzz/Package.swift ] || { echo "fuzz: there is no Fuzz/Package.swift" >&2; exit 1; }
out=$PWD/.build-fuzz
swift build --package-path Fuzz --scratch-path "$out/build" -c release \
  -Xswiftc -sanitize=fuzzer,address -Xswiftc -use-ld=lld -Xswiftc -g
export SWIFT_BACKTRACE=enable=no # its handler reads memory that the address sanitizer guards
code=0
for source in Fuzz/Sources/*Fuzz/; do
  name=$(basename "$source")
  mkdir -p "$out/$name/corpus"
  seeds=()
  [ ! -d "Fuzz/Seeds/$name" ] || seeds=("Fuzz/Seeds/$name")
  echo "fuzz: $name for ${FUZZ_SECONDS:-60} s"
  "$out/build/release/$name" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -print_final_stats=1 \
    -artifact_prefix="$out/$name/" "$out/$name/corpus" "${seeds[@]}" >"$out/$name/log" 2>&1 || {
    code=1
    echo "fuzz: $name failed: see $out/$name/log; once more: $out/build/release/$name INPUT"
    find "$out/$name" -maxdepth 1 -name '*-*' -printf '  INPUT %p\n'
  }
  grep -E '^stat::number_of_executed_units' "$out/$name/log" || true
done
exit $code
