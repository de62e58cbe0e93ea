#!/usr/bin/env bash
# Does a city grow with what it is told? week.sh replays real data at top speed, one week after another: Beijing's air, hourly
# readings of twelve stations over four years (WEEKS=208 of them), and looks at the city's own memory after each week. The
# last quarter may be at most a quarter and 16 MB above the second. Every row must be stored or refused, and the data
# folder be sound in the end. All readings stay in .build-week/week.csv.
#
#   MADANG_BIN=/path/to/madang   watch this program instead of a release build of this checkout
set -euo pipefail
cd "$(dirname "$0")/.."
out=.build-week
mkdir -p "$out"
. scripts/boot.sh

series=("${MADANG_DATA:-../shared/data}"/energy-eco/air-beijing/PRSA_Data_*.csv.gz)
if [ ! -e "${series[0]}" ]; then
  echo "week: SKIPPED, there is no ${series[0]}" >&2
  exit 0
fi
program=${MADANG_BIN:-}
if [ -z "$program" ]; then
  scripts/release.sh
  program=.build/release/madang
fi
boot "$program" up --empty
weeks=$out/weeks
rm -rf "$weeks"
# A file for each week, all stations in it, in the order of time.
"${MADANG_PYTHON:-python3}" - "$weeks" "${WEEKS:-208}" "${series[@]}" <<'PYTHON'
import csv, gzip, itertools, pathlib, sys

folder, weeks = pathlib.Path(sys.argv[1]), int(sys.argv[2])
folder.mkdir(parents=True)
tables = [csv.reader(gzip.open(name, "rt", encoding="utf-8")) for name in sys.argv[3:]]
head = [next(table) for table in tables][0]
for week in range(weeks):
    rows = [row for hour in range(168) for row in (next(table, None) for table in tables) if row]
    if not rows:
        break
    with open(folder / f"week{week:03}.csv", "w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows(itertools.chain([head], rows))
PYTHON

echo "week,stored,anonymous_kb,resident_kb,open_files" >"$out/week.csv"
number=0
for file in "$weeks"/week*.csv; do
  number=$((number + 1))
  told=$("$program" replay "$file" --mapping Examples/mappings/air-beijing.yaml --to "$url" --speed max \
    --refused "$out/refused.jsonl" 2>/dev/null | tail -1)
  read -r _ stored _ refused <<<"$told"
  rows=$(($(wc -l <"$file") - 1))
  if [ $((stored + refused)) != "$rows" ]; then
    echo "week: of $rows rows of $file $stored were stored and $refused refused" >&2
    exit 1
  fi
  echo "$number,$stored,$(awk '/RssAnon/ { print $2 }' /proc/$pid/status),$(awk '/VmRSS/ { print $2 }' /proc/$pid/status),$(ls /proc/$pid/fd | wc -l)" \
    >>"$out/week.csv"
done
"$program" check "$scratch/city.madang"

"${MADANG_PYTHON:-python3}" - "$out/week.csv" <<'PYTHON'
import csv, statistics, sys

rows = [[int(value) for value in row] for row in list(csv.reader(open(sys.argv[1])))[1:]]
quarter = len(rows) // 4
if quarter < 3:
    sys.exit("week: too short to tell; give it WEEKS=12 or more")
code = 0
for name, column, allowance in (("own memory kB", 2, 16384), ("open files", 4, 16)):
    early = statistics.median(row[column] for row in rows[quarter : 2 * quarter])
    late = statistics.median(row[column] for row in rows[-quarter:])
    grown = late > 1.25 * early + allowance
    code |= grown
    print(f"week: {name} {early:.0f} in the second quarter, {late:.0f} in the last{': it grows' if grown else ''}")
print(f"week: {len(rows)} weeks, {sum(row[1] for row in rows)} rows stored")
sys.exit(code)
PYTHON
