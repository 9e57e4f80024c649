"""Signals: the default state for a program, and waiting for them in a foreground `run`."""

from __future__ import annotations

import posix
import sys

from pyoci.linux.libc import number_of, syscall

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal as _signal
else:
    import _signal

# The C library keeps these for itself and lets nobody set them; a caller may have them ignored.
_LIBRARY_SIGNALS = (32, 33)
_DEFAULT_ACTION = bytes(32)  # struct sigaction of the kernel, with SIG_DFL and no flags
_SIGSET_BYTES = 8
SIGKILL, SIGCHLD, SIGSTOP, SIGURG, SIGWINCH = 9, 17, 19, 23, 28
_INFO_BYTES = 128  # signalfd(2), struct signalfd_siginfo
_ALL_BYTES = 128  # of a sigset_t, in every C library


def reset_signals() -> None:
    """Every signal to its default action, none blocked, whatever Python or our caller ignored."""
    for number in _signal.valid_signals():
        if _signal.getsignal(number) not in (_signal.SIG_DFL, None):
            _signal.signal(number, _signal.SIG_DFL)
    for kept in _LIBRARY_SIGNALS:
        syscall(number_of("rt_sigaction"), kept, _DEFAULT_ACTION, None, _SIGSET_BYTES)
    _signal.pthread_sigmask(_signal.SIG_SETMASK, ())


def resettable_signals() -> set[int]:
    """The numbers of all signals but SIGKILL and SIGSTOP, whose action cannot be set."""
    return {int(number) for number in _signal.valid_signals()} - {SIGKILL, SIGSTOP}


def block_signals() -> set[int]:
    """Block every signal, so that they are waited for; returns the mask before."""
    return {int(n) for n in _signal.pthread_sigmask(_signal.SIG_SETMASK, _signal.valid_signals())}


def restore_signals(mask: set[int]) -> None:
    """Block only these signals again: what `block_signals` has returned."""
    _signal.pthread_sigmask(_signal.SIG_SETMASK, mask)


def wait_signal() -> int:
    """The number of the next signal that arrives (sigwaitinfo(2)); they must be blocked."""
    return _signal.sigwaitinfo(_signal.valid_signals()).si_signo


def open_signals() -> int:
    """A close-on-exec descriptor that gives the signals that arrive (signalfd(2)), to be polled."""
    from pyoci.linux.libc import call, function

    flags = posix.O_CLOEXEC | posix.O_NONBLOCK
    return call(function("signalfd", 3), -1, b"\xff" * _ALL_BYTES, flags)


def read_signal(fd: int) -> int:
    """The number of the next signal of such a descriptor; they must be blocked."""
    return int.from_bytes(posix.read(fd, _INFO_BYTES)[:4], sys.byteorder)
