"""The image of a process, on the real kernel and without root; tests/root/test_interpreter.py
changes that of whole interpreters.
"""

from __future__ import annotations

import errno
import itertools
import mmap
import os
import signal
import sys
from pathlib import Path

import pytest

from pyoci.linux import image, libc, signals
from pyoci.plan.remap import READ, WRITE, plan_remap
from tests.support.child import in_child

PAGE = mmap.PAGESIZE


def test_a_sealed_file_is_empty_executable_and_cannot_be_written_to() -> None:
    fd = image.make_sealed_file("pyoci-test")
    try:
        assert image.read_seals(fd) == image.SEALS
        assert os.fstat(fd).st_size == 0
        assert os.access(f"/proc/self/fd/{fd}", os.X_OK)
        assert not os.get_inheritable(fd)
        with pytest.raises(PermissionError):
            os.write(fd, b"x")
        with pytest.raises(PermissionError):
            os.truncate(fd, 1)
    finally:
        os.close(fd)


def test_a_sealed_copy_has_all_of_the_content(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(os.urandom(3 << 20))
    source_fd = os.open(source, os.O_RDONLY)
    fd = image.make_sealed_file("pyoci-test", source_fd)
    os.close(source_fd)
    try:
        assert os.pread(fd, 4 << 20, 0) == source.read_bytes()
        with pytest.raises(PermissionError):
            os.pwrite(fd, b"x", 0)
    finally:
        os.close(fd)


def test_an_ordinary_file_has_no_seals(tmp_path: Path) -> None:
    fd = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(OSError, match=r"."):
            image.read_seals(fd)
    finally:
        os.close(fd)


def test_calls_are_chained_in_order() -> None:
    # Each copies what the one before it has brought.
    places = [libc.buffer(8, b"content"), libc.buffer(8), libc.buffer(8), libc.buffer(8)]
    copy = libc.symbol("memcpy")
    calls = [
        (copy, (libc.address(to), libc.address(source), 8))
        for source, to in itertools.pairwise(places)
    ]
    image.run_chain(calls)
    assert [bytes(place) for place in places] == [b"content\0"] * 4


def test_a_missing_function_is_enosys() -> None:
    for look_up in (libc.symbol, lambda name: libc.long_function(name, 1)):
        with pytest.raises(OSError, match="no open_the_door") as caught:
            look_up("open_the_door")
        assert caught.value.errno == errno.ENOSYS


def test_memory_is_replaced_by_a_copy(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"a" * PAGE + b"b" * PAGE)

    def replace() -> tuple[bytes, bool, bool, set[int]]:
        fd = os.open(path, os.O_RDWR)
        area = mmap.mmap(fd, 2 * PAGE, mmap.MAP_PRIVATE)
        area[0:5] = b"dirty"
        plan = plan_remap(image.read_maps(), os.fsencode(path))
        before = signals.block_signals()
        signals.restore_signals(before)
        image.replace_by_copies(plan.copied)
        after = {int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, ())}
        mapped = os.fsencode(path) in image.read_maps()
        area[PAGE] = ord("c")
        return area[:6] + area[PAGE : PAGE + 2], mapped, plan.again == (), after ^ before

    assert in_child(replace) == (b"dirtyacb", False, True, set())


def test_a_file_is_mapped_again_in_the_same_place(tmp_path: Path) -> None:
    paths = [tmp_path / "one", tmp_path / "other"]
    for path in paths:
        path.write_bytes(path.name.encode() * PAGE)

    def replace() -> tuple[bytes, bool]:
        with paths[0].open("rb") as file:
            area = mmap.mmap(file.fileno(), PAGE, mmap.MAP_PRIVATE, mmap.PROT_READ)
        (segment,) = plan_remap(image.read_maps(), os.fsencode(paths[0])).again
        fd = os.open(paths[1], os.O_RDONLY)
        image.map_again(fd, segment.start, segment.end, READ, 0)
        image.protect(segment.start, segment.end, READ | WRITE)
        return area[:5], os.fsencode(paths[0]) in image.read_maps()

    assert in_child(replace) == (b"other", False)


def test_stat_and_arguments_are_ours() -> None:
    stat = image.read_stat()
    assert stat[3] == os.getppid()
    assert stat[image.THREADS] == len(os.listdir("/proc/self/task"))
    assert [os.fsdecode(word) for word in image.read_arguments()] == sys.orig_argv


def test_the_executable_cannot_be_replaced_while_it_is_mapped() -> None:
    def replace() -> None:
        image.set_executable(image.make_sealed_file("pyoci-test"), image.read_stat())

    # EBUSY; without CAP_SYS_ADMIN EPERM, and EINVAL on a kernel without CONFIG_CHECKPOINT_RESTORE.
    with pytest.raises(OSError, match=r".") as caught:
        in_child(replace)
    assert caught.value.errno in (errno.EBUSY, errno.EPERM, errno.EINVAL)
