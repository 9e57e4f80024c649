# The minimal init: what systemd would set up, as far as tests see it, then the command.
mkdir -p /dev/pts /dev/shm /dev/mqueue /run/lock
mount -t devpts -o nosuid,noexec,gid=5,mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs -o nosuid,nodev,mode=1777 tmpfs /dev/shm
mount -t mqueue -o nosuid,nodev,noexec mqueue /dev/mqueue
mount --make-rshared /
[ -e /dev/fd ] || ln -s /proc/self/fd /dev/fd
for stream in 0:stdin 1:stdout 2:stderr; do
    [ -e "/dev/${stream#*:}" ] || ln -s "/proc/self/fd/${stream%:*}" "/dev/${stream#*:}"
done
ip link set lo up

# As under systemd, only kernel threads are in the root cgroup, and its children have every
# controller. Kernel threads stay: with real-time group scheduling (User Mode Linux) the kernel
# refuses the cpu controller once they are elsewhere.
mkdir /sys/fs/cgroup/init
echo 1 >/sys/fs/cgroup/init/cgroup.procs
for controller in $(cat /sys/fs/cgroup/cgroup.controllers); do
    echo "+$controller" >/sys/fs/cgroup/cgroup.subtree_control
done

/guest/control/run >"$GUEST_STDOUT" 2>"$GUEST_STDERR" </dev/null
finish $?
