#!/usr/bin/env bash
# What can be checked without building: the format of Swift sources, words that must not be committed, secrets in the
# files and in what commits added, the syntax of the scripts.
set -uo pipefail
cd "$(dirname "$0")/.."
code=0

swift format lint --strict --parallel --recursive Sources Tests Package.swift || code=1

# Written so that this file does not contain what it looks for.
words='\b(TO[D]O|FIX[M]E|XX[X])\b'
hosts='pyp[i]\.org|pythonhoste[d]\.org|registry\.npmj[s]|npmj[s]\.com|crate[s]\.io|deb\.debia[n]\.org|unpk[g]\.com'
hosts+='|jsdelive[r]\.net|cdnj[s]\.cloudflare|prox[y]\.golang|rubygem[s]\.org|repo1?\.mave[n]'
if git grep -nIE "$words" -- ':!LICENSE'; then
  echo "lint: finish it or open an issue; a note in the source is forgotten"
  code=1
fi
if git grep -nIiE "$hosts"; then
  echo "lint: no file names a package registry's host; the clients know where they fetch from"
  code=1
fi

"${MADANG_PYTHON:-Tests/oracles/.venv/bin/python}" scripts/find-secrets.py || code=1

while read -r script; do
  bash -n "$script" || code=1
done < <(git ls-files 'scripts/*.sh' .ci/run)

[ $code != 0 ] || echo "lint: clean"
exit $code
