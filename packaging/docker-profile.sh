#!/bin/sh
# Puts Docker's default seccomp profile into build/profiles/docker.json, for tests to read. It comes
# from Debian's package of Docker's sources, of which nothing else is wanted. Without it those tests
# are skipped: no reason to run no other.
set -eu

profile=build/profiles/docker.json
package=golang-github-docker-docker-dev
path=./usr/share/gocode/src/github.com/docker/docker/profiles/seccomp/default.json

cd "$(dirname "$0")/.."
[ ! -s "$profile" ] || exit 0
mkdir -p "$(dirname "$profile")"
directory=$(mktemp -d)
trap 'rm -rf "$directory"' EXIT
chmod 755 "$directory" # apt reads as a user of its own

download() {
    (cd "$directory" && apt-get download -q "$package" >log 2>&1 </dev/null)
}

# The lists of packages may not be there yet.
download || { apt-get update -q >/dev/null 2>&1 </dev/null && download; } || {
    tail -n 1 "$directory/log" >&2
    echo "docker-profile: no $package: the tests of Docker's profile will be skipped" >&2
    exit 0
}
dpkg-deb --fsys-tarfile "$directory"/*.deb | tar -xO "$path" >"$directory/profile"
mv "$directory/profile" "$profile"
