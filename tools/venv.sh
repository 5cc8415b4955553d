#!/bin/sh
# Makes the Python environment and installs what the requirements name, if they changed since.
# usage: PYTHON=python3 venv.sh DIRECTORY REQUIREMENTS…    (run in the project's directory)
set -eu

venv=$1
shift
python=${PYTHON:-python3}

fail() {
    echo "$*" >&2
    exit 1
}

# pip comes last into an environment: one without it is what an interruption left.
if [ ! -e "$venv/bin/pip" ]; then
    command -v "$python" >/dev/null 2>&1 ||
        fail "There is no $python. Install Python 3.11 or newer (apt install python3 python3-venv)."
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$python" --version 2>&1) is too old: 3.11 or newer is needed." \
            "Name another by PYTHON=, for example: make PYTHON=python3.12 …"
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python cannot make an environment. On Debian or Ubuntu: apt install python3-venv"
    echo "Making the Python environment in $venv…"
    rm -rf "$venv"
    "$python" -m venv "$venv"
fi
"$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "The environment in $venv does not work or is older than Python 3.11." \
        "Remove it (make clean-venv) and try again."

for requirements; do
    stamp=$venv/.installed-$requirements
    # Each file counts with those before it: the development's includes the service's.
    wanted=$(cat requirements.txt "$requirements" | cksum)
    if [ -e "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
        continue
    fi
    echo "Installing $requirements (the first time takes minutes: torch is large)…"
    rm -f "$stamp"
    # A terminal sees the progress of the downloads; a log file only what goes wrong.
    if [ -t 1 ]; then quiet=; else quiet=--quiet; fi
    "$venv/bin/python" -m pip install $quiet --disable-pip-version-check --no-input \
        --require-virtualenv -r "$requirements" </dev/null ||
        fail "pip could not install $requirements; what it said stands above."
    echo "$wanted" >"$stamp"
done
