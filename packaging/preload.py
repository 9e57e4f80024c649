"""Compiles pyoci's modules, and links those of each command that is called often in one file.

Run it with the interpreter that pyoci shall run on, on a library directory that is complete:

    python3 -IS -X no_debug_ranges packaging/preload.py LIBRARY RUNS_FROM

A module costs the import system more than its own code does. `start.py` reads the linked files and
makes the modules without it, in the order in which an import would have finished them; a module
that is not in them is imported as ever.

Nothing has docstrings, column numbers or annotations, which nobody sees in a program that prints no
traceback, nor a `from __future__`, which would have Python load that module.
"""

from __future__ import annotations
import __future__

import ast
import importlib
import importlib.machinery
import importlib.util
import marshal
import os
import subprocess
import sys
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import CodeType, ModuleType
    from typing import TypeAlias

    Linked: TypeAlias = "list[tuple[str, str, str]]"
    Module: TypeAlias = "tuple[str, str, bool, Linked, CodeType]"

COMMANDS = ("create", "run", "start", "state", "kill", "delete", "list", "ps", "exec")
PACKAGE = "pyoci"

# Below the size from which malloc maps memory of its own for a buffer (128 KiB), which costs a
# page fault for every 4 KiB each time.
PIECE_BYTES = 96 * 1024


def record(library: str, command: str) -> list[str]:
    """The names of our modules in the order in which importing the command finishes them."""
    sys.path.append(library)
    order: list[str] = []
    finish = importlib.machinery.SourceFileLoader.exec_module

    def exec_module(self: importlib.machinery.SourceFileLoader, module: ModuleType) -> None:
        finish(self, module)
        order.append(module.__name__)

    importlib.machinery.SourceFileLoader.exec_module = exec_module  # type: ignore[assignment, method-assign]
    importlib.import_module(f"{PACKAGE}.cli.main")
    importlib.import_module(f"{PACKAGE}.cli.commands.{command}")
    extensions = [
        f"{name}={module.__file__}"
        for name, module in sys.modules.items()
        if str(getattr(module, "__file__", "")).endswith(".so")
    ]
    return extensions + [name for name in order if is_ours(name)]


def compile_one(library: Path, runs_from: str, name: str) -> Module:
    """Name, file, whether it is a package, what it imports from us, and code of a module."""
    base = name.replace(".", "/")
    package = (library / base / "__init__.py").exists()
    relative = f"{base}/__init__.py" if package else f"{base}.py"
    path = f"{runs_from}/{relative}"
    tree = parse(library / relative)
    linked = link(tree)
    return name, path, package, linked, compile_lean(tree, path)


def write_bytecode(library: Path, runs_from: str, module: Path) -> None:
    """What the import system takes for a module; unchecked, so that no clock makes it stale."""
    code = compile_lean(parse(module), f"{runs_from}/{module.relative_to(library)}")
    target = Path(importlib.util.cache_from_source(str(module)))
    target.parent.mkdir(exist_ok=True)
    # PEP 552: the flags say that there is a hash, which is not to be checked.
    flags = (0b01).to_bytes(4, "little")
    checksum = importlib.util.source_hash(module.read_bytes())
    target.write_bytes(importlib.util.MAGIC_NUMBER + flags + checksum + marshal.dumps(code))


def parse(module: Path) -> ast.Module:
    """The source without what only type checkers and readers need."""
    tree: ast.Module = Lean().visit(ast.parse(module.read_text(encoding="utf-8")))
    tree.body[:] = [
        statement
        for statement in tree.body
        if not (isinstance(statement, ast.ImportFrom) and statement.module == "__future__")
    ]
    return tree


def compile_lean(tree: ast.Module, path: str) -> CodeType:
    """The code; annotations, where they are left, stay text."""
    flags = __future__.annotations.compiler_flag
    code: CodeType = compile(tree, path, "exec", flags=flags, dont_inherit=True, optimize=2)
    return code


def link(tree: ast.Module) -> Linked:
    """Take the module's own `from pyoci... import` statements out, and name what they bring.

    start.py binds the names before it runs the code. CPython takes two microseconds for such a
    statement, since it looks in vain for the `__path__` of the module that it imports from.
    """
    linked: Linked = []
    kept: list[ast.stmt] = []
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom) and is_ours(statement.module):
            names = [(alias.name, alias.asname or alias.name) for alias in statement.names]
            linked += [(str(statement.module), name, local) for name, local in names]
        else:
            kept.append(statement)
    tree.body[:] = kept
    return linked


def is_ours(module: str | None) -> bool:
    """Whether it is a module of the package."""
    return (module or "").split(".")[0] == PACKAGE


class Lean(ast.NodeTransformer):
    """Leaves out what only type checkers read: annotations of functions, TYPE_CHECKING blocks.

    Those of class bodies stay: a Record takes its fields from them.
    """

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.FunctionDef:
        """Drop the annotations of a function."""
        node.returns = None
        arguments = node.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs):
            argument.annotation = None
        for rest in (arguments.vararg, arguments.kwarg):
            if rest is not None:
                rest.annotation = None
        self.generic_visit(node)
        return node

    def visit_If(self, node: ast.If) -> ast.If | list[ast.stmt]:
        """Drop the first branch of `if TYPE_CHECKING:`."""
        if isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            return [self.visit(statement) for statement in node.orelse]
        self.generic_visit(node)
        return node


def write(target: Path, extensions: list[str], modules: list[Module]) -> None:
    """The file: a magic number, a line with the extensions and sizes, and the pieces."""
    pieces: list[bytes] = []
    pending: list[Module] = []
    for module in modules:
        if pending and len(marshal.dumps([*pending, module])) > PIECE_BYTES:
            pieces.append(marshal.dumps(pending))
            pending = []
        pending.append(module)
    pieces.append(marshal.dumps(pending))
    header = marshal.dumps((extensions, [len(piece) for piece in pieces]))
    length = len(header).to_bytes(4, "little")
    target.write_bytes(importlib.util.MAGIC_NUMBER + length + header + b"".join(pieces))


def main(arguments: list[str]) -> None:
    """Compile the modules, and write LIBRARY/pyoci_commands/COMMAND.code for every command."""
    library, runs_from = arguments[:2]
    if arguments[2:]:
        print("\n".join(record(library, arguments[2])))
        return
    for module in Path(library).rglob("*.py"):
        write_bytecode(Path(library), runs_from, module)
    directory = Path(library) / f"{PACKAGE}_commands"
    directory.mkdir(exist_ok=True)
    for command in COMMANDS:
        child = [sys.executable, "-ISB", __file__, library, runs_from, command]
        lines = subprocess.run(
            child, check=True, capture_output=True, text=True, env=dict(os.environ)
        ).stdout.split("\n")
        extensions = [line for line in lines if "=" in line]
        names = [line for line in lines if line and "=" not in line]
        modules = [compile_one(Path(library), runs_from, name) for name in names]
        write(directory / f"{command}.code", extensions, modules)


if __name__ == "__main__":
    main(sys.argv[1:])
