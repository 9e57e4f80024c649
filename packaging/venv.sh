#!/bin/sh
# Makes a virtual environment, or brings it up to date: by default with the developer's tools.
# Usage: venv.sh PYTHON DIRECTORY [REQUIREMENTS]; it is whole when DIRECTORY/complete exists.
set -eu

python=$1
directory=$2
requirements=${3:-$(dirname "$0")/requirements-dev.txt}

fail() {
    echo "venv: $*" >&2
    exit 1
}

echo "preparing $directory ($("$python" --version 2>&1))"
[ -x "$directory/bin/pip" ] && [ "$directory/bin/python" -ef "$python" ] ||
    "$python" -m venv --clear "$directory" >/dev/null ||
    fail "$python cannot make virtual environments: \`sudo make deps\` installs python3-venv"

log=$(mktemp)
trap 'rm -f "$log"' EXIT
"$directory/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements" \
    >"$log" 2>&1 </dev/null || {
    tail -n 20 "$log" >&2
    fail "pip failed; python-prctl needs gcc, the headers of $python and libcap-dev (\`sudo make deps\`)"
}
touch "$directory/complete"
