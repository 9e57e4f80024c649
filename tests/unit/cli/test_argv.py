"""The fast parser on the command lines that engines write, and on those that it leaves to click."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pyoci.cli import argv

if TYPE_CHECKING:
    from pyoci.cli.argv import Invocation


def parse(line: str) -> Invocation:
    made = argv.parse(line.split())
    assert made is not None
    return made


def test_containerd_create() -> None:
    made = parse(
        "--root /run/containerd/runc/k8s.io --log /b/log.json --log-format json --systemd-cgroup"
        " create --bundle /b --pid-file /b/init.pid --console-socket /tmp/pty.sock --no-pivot c1"
    )
    assert made.command == "create"
    assert made.arguments == ("c1",)
    assert made.global_options["root"] == "/run/containerd/runc/k8s.io"
    assert made.global_options["log-format"] == "json"
    assert made.global_options["systemd-cgroup"] is True
    assert made.options["console-socket"] == "/tmp/pty.sock"  # noqa: S108
    assert made.options["no-pivot"] is True
    assert made.options["no-new-keyring"] is False


@pytest.mark.parametrize(
    "line",
    [
        "create --bundle /b --detach --preserve-fds 2 c",
        "create --no-subreaper -bundle /b c",
        "start c",
        "run -d --pid-file /p -b /b c",
        "run --bundle /b --keep --no-pivot c",
        "delete --force c",
        "delete -f c",
        "kill --all c 9",
        "kill -a c 9",
        "kill c KILL",
        "state c",
        "list --format=json",
        "list -q",
        "exec --process /p --detach --pid-file /f c",
        "exec -p=/p -d --preserve-fds 2 c",
        "exec c ls -l --color",
        "ps --format json c",
        "ps --format table c -o pid,user --forest",
        "spec --rootless",
        "plan --bundle /b --format json c",
        "--criu /usr/sbin/criu state c",
        "--rootless=true state c",
        "--debug --log /l state c",
    ],
)
def test_lines_of_callers_are_well_formed(line: str) -> None:
    parse(line)


@pytest.mark.parametrize(
    "line",
    ["run -bundle /b c", "run --bundle=/b c", "run -bundle=/b c", "run -b /b c", "run -b=/b c",
     "run --b /b c", "run c --bundle /b", "run --bundle /x --bundle /b -- c"],
)  # fmt: skip
def test_spellings_of_an_option(line: str) -> None:
    made = parse(line)
    assert made.options["bundle"] == "/b"
    assert made.arguments == ("c",)


def test_single_dash_long_flag() -> None:
    assert parse("run -no-subreaper c").options["no-subreaper"] is True


def test_flags_take_go_booleans() -> None:
    assert parse("run --detach=false c").options["detach"] is False
    assert parse("run -d=1 c").options["detach"] is True
    assert parse("run -d --detach=F c").options["detach"] is False


def test_a_value_may_look_like_an_option() -> None:
    assert parse("run --bundle --detach c").options["bundle"] == "--detach"
    assert parse("run --bundle -- c").options["bundle"] == "--"


def test_an_empty_value_is_a_value() -> None:
    assert parse("--root= list").global_options["root"] == ""
    assert parse("list").global_options["root"] is None


def test_options_end_at_the_first_argument_of_ps_and_kill() -> None:
    assert parse("ps c -a --format json").arguments == ("c", "-a", "--format", "json")
    assert parse("kill c --").arguments == ("c", "--")
    assert argv.parse(["kill", "c", "-a", "9"]) is None


def test_a_lone_dash_is_an_argument() -> None:
    assert parse("state -").arguments == ("-",)


def test_words_behind_two_dashes_are_arguments() -> None:
    assert parse("state -- --help").arguments == ("--help",)
    assert parse("-- state c").command == "state"


def test_version_needs_no_command() -> None:
    for line in ("--version", "-v", "-version", "--debug --version", "--version state"):
        assert parse(line).command == "version"


def test_bytes_that_are_no_text_pass_through() -> None:
    made = argv.parse(["run", "-b", "/\udcff", "c"])
    assert made is not None
    assert made.options["bundle"] == "/\udcff"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "--help",
        "-h",
        "help",
        "create --help",
        "nosuch",
        "create",
        "create a b",
        "kill a b c",
        "list x",
        "state --root /r c",
        "run -db /b c",
        "create --bundle",
        "create --nosuch c",
        "create ---bundle /b c",
        "create --=x c",
        "create -=x c",
        "create --no-pivot=maybe c",
        "create --preserve-fds x c",
        "--log-format bad list",
        "--rootless=maybe list",
        "--root",
    ],
)
def test_anything_else_is_not_well_formed(line: str) -> None:
    assert argv.parse(line.split()) is None


def test_exec_of_a_shell() -> None:
    made = parse("exec -e A=1 --env B=2 -u user:wheel -g 5 -g 6 --cap CAP_KILL c ls -l -e x --")
    assert made.arguments == ("c", "ls", "-l", "-e", "x", "--")
    assert made.options["env"] == ("A=1", "B=2")
    assert made.options["user"] == "user:wheel"
    assert made.options["additional-gids"] == ("5", "6")
    assert made.options["cap"] == ("CAP_KILL",)
    assert made.options["process"] == ""
