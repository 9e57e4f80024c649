"""Whole commands in one file: what is left out, what is linked, and that modules come out right."""

from __future__ import annotations

import ast
import marshal
import subprocess
import sys
from pathlib import Path

import pytest

import preload
import start

ROOT = Path(__file__).resolve().parents[3]
BUILD = ROOT / "build" / "lib"


def lean(source: str) -> str:
    return ast.unparse(preload.Lean().visit(ast.parse(source)))


def test_annotations_of_functions_are_left_out() -> None:
    source = "def f(a: int, /, b: str='', *c: int, d: int, **e: int) -> None:\n    return None"
    assert lean(source) == "def f(a, /, b='', *c, d, **e):\n    return None"


def test_annotations_of_classes_stay() -> None:
    assert lean("class C:\n    a: int\n    b: str = ''") == "class C:\n    a: int\n    b: str = ''"


def test_type_checking_blocks_are_left_out() -> None:
    assert lean("if TYPE_CHECKING:\n    import a\nelse:\n    import b\nc = 1") == "import b\nc = 1"


def test_only_our_own_imports_are_linked() -> None:
    tree = ast.parse(
        "from pyoci.errors import StepError, UsageError as U\n"
        "from pyoci.linux import fs\n"
        "from posix import open\n"
        "import sys\n"
        "def f():\n    from pyoci.late import g\n"
    )
    assert preload.link(tree) == [
        ("pyoci.errors", "StepError", "StepError"),
        ("pyoci.errors", "UsageError", "U"),
        ("pyoci.linux", "fs", "fs"),
    ]
    assert "pyoci.late" in ast.unparse(tree)
    assert ast.unparse(tree).startswith("from posix import open\nimport sys")


def test_bytecode_is_what_the_import_system_takes_and_loads_nothing_for_it(tmp_path: Path) -> None:
    (tmp_path / "some").mkdir()
    source = "from __future__ import annotations\ndef f(a: Unknown) -> int:\n  'what'\n  return a\n"
    (tmp_path / "some" / "made.py").write_text(source)
    preload.write_bytecode(tmp_path, "/runs/from", tmp_path / "some" / "made.py")
    (tmp_path / "some" / "made.py").write_text("never read")  # nor compared
    program = (
        f"import sys; sys.path.append({str(tmp_path)!r}); from some import made\n"
        "print(made.f(3), made.f.__doc__, '__future__' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-IS", "-c", program], capture_output=True, check=True, text=True
    )
    assert done.stdout == "3 None False\n"
    (compiled,) = tmp_path.rglob("*.pyc")
    code = marshal.loads(compiled.read_bytes()[start.HEADER_BYTES :])  # noqa: S302
    assert code.co_filename == "/runs/from/some/made.py"


def test_the_two_lists_of_commands_are_one() -> None:
    assert start.COMMANDS == preload.COMMANDS


def test_pieces_stay_below_the_size_that_is_mapped(tmp_path: Path) -> None:
    codes = [compile("x = " + repr(str(n) * 10_000), "f", "exec") for n in range(40)]
    modules: list[preload.Module] = [
        (f"pyoci.m{n}", "f", False, [], code) for n, code in enumerate(codes)
    ]
    preload.write(tmp_path / "c", [], modules)
    raw = (tmp_path / "c").read_bytes()
    length = int.from_bytes(raw[4:8], "little")
    extensions, sizes = marshal.loads(raw[8 : 8 + length])  # noqa: S302
    assert extensions == []
    assert len(raw) == 8 + length + sum(sizes)
    assert len(sizes) > 1
    assert max(sizes) <= preload.PIECE_BYTES


@pytest.mark.skipif(not BUILD.exists(), reason="not built")
@pytest.mark.parametrize("command", start.COMMANDS)
def test_preloaded_modules_are_the_imported_ones(command: str) -> None:
    """The same names with the same public members, whichever way they were made."""
    program = (
        "import sys\n"
        f"sys.path.append({str(BUILD)!r})\n"
        "import pyoci_start\n"
        "if sys.argv[2] == 'preload':\n"
        f"    pyoci_start.preload({str(BUILD)!r}, [sys.argv[1]])\n"
        "    assert f'pyoci.cli.commands.{sys.argv[1]}' in sys.modules\n"
        "import importlib\n"
        "importlib.import_module('pyoci.cli.main')\n"
        "importlib.import_module(f'pyoci.cli.commands.{sys.argv[1]}')\n"
        "for name, module in sorted(sys.modules.items()):\n"
        "    if name.split('.')[0] == 'pyoci':\n"
        "        members = [m for m in vars(module) if not m.startswith('__')]\n"
        "        members = [m for m in members if m != 'annotations']\n"
        "        print(name, module.__file__, module.__package__, sorted(members))\n"
    )
    python = (ROOT / "build" / "pyoci").read_text().split()[0].removeprefix("#!")
    outputs = [
        subprocess.run(
            [python, "-IS", "-c", program, command, how], capture_output=True, check=True, text=True
        ).stdout
        for how in ("preload", "import")
    ]
    assert outputs[0] == outputs[1]
    assert "pyoci.cli.main" in outputs[0]


def test_without_a_file_or_with_another_pythons_nothing_happens(tmp_path: Path) -> None:
    before = set(sys.modules)
    start.preload(str(tmp_path), ["run"])
    (tmp_path / "pyoci_commands").mkdir()
    (tmp_path / "pyoci_commands" / "run.code").write_bytes(b"????" + bytes(100))
    start.preload(str(tmp_path), ["--root", "/x", "run", "id"])
    start.preload(str(tmp_path), ["--version"])
    assert set(sys.modules) == before
