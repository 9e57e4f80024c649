"""The device filter on a cgroup: attached to a new one, exchanged on one in use.

The program comes from ``plan/cgroup/devices.py``. OSErrors are bpf(2)'s;
whether one may be tolerated (rootless: EPERM) is for the caller to say.
"""

from __future__ import annotations

import posix

from pyoci.errors import InternalError
from pyoci.linux import bpf

_ATTEMPTS = 20
_LOG_LINES = 8


def load_device_filter(program: bytes) -> int:
    """A descriptor of the program in the kernel; close it once it is attached.

    InternalError with the verifier's words if the kernel refuses the program.
    """
    try:
        return bpf.load_device_program(program)
    except bpf.VerifierError as error:
        said = "; ".join(error.log.splitlines()[-_LOG_LINES:])
        message = f"the kernel's verifier refused the device filter: {said}"
        raise InternalError(message) from error


def attach_device_filter(cgroup_fd: int, program_fd: int) -> None:
    """Attach a program to a cgroup that has none yet, one that was just made."""
    bpf.attach(cgroup_fd, program_fd)


def replace_device_filter(cgroup_fd: int, program_fd: int) -> None:
    """Make a program the only one of a cgroup; at no moment is there none.

    One that is attached is replaced in one step. Of several (systemd leaves
    its own beside ours) each must allow a request, so the new one is added and
    the old ones are taken off.
    """
    for _ in range(_ATTEMPTS):
        if _replace(cgroup_fd, program_fd):
            return
    bpf.attach(cgroup_fd, program_fd)


def _replace(cgroup_fd: int, program_fd: int) -> bool:
    """One attempt; False if somebody else changed what is attached meanwhile."""
    old_fds = _open_attached(cgroup_fd)
    try:
        if len(old_fds) == 1:
            try:
                bpf.attach(cgroup_fd, program_fd, old_fds[0])
            except FileNotFoundError:
                return False
            return True
        bpf.attach(cgroup_fd, program_fd)
        for old_fd in old_fds:
            _detach(cgroup_fd, old_fd)
    finally:
        for old_fd in old_fds:
            posix.close(old_fd)
    return True


def _open_attached(cgroup_fd: int) -> list[int]:
    """Descriptors of the attached programs that we may touch.

    EPERM and EACCES: a security module keeps that program from us. It can only
    deny more, so it does no harm. ENOENT: it went meanwhile.
    """
    opened = []
    for program_id in bpf.read_attached(cgroup_fd):
        try:
            opened.append(bpf.open_program(program_id))
        except (PermissionError, FileNotFoundError):
            continue
    return opened


def _detach(cgroup_fd: int, program_fd: int) -> None:
    try:
        bpf.detach(cgroup_fd, program_fd)
    except FileNotFoundError:  # somebody else took it off
        return
