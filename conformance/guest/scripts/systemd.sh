# systemd as process 1: a target that needs little, and the command as a service of it.
mkdir -p /run/systemd/system
# What costs time at every start and is of no use here.
for unit in modprobe@dm_mod.service modprobe@drm.service modprobe@efi_pstore.service \
    modprobe@loop.service sys-kernel-debug.mount sys-kernel-tracing.mount \
    systemd-binfmt.service systemd-random-seed.service systemd-update-utmp.service; do
    ln -s /dev/null "/run/systemd/system/$unit"
done
cat >/run/systemd/system/guest.target <<END
[Unit]
Requires=basic.target dbus.socket guest.service
After=basic.target dbus.socket
AllowIsolate=yes
END
# Processes that the command leaves are not killed with it, nor is it when one of them runs out
# of memory: the tests want to see what the kernel does.
cat >/run/systemd/system/guest.service <<END
[Unit]
After=basic.target dbus.socket
[Service]
ExecStart=/guest/control/run
ExecStopPost=/guest/control/stopped
StandardOutput=file:$GUEST_STDOUT
StandardError=file:$GUEST_STDERR
Delegate=yes
KillMode=process
OOMPolicy=continue
LimitNOFILE=infinity
END
exec /lib/systemd/systemd --unit=guest.target
