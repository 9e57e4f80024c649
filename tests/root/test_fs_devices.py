"""Devices: the default ones and their links, linux.devices, and the filter that guards them all.

config-linux.md, "Default Devices" and "Devices"; runtime-linux.md, "Dev symbolic links".
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Config, Container, MakeContainer

WRITABLE = {"readonly": False}
STAT = ("stat", "-c", "%n %F %a %u %g %t:%T")
DEFAULTS = {"null": 3, "zero": 5, "full": 7, "random": 8, "urandom": 9}
LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "ptmx": "pts/ptmx",
}
if Path("/proc/kcore").exists():  # an option of the kernel
    LINKS["core"] = "/proc/kcore"


def device(path: str, kind: str, major: int = 0, minor: int = 0, **more: int) -> dict[str, Any]:
    made: dict[str, Any] = {"path": path, "type": kind, **more}
    return made if kind == "p" else made | {"major": major, "minor": minor}


def with_devices(
    container: MakeContainer,
    *args: str,
    devices: list[dict[str, Any]],
    **overrides: Any,  # noqa: ANN401
) -> Container:
    overrides.setdefault("root", WRITABLE)
    linux = {"devices": devices} | overrides.pop("linux", {})
    return container(*args, linux=linux, **overrides)


def without_dev(config: Config) -> None:
    """No mount on /dev, and so none in it."""
    config["mounts"] = [m for m in config["mounts"] if not m["destination"].startswith("/dev")]


# --- the default ones


@pytest.mark.smoke
def test_default_devices(container: MakeContainer) -> None:
    paths = [f"/dev/{name}" for name in DEFAULTS]
    said = container(*STAT, *paths, "/dev/tty").run().ok().stdout.splitlines()
    wanted = [f"/dev/{name} character special file 666 0 0 1:{n}" for name, n in DEFAULTS.items()]
    assert said == [*wanted, "/dev/tty character special file 666 0 0 5:0"]


def test_default_links(container: MakeContainer) -> None:
    script = f"cd /dev && for name in {' '.join(LINKS)}; do readlink $name; done; ls -d core"
    done = container("sh", "-c", script).run()
    there = ["core"] if "core" in LINKS else []
    assert done.stdout.splitlines() == [*LINKS.values(), *there]


def test_default_devices_work(container: MakeContainer) -> None:
    script = "echo x >/dev/null; head -c 4 /dev/zero | od -An -tx1; head -c 9 /dev/urandom | wc -c"
    script += "; echo x >/dev/full; echo through >/dev/stdout; : </dev/ptmx && echo terminal"
    done = container("sh", "-c", script).run()
    assert done.stdout == " 00 00 00 00\n9\nthrough\nterminal\n"
    assert "No space left on device" in done.stderr


@pytest.mark.parametrize("there", [True, False])
def test_without_a_mount_on_dev_they_are_made_in_the_image(
    container: MakeContainer, there: bool
) -> None:
    c = container("sh", "-c", "echo x >/dev/null; ls /dev", root=WRITABLE, mutate=without_dev)
    if not there:
        (c.bundle.rootfs / "dev").rmdir()
    names = {*DEFAULTS, "tty", *LINKS}
    assert set(c.run().ok().stdout.split()) == names
    made = c.bundle.rootfs / "dev"
    assert made.stat().st_mode == 0o040755
    assert {path.name for path in made.iterdir()} == names
    assert (made / "null").stat().st_rdev == os.makedev(1, 3)


def test_what_the_image_has_is_kept_but_for_ptmx(container: MakeContainer) -> None:
    script = "cd /dev && readlink ptmx fd; readlink ptmx; readlink fd; cat core; stat -c %a null"
    c = container("sh", "-c", script, root=WRITABLE, mutate=without_dev)
    dev = c.bundle.rootfs / "dev"
    (dev / "core").write_text("of the image\n")
    (dev / "fd").symlink_to("/elsewhere")
    os.mknod(dev / "ptmx", 0o020666, os.makedev(5, 2))
    os.mknod(dev / "null", 0o020600, os.makedev(1, 3))
    assert c.run().stdout == "pts/ptmx\n/elsewhere\nof the image\n600\n"


def test_a_dev_that_is_bound_is_left_alone(container: MakeContainer, tmp_path: Path) -> None:
    def change(config: Config) -> None:
        without_dev(config)
        source = str(tmp_path / "dev")
        config["mounts"].append({"destination": "/dev/", "source": source, "options": ["rbind"]})
        config["linux"]["devices"] = [device("/dev/made", "c", 1, 3)]

    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "of-the-host").touch()
    assert container("ls", "/dev", mutate=change).run().ok().stdout == "of-the-host\n"
    assert os.listdir(tmp_path / "dev") == ["of-the-host"]


def test_a_mount_in_the_place_of_a_default_one_is_taken_for_it(
    container: MakeContainer, tmp_path: Path
) -> None:
    places = {"random": "/dev/urandom", "null": "/dev/null", "core": str(tmp_path / "file")}
    places["ptmx"] = "/dev/ptmx"
    mounts = [
        {"destination": f"/dev/{name}", "source": source, "options": ["bind"]}
        for name, source in places.items()
    ]
    (tmp_path / "file").touch()
    paths = [f"/dev/{name}" for name in places]
    c = container(*STAT, *paths, mutate=lambda config: config["mounts"].extend(mounts))
    said = [line.split(" ", 1)[1] for line in c.run().ok().stdout.splitlines()]
    assert [line.rsplit(" ", 1)[1] for line in said] == ["1:9", "1:3", "0:0", "5:2"]


# --- linux.devices


def test_every_type_with_mode_and_owner(container: MakeContainer) -> None:
    devices = [
        device("/dev/char", "c", 10, 229, fileMode=0o640, uid=5, gid=6),
        device("/dev/unbuffered", "u", 10, 229),
        device("/dev/deep/er/block", "b", 8, 17, fileMode=0o060600, gid=7),
        device("/dev/fifo", "p", fileMode=0o622),
        device("/opt/place/outside", "c", 300, 70000, fileMode=0),
    ]
    c = with_devices(container, *STAT, *[d["path"] for d in devices], devices=devices)
    assert c.run().ok().stdout.splitlines() == [
        "/dev/char character special file 640 5 6 a:e5",
        "/dev/unbuffered character special file 666 0 0 a:e5",
        "/dev/deep/er/block block special file 600 0 7 8:11",
        "/dev/fifo fifo 622 0 0 0:0",
        "/opt/place/outside character special file 0 0 0 12c:11170",
    ]
    assert (c.bundle.rootfs / "opt/place").stat().st_mode == 0o040755
    assert os.listdir(c.bundle.rootfs / "dev") == []


def test_a_device_of_the_config_wins_over_a_default_one(container: MakeContainer) -> None:
    devices = [
        device("/dev/null", "c", 1, 3, fileMode=0o600, uid=9),
        device("/dev/random", "c", 1, 9),
        device("/dev/ptmx", "c", 5, 2, fileMode=0o620),
    ]
    c = with_devices(container, *STAT, "/dev/null", "/dev/random", "/dev/ptmx", devices=devices)
    assert c.run().ok().stdout.splitlines() == [
        "/dev/null character special file 600 9 0 1:3",
        "/dev/random character special file 666 0 0 1:9",
        "/dev/ptmx character special file 620 0 0 5:2",
    ]


def test_a_device_named_twice(container: MakeContainer) -> None:
    twice = [device("/dev/fuse", "c", 10, 229)] * 2
    with_devices(container, "ls", "/dev/fuse", devices=twice).run().ok()


EXISTING = {
    "same": (0o020640, os.makedev(10, 229), True),
    "other number": (0o020666, os.makedev(10, 230), False),
    "other type": (0o060666, os.makedev(10, 229), False),
    "file": (0o100666, 0, False),
    "fifo": (0o010666, 0, False),
    "directory": (0o040777, 0, False),
    "symlink": (0o120777, 0, False),
}


@pytest.mark.parametrize("case", EXISTING)
def test_what_exists_at_the_path_must_be_the_device(container: MakeContainer, case: str) -> None:
    mode, number, accepted = EXISTING[case]
    devices = [device("/place", "c", 10, 229, fileMode=0o600)]
    c = with_devices(container, *STAT, "/place", devices=devices)
    place = c.bundle.rootfs / "place"
    if case == "directory":
        place.mkdir()
    elif case == "symlink":
        os.mknod(c.bundle.rootfs / "real", 0o020666, os.makedev(10, 229))
        place.symlink_to("real")
    else:
        os.mknod(place, mode, number)
    place.chmod(mode & 0o7777)
    before = place.lstat()
    if accepted:
        assert c.run().ok().stdout == "/place character special file 640 0 0 a:e5\n"
    else:
        c.run().failed("linux.devices[0]", "/place exists and is not c 10:229")
        c.assert_gone()
    assert place.lstat() == before


@pytest.mark.parametrize(("source", "accepted"), [("/dev/fuse", True), ("/dev/zero", False)])
def test_a_mount_at_the_path_must_be_the_device(
    container: MakeContainer, source: str, accepted: bool
) -> None:
    mount = {"destination": "/dev/fuse", "source": source, "options": ["bind"]}
    c = with_devices(
        container,
        *("ls", "/dev/fuse"),
        devices=[device("/dev/fuse", "c", 10, 229)],
        mutate=lambda config: config["mounts"].append(mount),
    )
    if accepted:
        c.run().ok()
    else:
        c.run().failed("linux.devices[0]", "/dev/fuse exists and is not c 10:229")


def test_a_fifo_that_exists_is_taken(container: MakeContainer) -> None:
    c = with_devices(container, *STAT, "/place", devices=[device("/place", "p")])
    os.mkfifo(c.bundle.rootfs / "place", 0o600)
    assert c.run().ok().stdout == "/place fifo 600 0 0 0:0\n"


BAD_DEVICES = {
    "no directory": (device("/etc/passwd/x", "c", 1, 3), "ENOTDIR"),
    "the root": (device("/", "c", 1, 3), "linux.devices[0]"),
    "relative": (device("dev/x", "c", 1, 3), "absolute"),
    "in procfs": (device("/proc/x", "c", 1, 3), "linux.devices[0]"),
    "major": (device("/dev/x", "c", 1 << 12, 3), "linux.devices[0].major"),
    "minor": (device("/dev/x", "c", 1, 1 << 20), "linux.devices[0].minor"),
}


@pytest.mark.parametrize("case", BAD_DEVICES)
def test_a_device_that_cannot_be_made(container: MakeContainer, case: str) -> None:
    made, text = BAD_DEVICES[case]
    c = with_devices(container, "true", devices=[made])
    c.run().failed(text)
    c.assert_gone()


# --- the device filter


def capable(config: Config) -> None:
    admin = ["CAP_MKNOD", "CAP_DAC_OVERRIDE"]
    kinds = ("bounding", "effective", "permitted")
    config["process"]["capabilities"] = dict.fromkeys(kinds, admin)


# Anybody may open these two, if only the filter allows it.
FUSE, LOOP = device("/dev/fuse", "c", 10, 229), device("/dev/loop", "c", 10, 237)


def opens(*paths: str) -> str:
    """A script that tells how each of these paths can be opened: r, w, or neither."""
    tries = '(: <"$1") 2>/dev/null && echo -n r; (: >>"$1") 2>/dev/null && echo -n w'
    calls = "; ".join([f"try {path}" for path in paths])
    return f'try() {{ echo -n "$1 "; {tries}; echo; }}; {calls}'


def test_an_unlisted_device_is_denied_and_a_listed_one_is_not(container: MakeContainer) -> None:
    rules = [
        {"allow": False, "access": "rwm"},
        {"allow": True, "type": "c", "major": 10, "minor": 229, "access": "r"},
    ]
    script = f"mknod /dev/new c 10 237; {opens('/dev/fuse', '/dev/loop', '/dev/new', '/dev/null')}"
    done = with_devices(
        container,
        *("sh", "-c", script),
        devices=[FUSE, LOOP],
        linux={"resources": {"devices": rules}},
        mutate=capable,
    ).run()
    assert done.stdout == "/dev/fuse r\n/dev/loop \n/dev/new \n/dev/null rw\n"


def test_the_default_devices_are_allowed_whatever_the_rules_say(container: MakeContainer) -> None:
    paths = " ".join([f"/dev/{name}" for name in (*DEFAULTS, "ptmx", "pts/ptmx")])
    script = f"for path in {paths}; do : <$path && : >$path || echo $path; done 2>&1"
    for rules in ([], [{"allow": False}], [{"allow": False, "type": "c", "major": 1}]):
        linux = {"resources": {"devices": rules}}
        done = container("sh", "-c", script, linux=linux).run().ok()
        assert done.stdout.replace("/dev/full", "") in {"", "\n"}


def test_without_resources_there_is_a_filter_all_the_same(container: MakeContainer) -> None:
    c = with_devices(container, "sh", "-c", opens("/dev/fuse", "/dev/null"), devices=[FUSE])
    c.bundle.config["linux"].pop("resources")
    c.bundle.write()
    assert c.run().stdout == "/dev/fuse \n/dev/null rw\n"


def test_a_rule_for_all_devices_allows_them(container: MakeContainer) -> None:
    linux = {"resources": {"devices": [{"allow": True, "access": "rwm"}]}}
    script = opens("/dev/fuse", "/dev/loop")
    c = with_devices(container, "sh", "-c", script, devices=[FUSE, LOOP], linux=linux)
    assert c.run().stdout == "/dev/fuse rw\n/dev/loop rw\n"
