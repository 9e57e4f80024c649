#!/bin/sh
# Installs the Debian or Ubuntu packages that demo, test, test-guest or test-clients needs and this
# machine lacks. Usage: dependencies.sh demo|test|guest|clients
set -eu

for_demo="python3 python3-click python3-jeepney python3-jsonschema python3-pyroute2 python3-prctl
    busybox-static procps"
# python-prctl compiles in the virtual environments; the rest is what the tests drive or compare with.
for_test="$for_demo git python3-venv python3-dev gcc libc6-dev libcap-dev
    strace zsh fish mandoc groff runc crun mmdebstrap golang-github-opencontainers-specs-dev
    libseccomp2 golang-github-containers-common systemd"
# The image of the guests, and the emulator of the slow one; no KVM, no kernel of the machine's.
for_guest="$for_test e2fsprogs util-linux qemu-system-x86"
# The programs that call a runtime. Their services are not needed: the tests start daemons of their own.
for_clients="python3 python3-venv busybox-static procps runc containerd conmon podman docker.io
    containernetworking-plugins iptables iproute2 uidmap util-linux"

case "${1-}" in
    demo) wanted=$for_demo ;;
    test) wanted=$for_test ;;
    guest) wanted=$for_guest ;;
    clients) wanted=$for_clients ;;
    *) echo "usage: $0 demo|test|guest|clients" >&2; exit 2 ;;
esac

fail() {
    echo "dependencies: $*" >&2
    exit 1
}

command -v dpkg-query >/dev/null && command -v apt-get >/dev/null ||
    fail "no Debian or Ubuntu: install what these packages hold:" $wanted

missing=
for package in $wanted; do
    status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

[ "$(id -u)" = 0 ] || fail "root is needed to install$missing: run the same command with sudo"

echo "installing$missing"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
export DEBIAN_FRONTEND=noninteractive
# One unreachable source is no reason to stop: the packages may come from another.
apt-get update -q >"$log" 2>&1 </dev/null || echo "dependencies: apt-get update: $(tail -n 1 "$log")" >&2
apt-get install -q -y --no-install-recommends $missing >"$log" 2>&1 </dev/null || {
    cat "$log" >&2
    fail "apt-get install failed:$missing"
}
