"""Failures in words: process, step, errno, cause, advice."""

from __future__ import annotations

import errno

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.engine.failures import hint_for, init_error, main_error, start_error
from pyoci.engine.sync import Failure, decode_failure, encode_failure, failure_of
from pyoci.errors import ConfigError, StepError
from pyoci.plan import rootfs_steps as r
from pyoci.plan import steps as s
from tests.support.planning import make_config, plan_config

PLAN = plan_config(make_config(mounts=[{"destination": "/proc", "type": "proc", "source": "proc"}]))
MOUNT = next(n for n, step in enumerate(PLAN.init) if isinstance(step, r.MountFilesystem))


def test_a_step_of_init_with_an_errno() -> None:
    error = init_error(PLAN, Failure(step=MOUNT, errno=errno.EPERM))
    assert error.message == (
        "init: mount proc on /proc: EPERM (operation not permitted) (mounts[0])"
    )
    assert (error.process, error.step, error.errno) == ("init", "mount proc on /proc", 1)
    assert "capability" in error.hint


@pytest.mark.parametrize(
    ("number", "step", "hint"),
    [
        (1, "mount sysfs on /sys", "bind /sys"),
        (1, "mount /a on /b by rbind (rw)", "keeps the flags"),
        (1, "change mount /b (dev)", "keeps the flags"),
        (1, "mount nfs on /b", "lacks a capability"),
        (22, "become user 5:5 with no additional groups", "a mapping for these ids"),
        (22, "open /a by bind, idmap 0:1:1 0:1:1", "has none"),
        (1, "open /a by bind, idmap 0:1:1 0:1:1", "only root of the user namespace"),
    ],
)
def test_hints_for_user_namespaces(number: int, step: str, hint: str) -> None:
    assert hint in hint_for(number, step)


def test_a_step_of_init_with_words_of_its_own() -> None:
    failure = Failure(step=MOUNT, errno=1, path="/proc", detail="it is a symlink", hint="mend it")
    error = init_error(PLAN, failure)
    assert error.message == "init: mount proc on /proc: it is a symlink (mounts[0])"
    assert (error.path, error.hint) == ("/proc", "mend it")


@pytest.mark.parametrize("step", [-1, len(PLAN.init), 10**9])
def test_a_failure_beside_the_steps(step: int) -> None:
    detail = 'exec: "sh": executable file not found in $PATH'
    error = init_error(PLAN, Failure(step=step, errno=2, detail=detail))
    assert error.message == f"init: {detail}"


def test_words_that_callers_match_stay_at_the_end() -> None:
    error = init_error(PLAN, Failure(step=MOUNT, detail="error running prestart hook #0: x"))
    assert error.message.endswith("error running prestart hook #0: x")


def test_a_step_of_main() -> None:
    step = s.MakeCgroup(config="linux.cgroupsPath", path="/a")
    error = main_error(step, OSError(errno.EROFS, "words", "/sys/fs/cgroup/a"))
    assert error.message == (
        "main: make cgroup /a: /sys/fs/cgroup/a: EROFS (read-only file system) (linux.cgroupsPath)"
    )
    assert error.errno == errno.EROFS
    error = main_error(s.SetOomScoreAdj(value=5), OSError("only words"))
    assert error.message == "main: set oom_score_adj to 5: only words"


def test_a_failed_start() -> None:
    failure = Failure(step=-1, errno=8, detail='exec: "/x": ENOEXEC', path="/x", hint="h")
    error = start_error(decode_failure(encode_failure(failure)))
    assert (error.message, error.errno, error.path) == ('init: exec: "/x": ENOEXEC', 8, "/x")
    assert start_error(decode_failure(b"")).message == "init: unreadable message from init: b''"
    assert start_error(Failure(step=-1, errno=2)).message == (
        "init: ENOENT (no such file or directory)"
    )


def test_hints() -> None:
    assert "options of this mount" in hint_for(errno.EINVAL, "mount proc on /proc")
    assert hint_for(errno.EINVAL, "set hostname x") == ""
    assert "too old" in hint_for(errno.ENOSYS, "")
    assert "module" in hint_for(errno.ENODEV, "mount x on /y")
    assert hint_for(0, "") == ""


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (
            StepError("", "", "words", 13, "/x", "hint"),
            Failure(step=4, errno=13, path="/x", detail="words", hint="hint"),
        ),
        (ConfigError("a.b", "wrong"), Failure(step=4, detail="a.b: wrong")),
        (
            OSError(2, "words", "/x"),
            Failure(step=4, errno=2, detail="/x: ENOENT (no such file or directory)"),
        ),
        (ValueError("x"), Failure(step=4, detail="internal error: ValueError: x")),
        (KeyboardInterrupt(), Failure(step=4, detail="internal error: KeyboardInterrupt: ")),
    ],
)
def test_every_exception_of_init_is_a_message(error: BaseException, failure: Failure) -> None:
    assert failure_of(error, 4) == failure


@given(st.integers(-5, 200), st.integers(0, 200), st.text(max_size=5))
def test_any_failure_has_words(step: int, number: int, detail: str) -> None:
    error = init_error(PLAN, Failure(step=step, errno=number, detail=detail))
    assert error.message.startswith("init: ")
    assert isinstance(error, StepError)
