#!/usr/bin/env bash
# Speed beside its anchors, in one run: an empty hub, nginx and Redis on loopback, one after the other loaded
# by `madang bench`. Its JSON goes to .build-bench/bench.json, its table (stderr) to the terminal and bench.txt.
set -euo pipefail
cd "$(dirname "$0")/.."
out=.build-bench
mkdir -p "$out"
. scripts/boot.sh

swift build -c release --product madang
program=.build/release/madang
boot $program up --empty
trap 'scripts/anchors.sh stop; shut_down' EXIT
NGINX_PORT=$(free_port) REDIS_PORT=$(free_port) scripts/anchors.sh start >"$out/anchors"
. "$out/anchors"

{
  echo "$(date -u +%Y-%m-%d) $(git rev-parse --short HEAD) $(nproc) cores of $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -1)," \
    "$(awk '/MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), load $(cut -d' ' -f1 /proc/loadavg)"
} | tee "$out/bench.txt"
MADANG_SERVER_PID=$pid $program bench --to "$url" --json 2> >(tee -a "$out/bench.txt" >&2) >"$out/bench.json"
echo "bench: $out/bench.json, $out/bench.txt"
