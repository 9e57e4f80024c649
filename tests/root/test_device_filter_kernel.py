"""The device filter in the kernel: loaded, attached to a cgroup, exchanged, and obeyed."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pyoci.cgroup.devices import (
    attach_device_filter,
    load_device_filter,
    replace_device_filter,
)
from pyoci.errors import InternalError
from pyoci.linux import bpf
from pyoci.plan.cgroup.devices import DEFAULT_DEVICE_RULES, compile_device_filter
from pyoci.plan.cgroup.ebpf import assemble, leave, set_to
from pyoci.spec.model import DeviceRule

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.root

NULL, ZERO, FULL = "/dev/null", "/dev/zero", "/dev/full"


def attach(cgroup_fd: int, program: bytes) -> None:
    """Load and attach; nothing is left open."""
    program_fd = load_device_filter(program)
    try:
        attach_device_filter(cgroup_fd, program_fd)
    finally:
        os.close(program_fd)


def replace(cgroup_fd: int, program: bytes) -> None:
    """Load and exchange; nothing is left open."""
    program_fd = load_device_filter(program)
    try:
        replace_device_filter(cgroup_fd, program_fd)
    finally:
        os.close(program_fd)


def find_cgroup2() -> str:
    """Where cgroup v2 is mounted, also on a hybrid host (proc(5), mountinfo)."""
    with open("/proc/self/mountinfo", encoding="utf-8") as lines:
        for line in lines:
            mount, _, filesystem = line.partition(" - ")
            if filesystem.startswith("cgroup2 "):
                return mount.split()[4]
    pytest.skip("no cgroup2 mount")


@pytest.fixture
def cgroup() -> Iterator[str]:
    """A cgroup of our own, gone afterwards."""
    path = f"{find_cgroup2()}/pyoci-test-devices-{os.getpid()}"
    os.mkdir(path)
    try:
        yield path
    finally:
        os.rmdir(path)


@pytest.fixture
def cgroup_fd(cgroup: str) -> Iterator[int]:
    fd = os.open(cgroup, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def open_in(cgroup: str, path: str, flags: int = os.O_RDONLY) -> str:
    """How an open fares in a process of the cgroup: the errno's name, or `ok`."""
    pid = os.fork()
    if pid == 0:
        status = 255
        try:
            with open(f"{cgroup}/cgroup.procs", "w", encoding="ascii") as procs:
                procs.write("0")
            os.open(path, flags)
            status = 0
        except OSError as error:
            status = error.errno or 255
        finally:
            os._exit(status)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return errno.errorcode.get(status, str(status)) if status else "ok"


def device(path: str, access: str = "rwm", *, allow: bool = True) -> DeviceRule:
    number = os.stat(path).st_rdev
    return DeviceRule(
        allow=allow, type="c", major=os.major(number), minor=os.minor(number), access=access
    )


def open_fds() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_denied_and_allowed(cgroup: str, cgroup_fd: int) -> None:
    assert open_in(cgroup, ZERO) == "ok"
    attach(cgroup_fd, compile_device_filter((device(NULL),)))
    assert open_in(cgroup, NULL, os.O_RDWR) == "ok"
    assert open_in(cgroup, ZERO) == "EPERM"
    assert open_in(cgroup, "/etc/passwd") == "ok"


def test_partial_access(cgroup: str, cgroup_fd: int) -> None:
    rules = (device(ZERO, "r"), device(FULL, "r"), device(FULL, "w"), device(NULL, "w"))
    attach(cgroup_fd, compile_device_filter(rules))
    found = {
        (path, flags): open_in(cgroup, path, flags)
        for path in (ZERO, FULL, NULL)
        for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR)
    }
    assert found == {
        (ZERO, os.O_RDONLY): "ok",
        (ZERO, os.O_WRONLY): "EPERM",
        (ZERO, os.O_RDWR): "EPERM",
        (FULL, os.O_RDONLY): "ok",
        (FULL, os.O_WRONLY): "ok",
        (FULL, os.O_RDWR): "ok",
        (NULL, os.O_RDONLY): "EPERM",
        (NULL, os.O_WRONLY): "ok",
        (NULL, os.O_RDWR): "EPERM",
    }


def test_defaults(cgroup: str, cgroup_fd: int) -> None:
    rules = (DeviceRule(allow=False), *DEFAULT_DEVICE_RULES)
    attach(cgroup_fd, compile_device_filter(rules))
    for path in (NULL, ZERO, FULL, "/dev/random", "/dev/urandom"):
        assert open_in(cgroup, path) == "ok", path
    assert open_in(cgroup, "/dev/kmsg") == "EPERM"


def test_largest_program_loads(cgroup: str, cgroup_fd: int) -> None:
    many = tuple(
        DeviceRule(allow=True, type="c", major=200, minor=minor, access="r")
        for minor in range(4095)
    )
    attach(cgroup_fd, compile_device_filter((*many, device(NULL))))
    assert open_in(cgroup, NULL) == "ok"
    assert open_in(cgroup, ZERO) == "EPERM"


