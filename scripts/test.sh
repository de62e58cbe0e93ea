#!/usr/bin/env bash
# Every test: test.sh [FILTER]. Builds, runs the Swift tests, then drives the program just built over HTTP, signals
# and in the browser. The last line is always "<N> passed, <M> failed"; the exit code is 0 only if all was built and passed.
set -uo pipefail
cd "$(dirname "$0")/.."

out=.build-test
mkdir -p "$out"
passed=0 failed=0 skipped=0 crash= failures=
broken=() # parts that failed without naming a test: a build error, a crash

count() { grep -cE "$1" "$2" || true; }

finish() {
  local code=0 part
  [ -z "$crash" ] || echo "$crash"
  [ -z "$failures" ] || echo "$failures"
  [ "$skipped" = 0 ] || echo "$skipped skipped, each by name above"
  for part in "${broken[@]}"; do
    echo "$part"
    failed=$((failed + 1))
  done
  echo "$passed passed, $failed failed"
  [ "$failed" = 0 ] && [ "$passed" != 0 ] || code=1
  exit $code
}

# Suites that compute for long on end. They have a process of their own: Swift's tasks share as many threads as there are
# cores, and what waits for something to happen would wait for these to end.
long='^(CamerasTests|CedarTests|CityTests|EvacuationTests|JSONSchemaTests|NGSITests|QueryTests|StoreSQLiteTests|TransparencyLogTests)\.'

swift_tests() {
  local log=$out/swift-test.log code=0 here=0 other=0 bundle=.build/debug/madangPackageTests.xctest
  if ! swift build --build-tests; then
    broken+=("the build failed: see above")
    return 1
  fi
  export MADANG=$PWD/.build/debug/madang NO_COLOR=1
  if [ -n "${1:-}" ]; then
    "$bundle" --testing-library swift-testing --filter "$1" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
  else
    "$bundle" --testing-library swift-testing --filter "$long" >"$out/swift-long.log" 2>&1 &
    other=$!
    "$bundle" --testing-library swift-testing --skip "$long" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    wait "$other" || code=$?
    tee -a "$log" <"$out/swift-long.log"
  fi
  # A test is named once when it ends; suites and the run itself are not tests.
  passed=$(count '^[^ ]+ Test .* passed after [0-9.]+ seconds( with .*)?\.$' <(grep -v ' Test run with ' "$log"))
  here=$(count '^[^ ]+ Test .* failed after [0-9.]+ seconds( with .*)?\.$' <(grep -v ' Test run with ' "$log"))
  skipped=$(count '^[^ ]+ Test .* skipped' "$log")
  failed=$here
  [ "$code" = 0 ] || [ "$here" != 0 ] || broken+=("the Swift tests ended with code $code and named no failed test: see $log")
  crash=$(crash_report "$log")
  # Again at the end: the failures, which stand somewhere among thousands of lines.
  failures=$(grep -E '^[^ ]+ Test .* (recorded an issue|failed after)' "$log" | grep -v ' Test run with ' | cut -c1-500 | head -40)
  return 0
}

# Where a process crashed, and the tests that had begun and not ended by then.
crash_report() {
  grep -q '^\*\*\* .*crashed\|unexpected signal code' "$1" || return 0
  sed -n '/crashed:\?/,/^Registers:/p' "$1" | cut -c1-200 | head -70
  awk '/ Test .* started\.$/ { sub(/^[^"A-Za-z]*Test /, ""); sub(/ started\.$/, ""); open[$0] = 1; next }
       / Test .* (passed|failed) after / { sub(/^[^"A-Za-z]*Test /, ""); sub(/ (with [0-9]+ test cases? )?(passed|failed) after .*$/, ""); delete open[$0] }
       END { for (name in open) print "not ended: " name }' "$1" | head -40
}

# Tests in Python: python_tests FOLDER.
python_tests() {
  local log=$out/$1-test.log code=0 words
  "$MADANG_PYTHON" -m pytest "Tests/$1" -ra -q -p no:cacheprovider --color=no 2>&1 | tee "$log"
  code=${PIPESTATUS[0]}
  words=$(tail -1 "$log")
  passed=$((passed + $(sum "$words" passed)))
  failed=$((failed + $(sum "$words" failed) + $(sum "$words" 'errors?')))
  skipped=$((skipped + $(sum "$words" skipped)))
  failures+=$(grep -E '^(FAILED|ERROR) ' "$log" | cut -c1-500 | head -40)
  case $code in
    0 | 1) ;;
    *) broken+=("pytest ended with code $code: see $log") ;;
  esac
}

# The number before a word in pytest's last line: "3 failed, 12 passed in 4.5s".
sum() {
  local n
  n=$(grep -oE "[0-9]+ $2\b" <<<"$1" | head -1 | cut -d' ' -f1)
  echo "${n:-0}"
}

: "${MADANG_PYTHON:=$PWD/Tests/oracles/.venv/bin/python}"
export MADANG_PYTHON
if swift_tests "${1:-}" && [ -z "${1:-}" ]; then
  python_tests program
  python_tests browser
fi
finish
