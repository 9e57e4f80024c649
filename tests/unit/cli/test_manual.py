"""The manual page: without a warning of mandoc or groff, and complete."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from pyoci.cli import options
from pyoci.cli.manual import manual

PAGE = manual(2026, 11, 27)


def needs(program: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(program), reason=f"needs {program}")


def sections() -> dict[str, str]:
    """The page by its commands; under the empty name what stands before them."""
    _, *parts = PAGE.split("\n.Ss ")
    made = {part.partition("\n")[0]: part.partition("\n.Sh ")[0] for part in parts}
    return {"": PAGE.partition(".Sh COMMANDS")[0], **made}


@needs("mandoc")
def test_mandoc_has_nothing_to_say(tmp_path: Path) -> None:
    path = tmp_path / "pyoci.8"
    path.write_text(PAGE)
    done = subprocess.run(["mandoc", "-Tlint", path], capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).splitlines()
    # Both are about the machine's other pages.
    about_others = ("referenced manual not found", "outdated mandoc.db")
    assert [line for line in lines if not any(text in line for text in about_others)] == []


@needs("groff")
def test_groff_has_nothing_to_say() -> None:
    command = ["groff", "-mandoc", "-ww", "-Tutf8"]
    done = subprocess.run(command, input=PAGE, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert "run containers as the OCI runtime specification says" in done.stdout


@pytest.mark.parametrize("name", ["", *options.COMMANDS])
def test_every_option_is_there_and_no_hidden_one(name: str) -> None:
    rows = options.COMMANDS[name][4] if name else options.GLOBAL_OPTIONS
    lines = [line for line in sections()[name].split("\n") if line.startswith(".It Fl")]
    shown = [option for option in options.make_options(rows) if option.help]
    assert len(lines) == len(shown)
    for line, option in zip(lines, shown, strict=True):
        assert f"Fl -{option.name}" in line
        assert f"Fl {option.short}" in line


def test_every_command_is_there() -> None:
    assert set(sections()) - {""} == set(options.COMMANDS)


def test_text_is_no_request_and_dashes_are_dashes() -> None:
    for line in PAGE.split("\n"):
        assert len(line) <= 80
        if line.startswith("."):
            assert line[1:3].isalpha(), line
    assert "ps(1), run with the given options (default: \\-ef)" in PAGE.replace("\n", " ")


def test_the_date() -> None:
    assert PAGE.startswith(".Dd November 27, 2026\n")
