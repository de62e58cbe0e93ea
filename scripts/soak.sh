#!/usr/bin/env bash
# Does a city grow? soak.sh MANIFEST runs it for SOAK_MINUTES (10), reads its pages, a list and histories as people do,
# looks at its memory and open files every five seconds and compares the last quarter with the second: more than a quarter and 16 MB above is a leak.
# All readings stay in .build-soak/soak.csv, the health report of the start and the end beside them.
#
#   MADANG_BIN=/path/to/madang   watch this program instead of a release build of this checkout
set -euo pipefail
cd "$(dirname "$0")/.."
out=.build-soak
mkdir -p "$out"
. scripts/boot.sh

program=${MADANG_BIN:-}
if [ -z "$program" ]; then
  scripts/release.sh
  program=.build/release/madang
fi
boot "$program" up "${1:?soak.sh MANIFEST}"

# ask PATH…: what the city answers.
ask() {
  "${MADANG_PYTHON:-python3}" -c '
import sys, urllib.request
for path in sys.argv[2:]:
    print(urllib.request.urlopen(sys.argv[1] + path, timeout=30).read().decode())
' "${url%/}" "$@"
}

# health NAME: the city's report, and how much of its memory is what.
health() {
  ask /health.json >"$out/health-$1.json"
  cp "/proc/$pid/smaps" "$out/smaps-$1"
}

visit() {
  ask / /console/overview /health '/ngsi-ld/v1/entities?local=true&limit=100' \
    '/ngsi-ld/v1/temporal/entities?local=true&limit=20&timerel=after&timeAt=2020-01-01T00:00:00Z' >/dev/null
}

echo "seconds,resident_kb,open_files" >"$out/soak.csv"
health start
end=$((SECONDS + ${SOAK_MINUTES:-10} * 60)) start=$SECONDS
while [ $SECONDS -lt $end ]; do
  if ! kill -0 "$pid" 2>/dev/null; then
    echo "soak: the city died after $((SECONDS - start)) s:" >&2
    tail -5 "$out/madang.log" >&2
    exit 1
  fi
  echo "$((SECONDS - start)),$(awk '/VmRSS/ { print $2 }' /proc/$pid/status),$(ls /proc/$pid/fd | wc -l)" >>"$out/soak.csv"
  visit
  sleep 5
done
health end

"${MADANG_PYTHON:-python3}" - "$out/soak.csv" <<'PYTHON'
import csv, statistics, sys

rows = [[int(value) for value in row] for row in list(csv.reader(open(sys.argv[1])))[1:]]
quarter = len(rows) // 4
if quarter < 3:
    sys.exit("soak: too short to tell; give it SOAK_MINUTES=2 or more")
code = 0
for name, column, allowance in (("resident kB", 1, 16384), ("open files", 2, 16)):
    early = statistics.median(row[column] for row in rows[quarter : 2 * quarter])
    late = statistics.median(row[column] for row in rows[-quarter:])
    grown = late > 1.25 * early + allowance
    code |= grown
    print(f"soak: {name} {early:.0f} in the second quarter, {late:.0f} in the last{': it grows' if grown else ''}")
sys.exit(code)
PYTHON
