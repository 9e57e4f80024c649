#!/bin/sh
# Process 1, from the run's control directory: what is the same under both kernels and both inits.
. /guest/control/settings.sh
. /guest/control/finish.sh

mount -t proc -o nosuid,nodev,noexec proc /proc
mount -t sysfs -o nosuid,nodev,noexec sysfs /sys
mount -t tmpfs -o nosuid,nodev,mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=700 tmpfs /guest/share
mount -t cgroup2 -o nosuid,nodev,noexec,nsdelegate,memory_recursiveprot cgroup2 /sys/fs/cgroup
mount -t securityfs -o nosuid,nodev,noexec securityfs /sys/kernel/security
# Not all are modules of both kernels.
modprobe -a overlay fuse loop veth bridge 2>/dev/null
hostname guest
unset hostfs_control

# The lines are devices that appear when their driver is ready.
tries=0
until [ -c "$GUEST_STDERR" ] || [ $tries -ge 100 ]; do
    sleep 0.05
    tries=$((tries + 1))
done
if [ "$GUEST_KERNEL" = uml ]; then
    stty -F "$GUEST_STDOUT" raw -echo
    stty -F "$GUEST_STDERR" raw -echo
fi

. /guest/control/shares.sh
. "/guest/control/$GUEST_INIT.sh"
