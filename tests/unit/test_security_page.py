"""SECURITY.md says the truth about the tests that it names."""

from __future__ import annotations

import ast
import functools
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "SECURITY.md").read_text()
NAMED = sorted(set(re.findall(r"`(tests/[\w/]+\.py(?:::\w+)?)`", TEXT)))
RULE = re.compile(r"\bR-[A-Z]+-\d+\b")


@functools.cache
def read_tests(path: str) -> frozenset[str]:
    """The names of the tests in a file; none if there is no such file."""
    file = ROOT / path
    if not file.exists():
        return frozenset()
    nodes = ast.walk(ast.parse(file.read_text()))
    names = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
    return frozenset(name for name in names if name.startswith("test_"))


@pytest.mark.parametrize("named", NAMED)
def test_every_test_that_is_named_exists(named: str) -> None:
    path, _, name = named.partition("::")
    assert read_tests(path)
    assert not name or name in read_tests(path)


def test_every_rule_has_a_test() -> None:
    rows = [line for line in TEXT.splitlines() if line.startswith("| R-")]
    assert rows
    for row in rows:
        assert re.search(r"`tests/[\w/]+\.py", row), row


def test_every_rule_that_the_sources_name_is_explained() -> None:
    sources = [*ROOT.glob("pyoci/**/*.py"), *ROOT.glob("tests/**/*.py")]
    used = {rule for path in sources for rule in RULE.findall(path.read_text())}
    assert used <= set(RULE.findall(TEXT))
