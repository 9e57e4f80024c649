"""The start of a built pyoci: `make build` puts this module beside the package as ``pyoci_start``.

It finds the compiled modules with three system calls each, where the path finder lists
directories and stats sources: a third of an import's time. What is missing, or was compiled
by another Python, it leaves to the path finder, which takes the sources beside it.
"""

from __future__ import annotations

import _frozen_importlib_external
import _imp
import gc
import marshal
import posix
import sys

# Those whose modules packaging/preload.py puts into one file each.
COMMANDS = ("create", "run", "start", "state", "kill", "delete", "list", "ps", "exec")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec
    from types import CodeType, ModuleType
    from typing import Any

# A .pyc opens with the magic number of its Python, flags, and a hash or a time (PEP 552).
HEADER_BYTES = 16
MAGIC_NUMBER = _frozen_importlib_external.MAGIC_NUMBER


class CompiledModules:
    """Finder and loader of the package's compiled modules below a library directory."""

    def __init__(self, library: str, package: str = "pyoci") -> None:
        """Take the directory that holds the package."""
        self._library = library
        self._package = package
        self._prefix = f"{package}."
        self._suffix = f".{sys.implementation.cache_tag}.pyc"

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of a module of the package, its code read; None to leave it to others."""
        del path, target
        if name != self._package and not name.startswith(self._prefix):
            return None
        base = f"{self._library}/{name.replace('.', '/')}"
        parent, _, leaf = base.rpartition("/")
        compiled = f"{parent}/__pycache__/{leaf}{self._suffix}"
        code = read_code(compiled)
        if code is not None:
            return self._make_spec(name, f"{base}.py", compiled, code)
        compiled = f"{base}/__pycache__/__init__{self._suffix}"
        code = read_code(compiled)
        if code is None:
            return None
        spec = self._make_spec(name, f"{base}/__init__.py", compiled, code)
        spec.submodule_search_locations = [base]
        return spec

    def _make_spec(self, name: str, source: str, compiled: str, code: CodeType) -> ModuleSpec:
        # The class without the import of importlib.machinery, which costs a millisecond.
        spec_type = type(__spec__)
        loader: Any = self  # by shape, not by inheritance from importlib.abc.Loader
        spec = spec_type(name, loader, origin=source, loader_state=code)
        spec.has_location = True
        spec.cached = compiled
        return spec

    def create_module(self, spec: ModuleSpec) -> None:
        """Leave the making of the module to the import system."""

    def exec_module(self, module: ModuleType) -> None:
        """Run the code that find_spec read."""
        spec = module.__spec__
        assert spec is not None  # noqa: S101  (the import system has just set it)
        code, spec.loader_state = spec.loader_state, None
        exec(code, module.__dict__)  # noqa: S102  (what every loader does)


def read_code(path: str) -> CodeType | None:
    """The code of a .pyc of this Python; None if there is no such file or it is another's."""
    try:
        fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return None
    try:
        data = read_all(fd)
    finally:
        posix.close(fd)
    if not data.startswith(MAGIC_NUMBER):
        return None
    code: CodeType = marshal.loads(memoryview(data)[HEADER_BYTES:])  # noqa: S302  (ours)
    return code


def read_all(fd: int, chunk_bytes: int = 1 << 16) -> bytes:
    """What the file holds; one read where it is smaller than a chunk."""
    data = posix.read(fd, chunk_bytes)
    if len(data) < chunk_bytes:
        return data
    parts = [data]
    while data:
        data = posix.read(fd, chunk_bytes)
        parts.append(data)
    return b"".join(parts)


def preload(library: str, arguments: list[str]) -> None:
    """Make the modules of the command that is being called, without the import system.

    packaging/preload.py has written their code, in an order in which each finds what it imports
    already there. Without such a file, or with one of another Python, nothing is done.
    """
    # An option's value that is a command's name loads modules for nothing, and no harm is done.
    for word in arguments:
        if word in COMMANDS:
            break
    else:
        return
    try:
        fd = posix.open(f"{library}/pyoci_commands/{word}.code", posix.O_RDONLY | posix.O_CLOEXEC)
    except OSError:
        return
    try:
        if posix.read(fd, len(MAGIC_NUMBER)) == MAGIC_NUMBER:
            load_pieces(fd)
    finally:
        posix.close(fd)


def load_pieces(fd: int) -> None:
    """Make the modules whose code the rest of the file holds, piece by piece."""
    header = posix.read(fd, int.from_bytes(posix.read(fd, 4), "little"))
    extensions, sizes = marshal.loads(header)  # noqa: S302  (ours)
    modules = sys.modules
    module_type, spec_type = type(sys), type(__spec__)
    for extension in extensions:
        load_extension(*extension.split("="))
    for size in sizes:
        for name, path, package, linked, code in marshal.loads(posix.read(fd, size)):  # noqa: S302
            module = modules[name] = module_type(name)
            names = module.__dict__
            names["__file__"] = path
            # An import of a module without a spec takes twice the time.
            names["__spec__"] = spec_type(name, None, origin=path)
            if package:
                names["__path__"] = [path.rpartition("/")[0]]
            parent, _, leaf = name.rpartition(".")
            names["__package__"] = name if package else parent
            for source, there, here in linked:
                names[here] = modules[source].__dict__[there]
            exec(code, names)  # noqa: S102  (what every loader does)
            if parent:
                setattr(modules[parent], leaf, module)


def load_extension(name: str, path: str) -> None:
    """Make a module of the standard library from its shared object, where it was at build time."""
    if name in sys.modules:
        return
    spec = type(__spec__)(name, None, origin=path)
    try:
        module = _imp.create_dynamic(spec)
    except ImportError:  # moved or updated since: the import system will find it
        return
    _imp.exec_dynamic(module)
    sys.modules[name] = module


def main(library: str) -> None:
    """Run pyoci from its library directory."""
    # A command ends before garbage is worth collecting, and init must not touch what it shares.
    gc.disable()
    sys.meta_path.insert(0, CompiledModules(library))
    preload(library, sys.argv[1:])
    from pyoci.cli.main import main as run

    run()
