"""Rules of the source that no linter checks: sizes, headers, and how paths below a rootfs are used.

Who may import whom is import-linter's business, and what a command may load test_import_budget's.
Every exception stands here with its reason.
"""

from __future__ import annotations

import ast
import functools
import statistics
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

PACKAGE = Path(__file__).parents[2] / "pyoci"
MODULES = {
    str(path.relative_to(PACKAGE)): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if path.name != "_build.py"  # written by `make build`
}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}
Function = ast.FunctionDef | ast.AsyncFunctionDef

MAX_MODULE_LINES, MAX_FUNCTION_LINES = 400, 60
LONG_MODULES = {
    "spec/accept.py": "generated",
}
LONG_FUNCTIONS: dict[tuple[str, str], str] = {}


@functools.cache
def functions(name: str) -> tuple[Function, ...]:
    return tuple(node for node in ast.walk(TREES[name]) if isinstance(node, Function))


def length(node: Function) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def calls(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Every call with the dotted name of what is called; empty where that is no name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            yield dotted(node.func), node


def dotted(node: ast.expr) -> str:
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return f"{dotted(node.value)}.{node.attr}"
    return ""


def imported(tree: ast.AST) -> set[str]:
    """The modules that are imported anywhere in a tree but for type checkers."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def for_type_checkers(tree: ast.Module) -> set[str]:
    """What is imported below ``if TYPE_CHECKING:``, and nowhere at run time."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.If) and dotted(node.test) == "TYPE_CHECKING":
            for child in node.body:
                found |= imported(child)
    return found


# --- headers and sizes


@pytest.mark.parametrize("name", MODULES)
def test_every_module_says_what_belongs_in_it(name: str) -> None:
    tree = TREES[name]
    assert ast.get_docstring(tree)
    first = tree.body[1] if len(tree.body) > 1 else None
    if first is not None and not name.endswith("__init__.py"):
        assert isinstance(first, ast.ImportFrom)
        assert (first.module, [alias.name for alias in first.names]) == (
            "__future__",
            ["annotations"],
        )


@pytest.mark.parametrize("name", [name for name in MODULES if name.endswith("__init__.py")])
def test_packages_import_nothing(name: str) -> None:
    assert imported(TREES[name]) == set()


def test_no_module_is_too_long() -> None:
    sizes = {name: len(path.read_text().splitlines()) for name, path in MODULES.items()}
    long = {name for name, size in sizes.items() if size > MAX_MODULE_LINES}
    assert long == set(LONG_MODULES)


def test_no_function_is_too_long() -> None:
    long = {
        (name, node.name)
        for name in MODULES
        if LONG_MODULES.get(name) != "generated"
        for node in functions(name)
        if length(node) > MAX_FUNCTION_LINES
    }
    assert long == set(LONG_FUNCTIONS)


def test_most_functions_are_short() -> None:
    lengths = [length(node) for name in MODULES for node in functions(name)]
    assert statistics.median(lengths) <= 8
    assert statistics.quantiles(lengths, n=10)[-1] <= 30


# --- the engine is a library


def test_only_the_command_line_and_init_end_the_process() -> None:
    ends = {
        name
        for name, tree in TREES.items()
        for called, _ in calls(tree)
        if called in ("posix._exit", "os._exit", "sys.exit", "exit", "quit")
    }
    processes = ("init", "exec_init", "intermediate", "sources")
    assert ends == {"cli/main.py", *[f"engine/{name}.py" for name in processes]}


def test_nothing_prints() -> None:
    assert not [name for name, tree in TREES.items() if "print" in dict(calls(tree))]


# --- paths (R-PATH-1 and R-PATH-3 of the security requirements)

# They join strings into paths, follow symlinks, or walk trees by name.
FORBIDDEN_MODULES = {"os", "os.path", "posixpath", "shutil", "pathlib", "tempfile", "glob", "io"}


@pytest.mark.parametrize("name", MODULES)
def test_no_module_works_on_path_strings(name: str) -> None:
    found = imported(TREES[name]) - for_type_checkers(TREES[name])
    assert not found & FORBIDDEN_MODULES


def test_builtin_open_is_for_our_own_files() -> None:
    opens = {name for name, tree in TREES.items() if "open" in dict(calls(tree))}
    assert opens <= {"spec/report.py"}  # the schema that lies beside it


# What runs while the rootfs is there and is not yet the root.
BELOW_ROOTFS = (
    "engine/rootfs.py",
    "engine/nodes.py",
    "engine/copyup.py",
    "engine/steps.py",
    "linux/fs.py",
)
TAKE_A_PATH = {
    f"posix.{name}"
    for name in (
        "access", "chmod", "chown", "lchown", "link", "listdir", "listxattr", "lstat", "mkdir",
        "mkfifo", "mknod", "open", "readlink", "remove", "rename", "replace", "rmdir", "scandir",
        "setxattr", "stat", "symlink", "truncate", "unlink", "utime",
    )
}  # fmt: skip
# A path of the host, or after pivot_root: no descriptor to start from, and none is needed.
HOST_PATHS = {
    ("engine/rootfs.py", "bind_rootfs"): "the rootfs itself, which the caller names",
    ("engine/rootfs.py", "_open_rootfs"): "the same",
    ("engine/rootfs.py", "_copy_symlink"): "the source of a bind mount, a host path",
    ("engine/rootfs.py", "make_symlink"): "whether the machine has what a link of /dev leads to",
    ("engine/steps.py", "set_time_offset"): "a file of the host's procfs, before any mount",
}


def starts_from_a_descriptor(call: ast.Call) -> bool:
    """By dir_fd=, by a descriptor instead of a path, or by a path that is written out here."""
    names = {keyword.arg for keyword in call.keywords}
    if names & {"dir_fd", "src_dir_fd"}:
        return True
    first = call.args[0]
    if isinstance(first, ast.Constant) and isinstance(first.value, str):
        return first.value.startswith(("/dev/null", "/proc/")) or first.value == "/"
    return dotted(first).rpartition(".")[2].endswith("fd")


def paths_without_descriptor() -> set[tuple[str, str]]:
    return {
        (name, node.name)
        for name in BELOW_ROOTFS
        for node in functions(name)
        for called, call in calls(node)
        if called in TAKE_A_PATH and not starts_from_a_descriptor(call)
    }


def test_below_a_rootfs_every_path_starts_from_a_descriptor() -> None:
    assert paths_without_descriptor() == set(HOST_PATHS)


def test_the_check_of_paths_finds_what_it_is_for() -> None:
    def check(code: str) -> bool:
        call = ast.parse(code, mode="eval").body
        assert isinstance(call, ast.Call)
        return starts_from_a_descriptor(call)

    assert check("posix.open(name, flags, dir_fd=parent_fd)")
    assert check("posix.listdir(source_fd)")
    assert check("posix.open('/dev/null', flags)")
    assert not check("posix.open(f'{root}/etc/passwd', flags)")
    assert not check("posix.mkdir(path)")
    assert not check("posix.open('/etc/passwd', flags)")
    assert set(BELOW_ROOTFS) <= set(MODULES)


def test_nothing_changes_a_file_through_a_symlink() -> None:
    # chown and utime follow one unless told; what they change may be the host's.
    for name in BELOW_ROOTFS:
        for called, call in calls(TREES[name]):
            if called in ("posix.chown", "posix.utime", "posix.setxattr"):
                told = {keyword.arg for keyword in call.keywords} & {"follow_symlinks"}
                assert told or dotted(call.args[0]).endswith("fd"), (name, call.lineno)
