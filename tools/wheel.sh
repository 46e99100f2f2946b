#!/usr/bin/env bash
# Build the wheel, install it in a fresh venv outside the checkout, and use it there: the source cannot help it.
# BIN: a folder with a python that has "build" and "hatchling". PYTHON: makes the venv. PIP_FLAGS: for pip install.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$BIN/python" -m build --wheel --no-isolation --outdir "$folder/dist" "$root"
"$PYTHON" -m venv "$folder/venv"
# shellcheck disable=SC2086  # PIP_FLAGS is a list
"$folder/venv/bin/python" -m pip install -q ${PIP_FLAGS:-} -c "$root/constraints.txt" "$folder"/dist/*.whl
BIN="$folder/venv/bin" "$root/tools/smoke.sh"
