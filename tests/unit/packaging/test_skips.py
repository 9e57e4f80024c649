"""The account of skips: what PYOCI_STRICT_SKIPS makes of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

ROOT = Path(__file__).resolve().parents[3]

SAMPLE = """\
import pytest

def test_passes(): pass

@pytest.mark.skip(reason="needs a moon")
def test_moon(): pass

@pytest.mark.skip(reason="needs a sun")
def test_sun(): pass
"""

ALLOWED = """\
[[skip]]
test = "*::test_moon"
reason = "needs a *"
because = "not every machine has one"
"""


@pytest.fixture
def sample(pytester: pytest.Pytester) -> pytest.Pytester:
    """A directory with the sample, our conftest.py and a list of one allowed skip."""
    shutil.copy(ROOT / "tests" / "conftest.py", pytester.path)
    (pytester.path / "allowed_skips.toml").write_text(ALLOWED)
    pytester.makepyfile(test_sample=SAMPLE)
    markers = "root\n  vm\n  clients"
    pytester.makeini(f"[pytest]\naddopts = -ra -p no:hypothesispytest\nmarkers = {markers}\n")
    return pytester


def test_skips_are_counted_and_told_with_their_reasons(
    sample: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PYOCI_STRICT_SKIPS", raising=False)
    result = sample.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.OK
    assert "1 passed, 0 failed, 2 skipped" in result.outlines
    result.stdout.fnmatch_lines(["SKIPPED *needs a moon", "SKIPPED *needs a sun"])


def test_a_strict_run_fails_for_the_skip_that_is_not_listed(
    sample: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYOCI_STRICT_SKIPS", "1")
    result = sample.runpytest_inprocess()
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    assert "1 passed, 1 failed, 1 skipped" in result.outlines
    assert "skipped (needs a sun), which allowed_skips.toml does not allow" in result.outlines


def test_a_test_below_root_has_the_marker_of_its_level(sample: pytest.Pytester) -> None:
    (sample.path / "root").mkdir()
    (sample.path / "root" / "test_below.py").write_text("def test_below(): pass\n")
    result = sample.runpytest_inprocess("--collect-only", "-q", "-m", "root")
    assert "root/test_below.py::test_below" in result.outlines
    assert not any("test_sample" in line for line in result.outlines)
