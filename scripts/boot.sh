# For bench.sh and soak.sh (sourced): a city of their own on a free port, in a folder that goes with it.

# boot PROGRAM ARGUMENTS…  sets `url` and `pid`; the city's words go to $out/madang.log.
boot() {
  scratch=$(mktemp -d "${TMPDIR:-/tmp}/madang-XXXXXX")
  : >"$out/madang.log"
  "$@" --data "$scratch/city.madang" --port "$(free_port)" >"$out/madang.log" 2>&1 &
  pid=$!
  trap 'shut_down' EXIT
  trap 'exit 130' INT TERM
  for _ in $(seq 300); do
    url=$(sed -nE 's/^ready ([^ ]+).*/\1/p' "$out/madang.log" | head -1)
    [ -z "$url" ] || return 0
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  echo "the city did not come up:" >&2
  tail -5 "$out/madang.log" >&2
  return 1
}

shut_down() {
  if kill "$pid" 2>/dev/null; then
    for _ in $(seq 100); do kill -0 "$pid" 2>/dev/null || break; sleep 0.1; done
    kill -9 "$pid" 2>/dev/null || true
  fi
  rm -rf "$scratch"
}

free_port() {
  "${MADANG_PYTHON:-python3}" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