def test_replace(cgroup: str, cgroup_fd: int) -> None:
    attach(cgroup_fd, compile_device_filter((device(NULL),)))
    before = bpf.read_attached(cgroup_fd)
    replace(cgroup_fd, compile_device_filter((device(ZERO),)))
    after = bpf.read_attached(cgroup_fd)
    assert (len(before), len(after)) == (1, 1)
    assert before != after
    assert open_in(cgroup, NULL) == "EPERM"
    assert open_in(cgroup, ZERO) == "ok"


def test_replace_where_nothing_is(cgroup: str, cgroup_fd: int) -> None:
    replace(cgroup_fd, compile_device_filter((device(ZERO),)))
    assert len(bpf.read_attached(cgroup_fd)) == 1
    assert open_in(cgroup, NULL) == "EPERM"


def test_replace_takes_off_all_others(cgroup: str, cgroup_fd: int) -> None:
    # As systemd leaves them: each must allow, so here nothing is left.
    attach(cgroup_fd, compile_device_filter((device(NULL),)))
    attach(cgroup_fd, compile_device_filter((device(ZERO),)))
    assert len(bpf.read_attached(cgroup_fd)) == 2
    assert open_in(cgroup, NULL) == "EPERM"
    replace(cgroup_fd, compile_device_filter((device(NULL),)))
    assert len(bpf.read_attached(cgroup_fd)) == 1
    assert open_in(cgroup, NULL) == "ok"


def test_no_descriptor_is_left(cgroup_fd: int) -> None:
    before = open_fds()
    program = compile_device_filter(())
    attach(cgroup_fd, program)
    attach(cgroup_fd, program)
    replace(cgroup_fd, program)
    replace(cgroup_fd, program)
    assert open_fds() == before


def test_verifier_says_what_is_wrong(cgroup_fd: int) -> None:
    before = open_fds()
    with pytest.raises(InternalError, match=r"refused the device filter: .*R0 !read_ok"):
        attach(cgroup_fd, assemble([leave()], "little"))
    assert open_fds() == before


def test_long_log_still_says_it(cgroup_fd: int) -> None:
    lines = [*[set_to(2, 1)] * 30000, leave()]
    with pytest.raises(InternalError, match="R0 !read_ok") as caught:
        attach(cgroup_fd, assemble(lines, "little"))
    assert len(caught.value.message) < 2000


def test_what_is_no_program_has_no_log(cgroup_fd: int) -> None:
    with pytest.raises(OSError, match="Argument list too long") as caught:
        attach(cgroup_fd, b"")
    assert not isinstance(caught.value, bpf.VerifierError)


def test_what_is_no_cgroup() -> None:
    fd = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    before = open_fds()
    try:
        with pytest.raises(OSError, match="Bad file descriptor"):
            attach(fd, compile_device_filter(()))
        assert open_fds() == before
    finally:
        os.close(fd)


def lower_memlock() -> tuple[int, int]:
    """Leave room between the soft limit and the hard one; returns both."""
    hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
    resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, hard))
    return resource.getrlimit(resource.RLIMIT_MEMLOCK)


def test_without_the_right_to_load_limits_stay_as_they_are() -> None:
    program = compile_device_filter(())
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            os.setresuid(65534, 65534, 65534)
            limits = lower_memlock()
            try:
                bpf.load_device_program(program)
            except PermissionError:
                status = 0 if resource.getrlimit(resource.RLIMIT_MEMLOCK) == limits else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


LOAD = """
import resource
from pyoci.linux import bpf
from pyoci.plan.cgroup.devices import compile_device_filter
hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
resource.setrlimit(resource.RLIMIT_MEMLOCK, (4096, hard))
bpf.load_device_program(compile_device_filter(()))
print(resource.getrlimit(resource.RLIMIT_MEMLOCK) == (4096, hard))
"""


@pytest.mark.parametrize(
    ("fault", "loads", "raises"),
    [
        ("EPERM:when=1", 2, True),  # how kernels before 5.11 say that memory is short
        ("ENOMEM:when=1", 2, True),
        ("EAGAIN:when=1..3", 4, False),  # signals, while the verifier was at work
    ],
)
def test_first_load_fails(tmp_path: Path, fault: str, loads: int, raises: bool) -> None:
    log = tmp_path / "trace"
    inject = ["-e", "trace=bpf,prlimit64", "-e", f"inject=bpf:error={fault}", "-o", str(log)]
    child = subprocess.run(
        ["/usr/bin/strace", *inject, sys.executable, "-c", LOAD],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert (child.stdout, child.stderr) == ("True\n", "")
    trace = log.read_text()
    assert trace.count("BPF_PROG_LOAD") == loads
    assert ("rlim_cur=RLIM64_INFINITY" in trace) is raises
