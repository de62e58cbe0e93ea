#!/usr/bin/env bash
# What may be on the disk after a power cut: powercut.sh records runs of the store, each with all that it does to the disk,
# and opens POWERCUT (10000) crash states of them. Each must hold what was acknowledged, and nothing that was never written.
# The last line is "<N> crash states, <M> failures".
#
#   POWERCUT_SEED=N   the crash states of another number; the words of a failure name its seed
set -euo pipefail
cd "$(dirname "$0")/.."

states=${POWERCUT:-10000} seed=${POWERCUT_SEED:-$(date +%s)} runs=8
program=.build/debug/PowerCut
swift build --product PowerCut
scratch=$(mktemp -d "${TMPDIR:-/tmp}/powercut-XXXXXX")
trap 'rm -rf "$scratch"' EXIT

made=0 failures=0
for run in $(seq $runs); do
  "$program" record "$scratch/city$run" "$scratch/record$run" >"$scratch/told"
  acknowledged=$(awk '/ acknowledgements$/ { print $1 }' "$scratch/told")
  code=0
  words=$("$program" replay "$scratch/record$run" $(((states + runs - 1) / runs)) $((seed + run))) || code=$?
  echo "run $run, $acknowledged acknowledgements, seed $((seed + run)): $words"
  [ "$code" -le 1 ] || exit "$code"
  made=$((made + $(sed -nE 's/^states ([0-9]+) .*/\1/p' <<<"$words")))
  failures=$((failures + $(sed -nE 's/.* failures ([0-9]+)$/\1/p' <<<"$words")))
  if [ "$failures" != 0 ]; then
    mkdir -p .build-powercut
    cp "$scratch/record$run" .build-powercut/record
    echo "the record is kept in .build-powercut/record"
    break
  fi
  rm -r "$scratch/city$run" "$scratch/record$run"
done
echo "$made crash states, $failures failures"
[ "$failures" = 0 ]
