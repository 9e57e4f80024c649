"""The wheel: it can be built and installed, and holds the package and its schemas."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy: the build leaves nothing in the checkout."""
    directory = tmp_path_factory.mktemp("wheel")
    source = directory / "source"
    ignored = shutil.ignore_patterns(".git", ".venv*", "build", "__pycache__", ".*_cache")
    shutil.copytree(ROOT, source, ignore=ignored)
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    command = [*pip, "wheel", "--no-deps", "--wheel-dir", str(directory), str(source)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    (made,) = directory.glob("*.whl")
    return made


def test_it_is_a_pure_wheel_of_the_distribution(wheel: Path) -> None:
    assert wheel.name.startswith("pyoci_runtime-")
    assert wheel.name.endswith("-py3-none-any.whl")


def test_it_holds_the_package_its_schemas_and_the_license(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "pyoci").rglob("*.py")}
    schemas = {f"pyoci/schemas/{path.name}" for path in (ROOT / "schemas").glob("*.json")}
    metadata = {name for name in names if ".dist-info/" in name}
    assert names - metadata == modules | schemas
    assert any(name.endswith("/licenses/LICENSE") for name in metadata)


def test_it_runs_where_it_is_installed(wheel: Path, tmp_path: Path) -> None:
    environment = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", str(environment)], check=True)
    pip = [str(environment / "bin" / "python"), "-m", "pip", "--disable-pip-version-check"]
    # The libraries are those of the tests: only what the wheel itself brings is in question.
    command = [*pip, "--quiet", "install", "--no-deps", str(wheel)]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
    program = str(environment / "bin" / "pyoci")
    done = subprocess.run(
        [program, "--version"], check=False, capture_output=True, text=True, env={}, cwd="/"
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("pyoci version ")
