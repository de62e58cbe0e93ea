#!/usr/bin/env bash
# Speed beside its anchors, in one run: an empty hub, nginx and Redis on loopback, one after the other loaded
# by `madang bench`; then how long the hub takes to come back on what it holds. Arguments go to `madang bench`.
# The JSON goes to .build-bench/bench.json, the table to the terminal and .build-bench/bench.txt.
#
#   MADANG=…   a program that is built already
set -euo pipefail
cd "$(dirname "$0")/.."
out=.build-bench
mkdir -p "$out"
. scripts/boot.sh

program=${MADANG:-.build/release/madang}
[ -n "${MADANG:-}" ] || scripts/release.sh
boot "$program" up --empty
trap 'scripts/anchors.sh stop; shut_down' EXIT
NGINX_PORT=$(free_port) REDIS_PORT=$(free_port) scripts/anchors.sh start >"$out/anchors"
. "$out/anchors"

echo "$(date -u +%Y-%m-%d) $(git rev-parse --short HEAD)" | tee "$out/bench.txt"
MADANG_SERVER_PID=$pid "$program" bench --to "$url" --json --keep --data-dir "$scratch" "$@" \
  2> >(tee -a "$out/bench.txt" >&2) >"$out/bench.json"

# Seconds from the start to the first answer, on what the run left: after SIGTERM, and after kill -9.
for signal in TERM KILL; do
  kill -"$signal" "$pid"
  wait "$pid" || true
  begin=$EPOCHREALTIME
  exec 4< <(exec "$program" up --empty --data "$scratch/city.madang" --port 0 2>/dev/null)
  pid=$!
  read -r -t 60 ready <&4
  end=$EPOCHREALTIME
  echo "start after SIG$signal: $(awk "BEGIN { printf \"%.3f\", $end - $begin }") s to ${ready#ready }, limit 0.3 s" |
    tee -a "$out/bench.txt"
done
echo "bench: $out/bench.json, $out/bench.txt"
