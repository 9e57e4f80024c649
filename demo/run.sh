#!/bin/sh
# Shows a container from bundle to deletion. Usage: run.sh RUNTIME (as root); leaves nothing behind.
set -eu

runtime=$(realpath "$1")
demo=$(dirname "$(realpath "$0")")

[ "$(id -u)" = 0 ] || { echo "the demo needs root: sudo make demo" >&2; exit 1; }

work=$(mktemp -d -t pyoci-demo.XXXXXX)
bundle=$work/bundle
mkdir "$bundle"
chmod 755 "$work"

pyoci() {
    # A state root of its own: the demo touches no container of this machine.
    "$runtime" --root "$work/state" "$@" </dev/null
}

clean_up() {
    pyoci delete --force demo || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 130' INT TERM

explain() {
    printf '\n== %s\n' "$*"
}

show() {
    echo "\$ $*"
    "$@"
}

wait_until() {
    # wait_until COMMAND PATTERN: until pyoci COMMAND demo prints the pattern; ten seconds at most
    tries=0
    until pyoci "$1" demo | grep -q "$2"; do
        tries=$((tries + 1))
        [ $tries -lt 100 ] || { echo "pyoci $1 does not show $2" >&2; exit 1; }
        sleep 0.1
    done
}

cd "$bundle"
explain "A bundle is a directory with a root file system (here busybox) and a config.json."
python3 -B "$demo/bundle.py" "$runtime" "$bundle"
show ls
show ls rootfs

explain "pyoci says what it would do, and which part of config.json is the cause."
echo "$ pyoci plan demo"
pyoci plan demo >"$work/plan"
head -n 12 "$work/plan"
echo "... ($(wc -l <"$work/plan") lines)"

explain "run: create, start, wait and delete in one; the exit status is the container's."
show pyoci run demo

explain "The same in steps. create prepares everything and waits before the program starts."
sed -i 's|"/etc/demo"|"/etc/demo", "stay"|' config.json
show pyoci create demo
show pyoci state demo
echo

explain "start lets the program run; it stays now."
show pyoci start demo
wait_until ps "sleep 3600"
show pyoci list
show pyoci ps demo

explain "kill sends a signal, delete removes what is left."
show pyoci kill demo KILL
wait_until state stopped
show pyoci delete demo
show pyoci list

explain "Done, and nothing is left behind. Next: sudo make test; sudo make install; README.md"
