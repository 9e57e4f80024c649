#!/bin/busybox sh
# Init of the initial RAM disk: loads the modules, waits for the disk, goes there.
b=/bin/busybox
$b mount -t devtmpfs dev /dev
for module in /modules/*; do
    $b insmod "$module"
done
tries=0
while [ ! -b /dev/vda ] && [ $tries -lt 100 ]; do
    $b sleep 0.05
    tries=$((tries + 1))
done
$b mount -t ext4 -o rw,noatime,noinit_itable /dev/vda /root || exit 1
$b mount -o move /dev /root/dev
exec $b switch_root /root /guest/boot
