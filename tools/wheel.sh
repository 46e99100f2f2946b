#!/usr/bin/env bash
# Build the wheel, install it in a new venv outside the checkout, and run it there, without access to the source.
# BIN: the folder of a python with "build" and "hatchling". PYTHON: creates the venv. PIP_FLAGS: options of pip install.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$BIN/python" -m build --wheel --no-isolation --outdir "$folder/dist" "$root"
"$PYTHON" -m venv "$folder/venv"
# shellcheck disable=SC2086  # PIP_FLAGS is a list
"$folder/venv/bin/python" -m pip install -q ${PIP_FLAGS:-} -c "$root/constraints.txt" "$folder"/dist/*.whl
BIN="$folder/venv/bin" "$root/tools/smoke.sh"
