"""Completion as the shells do it: the scripts are loaded into real ones."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from pyoci.cli import completion, options
from pyoci.errors import UsageError
from tests.support.terminals import on_terminal

IDS = ("web-1", "web-2", "db")
COMMANDS = {*options.COMMANDS, "help"}
Offers = Callable[[str], list[str]]


def needs(shell: str) -> pytest.MarkDecorator:
    return pytest.mark.skipif(not shutil.which(shell), reason=f"needs {shell}")


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A working directory with a `pyoci` that knows three containers, and files to be offered."""
    (tmp_path / "bundle").mkdir()
    (tmp_path / "file.json").write_text("")
    program = tmp_path / "bin" / "pyoci"
    program.parent.mkdir()
    names = "\\n".join(IDS)
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/calls\nprintf "{names}\\n"\n')
    program.chmod(0o755)
    for shell in completion.SHELLS:
        (tmp_path / f"script.{shell}").write_text(completion.script(shell))
    return tmp_path


def environment(directory: Path) -> dict[str, str]:
    return {
        "PATH": f"{directory}/bin:{os.environ['PATH']}",
        "HOME": str(directory),
        "TERM": "dumb",
        "LC_ALL": "C.UTF-8",
    }


def run(directory: Path, *words: str) -> str:
    done = subprocess.run(
        words,
        cwd=directory,
        env=environment(directory),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def offers_of_bash(directory: Path, line: str) -> list[str]:
    """What the function offers for a line, split into words as readline does it."""
    words = [word for part in line.split(" ") for word in split_equals(part)]
    quoted = " ".join(shlex.quote(word) for word in words)
    text = f"""
        source script.bash
        compopt() {{ :; }}  # has an effect only inside readline
        COMP_WORDS=({quoted}); COMP_CWORD={len(words) - 1}
        _pyoci pyoci
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    return [line for line in run(directory, "bash", "--norc", "-c", text).splitlines() if line]


def split_equals(word: str) -> list[str]:
    """--a=b is three words to bash (COMP_WORDBREAKS), and --a= two."""
    name, equals, value = word.partition("=")
    return [part for part in (name, equals, value) if part] if equals else [word]


def offers_of_fish(directory: Path, line: str) -> list[str]:
    text = f"source script.fish; complete --do-complete {shlex.quote(line)}"
    return [line.split("\t")[0] for line in run(directory, "fish", "-c", text).splitlines()]


# In its own words; `{option}` of the line as bash and fish offer it.
CASES: list[tuple[str, set[str]]] = [
    ("pyoci st", {"start", "state"}),
    ("pyoci --debug --root /r st", {"start", "state"}),
    ("pyoci --ro", {"--root", "--rootless"}),
    ("pyoci --log-format ", {"text", "json"}),
    ("pyoci --rootless f", {"false"}),
    ("pyoci run --no-", {"--no-pivot", "--no-new-keyring", "--no-subreaper"}),
    ("pyoci list --format j", {"json"}),
    ("pyoci list -f ", {"table", "json"}),
    ("pyoci start w", {"web-1", "web-2"}),
    ("pyoci kill --all d", {"db"}),
    ("pyoci kill web-1 K", {"KILL"}),
    ("pyoci exec --user 0 web", {"web-1", "web-2"}),
    ("pyoci create --bundle b", {"bundle/", "bin/"}),
    ("pyoci exec --process fi", {"file.json"}),
    ("pyoci completion z", {"zsh"}),
    ("pyoci run x", set()),
    ("pyoci exec --cwd b", set()),
    ("pyoci start web-1 ", set()),
]


@needs("bash")
@pytest.mark.parametrize(("line", "wanted"), CASES)
def test_bash(line: str, wanted: set[str], directory: Path) -> None:
    offers = set(offers_of_bash(directory, line))
    assert offers == {word.removesuffix("/") for word in wanted}


@needs("bash")
@pytest.mark.parametrize(
    ("line", "wanted"),
    [
        ("pyoci --log-format=j", {"json"}),
        ("pyoci --log-format=", {"text", "json"}),
        ("pyoci --debug=true st", {"start", "state"}),
        ("pyoci -root=/r st", {"start", "state"}),
        ("pyoci exec web-1 ls --", set()),
        ("pyoci kill -- w", {"web-1", "web-2"}),
        ("pyoci start -- --", set()),
    ],
)
def test_bash_reads_options_as_we_do(line: str, wanted: set[str], directory: Path) -> None:
    assert set(offers_of_bash(directory, line)) == wanted


@needs("fish")
@pytest.mark.parametrize(("line", "wanted"), CASES)
def test_fish(line: str, wanted: set[str], directory: Path) -> None:
    # fish also offers what has the begun word in the middle.
    begun = line.rpartition(" ")[2]
    offers = {offer for offer in offers_of_fish(directory, line) if offer.startswith(begun)}
    assert offers == wanted


@pytest.mark.parametrize("shell", ["bash", "fish"])
@pytest.mark.parametrize("name", ["", *options.COMMANDS])
def test_every_option_is_offered_and_no_hidden_one(shell: str, name: str, directory: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    rows = options.COMMANDS[name][4] if name else options.GLOBAL_OPTIONS
    wanted = {f"--{o.name}" for o in options.make_options(rows) if o.help} | {"--help"}
    line = f"pyoci {name} --" if name else "pyoci --"
    offers = offers_of_bash if shell == "bash" else offers_of_fish
    assert set(offers(directory, line)) == wanted


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_every_command_is_offered(shell: str, directory: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    offers = offers_of_bash if shell == "bash" else offers_of_fish
    assert set(offers(directory, "pyoci ")) - {"help"} == set(options.COMMANDS)


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_containers_are_asked_for_where_they_are(shell: str, directory: Path) -> None:
    if not shutil.which(shell):
        pytest.skip(f"needs {shell}")
    offers = offers_of_bash if shell == "bash" else offers_of_fish
    offers(directory, "pyoci --root /r state ")
    assert (directory / "calls").read_text().splitlines()[-1] == "--root /r list --quiet"


SHELLS = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_at_a_terminal(shell: str, directory: Path) -> None:
    """With the tabulator key, as it is for a person."""
    program = shutil.which(shell)
    if not program:
        pytest.skip(f"needs {shell}")
    with on_terminal([program, *SHELLS[shell]], environment(directory)) as t:
        t.type(f"cd {directory}; PS1='' PROMPT=''\n")
        if shell == "zsh":
            t.type("autoload -U compinit && compinit -u -d zcompdump; unsetopt automenu\n")
            t.type("echo 're''ady'\n")
            t.expect("ready")
        t.type(f"source ./script.{shell}; echo 'load''ed'\n")
        t.expect("loaded")
        t.type("pyoci resu\tweb-\t\t")
        t.expect("web-1")
        t.expect("web-2")
        t.type("1\necho 'do''ne'\n")
        t.expect("done")
        t.type("pyoci --log-format=j\t start d\t\necho 'do''ne'\n")
        t.expect("done")
        t.type("exit\n")
        t.expect("exit")
    calls = (directory / "calls").read_text().splitlines()
    assert "resume web-1" in calls
    assert calls[-1] == "--log-format=json start db"


def test_a_shell_that_we_do_not_know() -> None:
    with pytest.raises(UsageError) as caught:
        completion.script("csh")
    assert caught.value.message == "no completion for 'csh'"
    assert "bash, zsh, fish" in caught.value.hint
