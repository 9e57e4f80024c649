"""The fuzzing harness runs, and would tell: `make fuzz` gives the same targets more time."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from pyoci.errors import ConfigError, InternalError, PyociError
from tests.fuzz import main
from tests.fuzz.mutate import MAKERS
from tests.fuzz.targets import TARGETS, check_error, refusing

INPUTS = {"seccomp": 25}


def test_every_target_has_its_inputs() -> None:
    assert set(main.NAMES) == set(TARGETS) == set(MAKERS)


@pytest.mark.parametrize("name", main.NAMES)
def test_nothing_but_refusals(name: str) -> None:
    random = Random(name)  # noqa: S311  (the same each time)
    for _ in range(INPUTS.get(name, 120)):
        TARGETS[name](MAKERS[name](random))


@pytest.mark.parametrize("name", main.NAMES)
def test_some_inputs_are_good(name: str) -> None:
    """Or the target would never get beyond its parser."""
    module = __import__("tests.fuzz.targets", fromlist=["x"])
    target = getattr(module, f"fuzz_{name}")
    random = Random(1)  # noqa: S311  (the same each time)
    for _ in range(200):
        try:
            target(MAKERS[name](random))
        except PyociError:
            continue
        return
    pytest.fail("200 inputs, and none was good")


@pytest.mark.parametrize(
    "error",
    [
        InternalError("oops"),
        ConfigError("", "this is a bug in pyoci"),
        ConfigError("a", "x" * 9000),
    ],
    ids=["internal", "blames us", "long"],
)
def test_an_error_that_is_a_finding(error: ConfigError | InternalError) -> None:
    with pytest.raises(AssertionError):
        check_error(error)


def test_what_is_raised_is_found_once_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(data: bytes) -> None:
        if data[:1] == b"{":
            raise KeyError(data)

    monkeypatch.setitem(TARGETS, "process", refusing(fail))
    assert main.fuzz("process", 0.5, 1, tmp_path) == 1
    (kept,) = tmp_path.iterdir()
    assert kept.read_bytes()[:1] == b"{"
    assert "--- finding: KeyError" in capsys.readouterr().out
    with pytest.raises(KeyError):
        main.run_input("process", kept)
