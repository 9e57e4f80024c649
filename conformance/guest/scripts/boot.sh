#!/bin/sh
# Process 1 of the root file system: mounts this run's control directory, whose init goes on.
# User Mode Linux passes hostfs_control, from the kernel's command line, in the environment.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
if [ -n "$hostfs_control" ]; then
    mount -t hostfs -o "$hostfs_control" none /guest/control
else
    mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 control /guest/control
fi
exec /bin/sh /guest/control/init
