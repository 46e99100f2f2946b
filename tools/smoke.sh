#!/usr/bin/env bash
# Run titanic on its sample in an empty folder, and check that the run has a record, a score and a submission.
# BIN: the folder of the kpipe and python to use.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
# Unset KPIPE_* and KAGGLE_* variables of the developer, which would change the origin of the data.
for name in $(compgen -e | grep -E '^(KPIPE|KAGGLE)_' || true); do unset "$name"; done
export KPIPE_CACHE="$folder/cache" KAGGLE_CONFIG_DIR="$folder/no-credentials"
"$BIN/kpipe" list
"$BIN/kpipe" explain unknown-metric
"$BIN/kpipe" run titanic --json --out "$folder/runs" > run.json
"$BIN/python" - <<'PYTHON'
import json
from importlib.resources import files
from pathlib import Path

assert json.loads((files("kpipe.cli") / "schemas" / "run.json").read_text())["$id"] == "urn:kpipe:schema:run:1"
record = json.loads(Path("run.json").read_text())
assert record["status"] == "complete", record["status"]
assert record["data"]["origin"] == "sample", record["data"]
assert record["submission"]["rows"] == 120, record["submission"]
print(f"smoke: {record['slug']} {record['metric']['name']} {record['score']:.4f} ± {record['standard_error']:.4f}")
PYTHON
