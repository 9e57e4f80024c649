"""Runs a command as root in a throw-away Linux guest that has what the host may lack.

The guest is a small Debian system under one of two kernels, User Mode Linux or
Debian's own in QEMU (emulated: no KVM). It has cgroup v2 with its controllers
and every capability. Nothing of the host is changed but the cache of the image.
"""
