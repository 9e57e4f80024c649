# finish STATUS: hand over the exit status of the command, and switch off.
finish() {
    # Setting a serial line's attributes waits for what was written to it.
    if [ "$GUEST_KERNEL" = uml ]; then
        stty -F "$GUEST_STDOUT" raw
        stty -F "$GUEST_STDERR" raw
    fi
    echo "$1" >/guest/control/status
    sync
    echo o >/proc/sysrq-trigger
    sleep 10
    poweroff -ff
}
