"""What the sources of pyoci never do, because of what Python does then (docs/python.md)."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "pyoci"

# Modules that follow symlinks, search our own PATH, start threads, keep buffers or print.
FORBIDDEN_MODULES = {
    "atexit", "codecs", "glob", "locale", "logging", "multiprocessing", "os", "pathlib", "shutil",
    "signal", "socket", "subprocess", "tempfile", "threading", "traceback", "warnings",
}  # fmt: skip
# NSS opens libraries, and asks whoever nsswitch.conf names: for `list` on the host only.
ACCOUNTS = {"pwd", "grp"}
MAY_ASK_ACCOUNTS = {"engine/query.py"}
# The interface as a library opens its schema; linux/ has types for checkers only.
MAY_OPEN_FILES = {"spec/report.py"}
# The end of the program, and of processes that have been cloned.
MAY_END_THE_PROCESS = {
    "cli/main.py", "engine/exec_init.py", "engine/init.py", "engine/intermediate.py",
    "engine/sources.py",
}  # fmt: skip


def sources() -> dict[str, ast.Module]:
    return {
        str(path.relative_to(PACKAGE)): ast.parse(path.read_text(encoding="utf-8"))
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name != "_build.py"
    }


SOURCES = sources()


def run_time(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node, but for what only type checkers read."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            yield from run_time(ast.Module(body=node.orelse, type_ignores=[]))
            continue
        yield node
        yield from run_time(node)


def imported(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in run_time(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def called(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """The dotted names of what is called."""
    for node in run_time(tree):
        if isinstance(node, ast.Call):
            yield ast.unparse(node.func), node


def breaches(tree: ast.Module, name: str) -> list[str]:
    """What the module does that it must not."""
    modules = imported(tree)
    found = [f"imports {module}" for module in sorted(modules & FORBIDDEN_MODULES)]
    if name not in MAY_ASK_ACCOUNTS:
        found += [f"imports {module}" for module in sorted(modules & ACCOUNTS)]
    for function, call in called(tree):
        if function in ("sys.exit", "exit", "quit", "print", "input"):
            found.append(f"calls {function}")
        if function == "open" and name not in MAY_OPEN_FILES:
            found.append("calls open")
        if function in ("posix.execv", "posix.system", "posix.putenv", "posix.fork"):
            found.append(f"calls {function}")
        if function == "posix._exit" and name not in MAY_END_THE_PROCESS:
            found.append("calls posix._exit")
        if function in ("posix.execve", "posix.posix_spawn") and len(call.args) != 3:
            found.append(f"calls {function} without an environment")
    return found


@pytest.mark.parametrize("name", SOURCES)
def test_no_module_does_what_it_must_not(name: str) -> None:
    assert breaches(SOURCES[name], name) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("import os.path", "imports os"),
        ("def f():\n    from shutil import rmtree", "imports shutil"),
        ("import pwd", "imports pwd"),
        ("with open('x'): pass", "calls open"),
        ("import sys\nsys.exit(1)", "calls sys.exit"),
        ("posix._exit(1)", "calls posix._exit"),
        ("posix.execve(a, b)", "calls posix.execve without an environment"),
    ],
)
def test_a_breach_is_seen(text: str, found: str) -> None:
    assert breaches(ast.parse(text), "engine/x.py") == [found]


def test_what_checkers_read_is_free() -> None:
    text = "TYPE_CHECKING = False\nif TYPE_CHECKING:\n    import os\nelse:\n    import shutil"
    assert breaches(ast.parse(text), "engine/x.py") == ["imports shutil"]


def test_the_tests_that_the_list_of_hazards_names_exist() -> None:
    text = (PACKAGE.parent / "docs" / "python.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", text))
    files = (PACKAGE.parent / "tests").rglob("test_*.py")
    sources = "\n".join(path.read_text(encoding="utf-8") for path in files)
    defined = set(re.findall(r"^def (test_\w+)\(", sources, re.MULTILINE))
    assert len(named) > 40
    assert named - defined == set()
    assert re.findall(r"^\| P(\d+) ", text, re.MULTILINE) == [str(n) for n in range(1, 18)]
