#!/usr/bin/env bash
# The release build of madang, .build/release/madang. One place for its flags: other flags would build all of it anew.
# The standard library is linked in: calls into it are a tenth of an answer's processor time, less when they are direct.
set -euo pipefail
cd "$(dirname "$0")/.."
exec swift build -c release --product madang --static-swift-stdlib "$@"
