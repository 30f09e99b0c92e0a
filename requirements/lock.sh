#!/bin/sh
# Writes the lock files: hashed, universal over Python 3.11 and newer, naming no index and no host.
set -eu
cd "$(dirname "$0")/.."
lock() {
  name=$1
  shift
  uv pip compile pyproject.toml "$@" -c requirements/constraints.txt --universal --python-version 3.11 --generate-hashes \
    --no-emit-index-url --no-annotate --no-header -q -o "requirements/$name.lock"
}
lock dev --extra dev
lock edge --extra edge --extra edge-queue --extra audit
lock edge-asr --extra edge --extra edge-asr --extra edge-queue --extra audit
lock server --extra server --extra statistics --extra audit
lock spark --extra server --extra spark --extra test
