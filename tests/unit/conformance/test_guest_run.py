"""How a guest is asked and started: control directory, command lines, options, output."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from conformance.guest import qemu, uml
from conformance.guest.errors import GuestError
from conformance.guest.main import make_parser, make_request, parse_environment
from conformance.guest.protocol import (
    LINES,
    Request,
    Share,
    has_begun,
    plan_shares,
    read_status,
    render_run,
    render_settings,
    render_shares,
    write_control,
)
from conformance.guest.run import copy_output
from conformance.guest.wiring import Wiring

REQUEST = Request(("sh", "-c", "echo $HOME 'a b'"), Path("/checkout"))
CONTROL = Path("/run-of-guest")


def make_wiring(*shares: Share) -> Wiring:
    return Wiring(Path("/image"), CONTROL, shares, stdout_fd=11, stderr_fd=12, console_fd=13)


# --- shares


def test_outer_directories_come_first() -> None:
    request = replace(
        REQUEST, shared=(Path("/a/b/c"), Path("/data")), writable=(Path("/checkout/build"),)
    )
    shares = plan_shares(request)
    assert [(str(share.path), share.writable) for share in shares] == [
        ("/checkout", False),
        ("/data", False),
        ("/checkout/build", True),
        ("/a/b/c", False),
    ]
    assert len({share.tag for share in shares}) == 4


def test_a_directory_that_is_written_to_is_so_once() -> None:
    shares = plan_shares(replace(REQUEST, writable=(REQUEST.directory,)))
    assert [(share.path, share.writable) for share in shares] == [(Path("/checkout"), True)]


def test_what_is_not_writable_is_below_an_overlay() -> None:
    text = render_shares("uml", (Share("share0", Path("/with space"), writable=False),))
    assert "mount -t hostfs -o '/with space',ro none /guest/share/share0/lower" in text
    assert text.splitlines()[-1].startswith(
        "mount -t overlay -o lowerdir=/guest/share/share0/lower"
    )
    assert text.splitlines()[-1].endswith("redirect_dir=on overlay '/with space'")


def test_what_is_writable_is_mounted_in_its_place() -> None:
    share = Share("share3", Path("/out"), writable=True)
    assert "overlay" not in render_shares("vm", (share,))
    assert render_shares("vm", (share,)).splitlines()[-1].endswith("cache=mmap,rw share3 /out")


# --- the control directory


def test_the_command_runs_with_its_words_and_nothing_of_ours(tmp_path: Path) -> None:
    command = ("printf", "%s|", "a b", "$HOME", "it's", "", '"', "\n")
    text = render_run(Request(command, tmp_path, environment={"HOME": "/a 'b'"}))
    script = text.replace("/guest/control/began", shlex.quote(str(tmp_path / "began")))
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "a b|$HOME|it's||\"|\n|"
    assert (tmp_path / "began").exists()


def test_the_environment_is_the_base_and_what_was_given(tmp_path: Path) -> None:
    text = render_run(Request(("env",), tmp_path, "vm", systemd=True, environment={"HOME": "/h"}))
    script = text.replace("/guest/control/began", "/dev/null")
    done = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        text=True,
        check=True,
        env={"PATH": os.environ["PATH"]},
    )
    found = dict(line.split("=", 1) for line in done.stdout.splitlines())
    assert (found["HOME"], found["GUEST_KERNEL"], found["GUEST_INIT"]) == ("/h", "vm", "systemd")


@pytest.mark.parametrize("kernel", ["uml", "vm"])
@pytest.mark.parametrize("systemd", [False, True])
def test_the_control_directory_is_complete(tmp_path: Path, kernel: str, systemd: bool) -> None:
    request = replace(REQUEST, kernel=kernel, systemd=systemd)
    write_control(tmp_path, request, plan_shares(request))
    assert (tmp_path / f"{request.init}.sh").exists()
    for script in tmp_path.iterdir():
        subprocess.run(["sh", "-n", script], check=True)
    assert f"GUEST_STDERR={LINES[kernel][1]}\n" in render_settings(request)
    assert os.access(tmp_path / "run", os.X_OK)
    assert os.access(tmp_path / "stopped", os.X_OK)
    assert not has_begun(tmp_path)


@pytest.mark.parametrize(("text", "status"), [("0\n", 0), ("137\n", 137), ("", None), ("x", None)])
def test_the_status_is_a_number_or_none(tmp_path: Path, text: str, status: int | None) -> None:
    assert read_status(tmp_path) is None
    (tmp_path / "status").write_text(text)
    assert read_status(tmp_path) == status


# --- command lines


def test_qemu_emulates_and_leaves_the_image_alone() -> None:
    command = qemu.render_command(replace(REQUEST, kernel="vm", cpus=3), make_wiring())
    assert "kvm" not in " ".join(command)
    assert command[command.index("-accel") + 1].startswith("tcg")
    assert command[command.index("-smp") + 1] == "3"
    assert "snapshot=on" in command[command.index("-drive") + 1]


def test_the_lines_are_qemus_first_virtio_device() -> None:
    command = qemu.render_command(replace(REQUEST, kernel="vm"), make_wiring())
    virtio = [word for word in command if word.startswith("virtio-")]
    assert virtio[0] == "virtio-serial-pci"
    assert "fd=11,set=1" in command
    assert "fd=12,set=2" in command


def test_a_comma_in_a_path_is_doubled_for_qemu() -> None:
    words = qemu.render_share(Share("share0", Path("/a,b"), writable=False))
    assert "path=/a,,b," in words[1]
    assert words[1].endswith("readonly=on")


def test_user_mode_linux_writes_beside_the_image() -> None:
    command = uml.render_command(replace(REQUEST, append=("debug",)), make_wiring())
    assert "ubd0=/run-of-guest/writes,/image/root.img" in command
    assert "ssl0=null,fd:11" in command
    assert "ssl1=null,fd:12" in command
    assert command[-1] == "debug"


def test_user_mode_linux_refuses_a_comma_in_a_path() -> None:
    with pytest.raises(GuestError, match="/a,b"):
        uml.render_command(REQUEST, make_wiring(Share("share0", Path("/a,b"), writable=True)))


# --- options


def test_options_become_a_request() -> None:
    words = ["--kernel", "vm", "--systemd", "--write", "/o", "--append", "debug", "--", "ls", "-l"]
    request = make_request(make_parser().parse_args(words))
    assert request == Request(
        command=("ls", "-l"),
        directory=Path.cwd(),
        kernel="vm",
        systemd=True,
        writable=(Path("/o"),),
        append=("debug",),
    )


def test_variables_are_set_or_passed_on() -> None:
    ours = {"ONE": "1", "TWO": "2"}
    found = parse_environment(["ONE", "TWO=zwei", "EMPTY=", "UNSET", "EQ=a=b"], ours)
    assert found == {"ONE": "1", "TWO": "zwei", "EMPTY": "", "EQ": "a=b"}


# --- output

WRITER = "import os; os.write({}, bytes(range(256)) * 4000); os.write({}, b'error')"


def start_writer(stdout: int, stderr: int, then: str = "") -> subprocess.Popen[bytes]:
    code = WRITER.format(stdout, stderr) + then
    return subprocess.Popen([sys.executable, "-c", code], pass_fds=(stdout, stderr))


def test_output_arrives_byte_for_byte(tmp_path: Path) -> None:
    (from_stdout, stdout), (from_stderr, stderr) = os.pipe(), os.pipe()
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        streams = {from_stdout: out.fileno(), from_stderr: err.fileno()}
        process = start_writer(stdout, stderr)
        assert copy_output(streams, process, 60)
    for fd in (from_stdout, stdout, from_stderr, stderr):
        os.close(fd)
    assert (tmp_path / "out").read_bytes() == bytes(range(256)) * 4000
    assert (tmp_path / "err").read_bytes() == b"error"
    assert process.wait() == 0


def test_the_time_limit_is_told(tmp_path: Path) -> None:
    (from_stdout, stdout), (from_stderr, stderr) = os.pipe(), os.pipe()
    with (tmp_path / "out").open("wb") as out:
        streams = {from_stdout: out.fileno(), from_stderr: out.fileno()}
        process = start_writer(stdout, stderr, "; import signal; signal.pause()")
        assert not copy_output(streams, process, 1)
        process.kill()
        process.wait()
    for fd in (from_stdout, stdout, from_stderr, stderr):
        os.close(fd)
