#!/bin/sh
# Makes the environment of the package qwen-asr for `manage.py benchmark batches`: it pins another
# transformers than ours. 1.7 GB.
# usage: sh tools/qwen_asr/venv.sh [DIRECTORY]    (run in the project's directory)
set -eu

venv=${1:-var/qwen-asr}
[ -e "$venv/bin/pip" ] || "${PYTHON:-python3}" -m venv "$venv"
pip="$venv/bin/python -m pip install --disable-pip-version-check --require-virtualenv --quiet"
$pip -r tools/qwen_asr/requirements.txt
$pip --no-deps qwen-asr==0.0.6
"$venv/bin/python" -c "import qwen_asr"
