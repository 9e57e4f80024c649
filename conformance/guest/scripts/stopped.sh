#!/bin/sh
# What systemd runs after the command; it says in words how that ended (systemd.exec(5)).
. /guest/control/settings.sh
. /guest/control/finish.sh
case $EXIT_CODE in
    exited) finish "$EXIT_STATUS" ;;
esac
# procps' kill: that of the shell does not translate a name.
finish $((128 + $(env kill -l "$EXIT_STATUS")))
