"""Changes of a cgroup in use, which are made all or not at all.

What a file said is read before it is written, and goes back, last first, when a
later write fails.
"""

from __future__ import annotations

from pyoci.cgroup.manager import write_value
from pyoci.errors import StepError, describe_errno
from pyoci.linux.pidfd import read_kernel_file
from pyoci.plan.cgroup.restore import (
    ALSO_CHANGED,
    EFFECTIVE,
    is_restorable,
    plan_restore,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pyoci.plan.cgroup.model import CgroupWrite, UsageCheck


class Changes:
    """The changes made so far, and how to take them back."""

    def __init__(self, path: str) -> None:
        """Take the cgroup's directory; nothing is changed yet."""
        self.path = path
        # File and value; None where nothing we know brings back what it was.
        self._undo: list[tuple[str, str | None]] = []

    def apply(self, writes: tuple[CgroupWrite, ...], store: Callable[[], None]) -> None:
        """Do all the writes, then `store` what was done.

        StepError that names the first that fails, its key, and whether those
        before it are undone; the OSErrors of `store` come as they are.
        """
        for write in writes:
            self.make(write)
        try:
            store()
        except BaseException as error:
            if told := self.roll_back():
                error.add_note(f"the limits were set before it failed: {told}")
            raise

    def make(self, write: CgroupWrite) -> None:
        """Do one write; if it fails, StepError after all before it are taken back."""
        try:
            self._apply(write)
        except OSError as error:
            raise self._failure(write, error) from None

    def _apply(self, write: CgroupWrite) -> None:
        """One write; in its place or not at all where the kernel lacks the file."""
        try:
            self._write(write.file, write.value)
        except FileNotFoundError:
            if write.instead is not None:
                self._apply(write.instead)
            elif not write.optional:
                raise

    def _write(self, file: str, value: str) -> None:
        known = len(self._undo)
        if file in ALSO_CHANGED:
            self._remember(ALSO_CHANGED[file], "")
        self._remember(file, value)
        try:
            write_line(self.path, file, value)
        except OSError:
            del self._undo[known:]
            raise

    def _remember(self, file: str, written: str) -> None:
        content = self._read(file)
        if file in EFFECTIVE and content is not None and not content.strip():
            content = self._read(EFFECTIVE[file])
        before = None if content is None else plan_restore(file, written, content)
        if before is None or is_restorable(file, before):
            self._undo.append((file, before))

    def _read(self, file: str) -> str | None:
        """The file's text; None for one that can only be written."""
        try:
            return read_kernel_file(f"{self.path}/{file}").decode()
        except FileNotFoundError:
            raise
        except OSError:  # EINVAL, EACCES
            return None

    def _failure(self, write: CgroupWrite, error: OSError) -> StepError:
        number = error.errno or 0
        detail = f"write {write.value!r} to {self.path}/{write.file}: {describe_errno(number)}"
        if told := self.roll_back():
            detail = f"{detail}; {told}"
        hint = "the kernel has no such file" if isinstance(error, FileNotFoundError) else ""
        return StepError("", write.config_path, detail, number, f"{self.path}/{write.file}", hint)

    def roll_back(self) -> str:
        """Take back what was done; in words what came of it, empty if there was nothing."""
        left: list[str] = []
        count = len(self._undo)
        while self._undo:
            file, value = self._undo.pop()
            try:
                if value is not None:
                    write_line(self.path, file, value)
            except OSError as error:
                left.append(f"{file}: {describe_errno(error.errno or 0)}")
            else:
                left += [] if value is not None else [f"{file}: its former value is not known"]
        if left:
            return f"not everything before it could be rolled back: {', '.join(left)}"
        return "what was written before it is rolled back" if count else ""


def write_line(path: str, file: str, value: str) -> None:
    """Write one value, at least a newline: a write of nothing does not reach the kernel's file."""
    write_value(path, file, value or "\n")


def check_usage(path: str, check: UsageCheck) -> None:
    """StepError if what is used has reached what is to be the limit (`checkBeforeUpdate`)."""
    used = sum([_read_number(f"{path}/{file}") for file in check.files])
    if used >= check.limit_bytes:
        detail = f"{check.limit_bytes} bytes are no limit for {used} that are in use"
        raise StepError("", check.config_path, detail)


def _read_number(path: str) -> int:
    try:
        return int(read_kernel_file(path))
    except FileNotFoundError:
        return 0
