#!/usr/bin/env bash
# What may be on the disk after a power cut: powercut.sh records runs of the store, of the evidence log and of a witness, each
# with all that it does to the disk, and opens POWERCUT (10000) crash states of each of the three. Each must hold what was
# acknowledged, and nothing that was never written; a log and a witness have one history only. The last line is
# "<N> crash states, <M> failures".
#
#   POWERCUT_KINDS="log witness"   only these
#   POWERCUT_SEED=N   the crash states of another number; the words of a failure name its seed
set -euo pipefail
cd "$(dirname "$0")/.."

states=${POWERCUT:-10000} seed=${POWERCUT_SEED:-$(date +%s)} runs=8
program=.build/debug/PowerCut
swift build --product PowerCut
scratch=$(mktemp -d "${TMPDIR:-/tmp}/powercut-XXXXXX")
trap 'rm -rf "$scratch"' EXIT

made=0 failures=0
for kind in ${POWERCUT_KINDS:-store log witness}; do
  replay=replay-$kind
  [ "$kind" != store ] || replay=replay
  for run in $(seq $runs); do
    name=$kind$run
    "$program" record "$scratch/$name" "$scratch/$name.record" "$kind" >"$scratch/told"
    acknowledged=$(awk '/ acknowledgements$/ { print $1 }' "$scratch/told")
    code=0
    words=$("$program" "$replay" "$scratch/$name.record" $(((states + runs - 1) / runs)) $((seed + run))) || code=$?
    echo "$kind, run $run, $acknowledged acknowledgements, seed $((seed + run)): $words"
    [ "$code" -le 1 ] || exit "$code"
    made=$((made + $(sed -nE 's/^states ([0-9]+) .*/\1/p' <<<"$words")))
    failures=$((failures + $(sed -nE 's/.* failures ([0-9]+)$/\1/p' <<<"$words")))
    if [ "$failures" != 0 ]; then
      mkdir -p .build-powercut
      cp "$scratch/$name.record"* .build-powercut/
      echo "the record is kept in .build-powercut/"
      break 2
    fi
    rm -r "$scratch/$name" "$scratch/$name.record"*
  done
done
echo "$made crash states, $failures failures"
[ "$failures" = 0 ]
