"""linux.maskedPaths and linux.readonlyPaths (config-linux.md).

What a hostile root filesystem tries against them is in test_hostile_*.py.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.support.containers import Config, Container, MakeContainer
from tests.support.mounts import MOUNTINFO, mount_at, mounts_at, parse_mountinfo, run_in_namespace

WRITABLE = {"readonly": False}


def with_hidden(
    container: MakeContainer,
    script: str,
    masked: tuple[str, ...] = (),
    readonly: tuple[str, ...] = (),
    **overrides: Any,  # noqa: ANN401
) -> Container:
    hidden = {"maskedPaths": list(masked), "readonlyPaths": list(readonly)}
    overrides.setdefault("root", WRITABLE)
    return container("sh", "-c", script, linux=hidden, **overrides)


# --- masked


@pytest.mark.smoke
def test_the_default_ones(container: MakeContainer) -> None:
    script = (
        "ls -A /proc/acpi /proc/scsi /sys/firmware 2>/dev/null; cat /proc/keys /proc/timer_list"
    )
    script += "; head -c 1 /proc/kcore; echo 0 >/proc/sys/vm/swappiness"
    script += "; echo 0 >/proc/irq/default_smp_affinity; true"
    done = container("sh", "-c", script).run()
    lines = [line for line in done.stdout.splitlines() if not line.endswith(":") and line]
    assert lines == []
    refused = [line for line in done.stderr.splitlines() if "Read-only file system" in line]
    wanted = ("/proc/sys/vm/swappiness", "/proc/irq/default_smp_affinity")
    assert [any(path in line for line in refused) for path in wanted] == [True] * 2


def test_a_masked_file_is_empty_and_takes_everything(container: MakeContainer) -> None:
    script = "cat /etc/passwd; echo lost >/etc/passwd; stat -c '%F %t:%T' /etc/passwd"
    c = with_hidden(container, script, masked=("/etc/passwd",))
    before = (c.bundle.rootfs / "etc/passwd").read_text()
    assert c.run().ok().stdout == "character special file 1:3\n"
    assert (c.bundle.rootfs / "etc/passwd").read_text() == before


def test_a_masked_directory_is_empty_and_takes_nothing(container: MakeContainer) -> None:
    script = "ls -A /etc /home; touch /etc/x /home/x; mount -o remount,rw /etc\n"
    script += f"stat -c '%a %u %g' /etc; cat {MOUNTINFO}"
    c = with_hidden(container, script, masked=("/etc", "/home"))
    done = c.run()
    assert done.stdout.startswith("/etc:\n\n/home:\n755 0 0\n")
    assert done.stderr.count("Read-only file system") == 2
    found = parse_mountinfo(done.stdout)
    attributes = {"ro", "nosuid", "nodev", "noexec", "relatime"}
    assert mount_at(found, "/etc").options == mount_at(found, "/home").options == attributes
    assert "ro" in mount_at(found, "/etc").superblock


def test_what_is_not_there_is_passed_over(container: MakeContainer) -> None:
    masked = ("/no/such", "/etc/passwd/below", "/no", "/proc/no", "/sys/no/such", "/dev/no")
    c = with_hidden(container, "echo ok", masked=masked, readonly=masked)
    assert c.run().ok().stdout == "ok\n"
    assert not (c.bundle.rootfs / "no").exists()


def test_below_what_is_masked_there_is_nothing_to_mask(container: MakeContainer) -> None:
    masked = ("/etc", "/etc/passwd", "/root", "/root", "/proc/acpi", "/proc/acpi/wakeup")
    c = with_hidden(container, f"ls -A /etc; cat {MOUNTINFO}", masked=masked)
    found = parse_mountinfo(c.run().ok().stdout)
    assert len(mounts_at(found, "/etc")) == 1
    assert mounts_at(found, "/etc/passwd") == []


@pytest.mark.parametrize("kind", ["fifo", "socket", "device"])
@pytest.mark.parametrize("what", ["masked", "readonly"])
def test_what_blocks_or_acts_when_opened_is_not_opened(
    container: MakeContainer, kind: str, what: str
) -> None:
    script = "stat -c '%F' /special"
    if what == "masked":
        c = with_hidden(container, script, masked=("/special",))
    else:
        c = with_hidden(container, script, readonly=("/special",))
    kinds = {"fifo": 0o010666, "socket": 0o140666, "device": 0o020666}
    # No driver has this number: to open it fails.
    os.mknod(c.bundle.rootfs / "special", kinds[kind], os.makedev(509, 1))
    said = {"fifo": "fifo", "socket": "socket"}.get(kind, "character special file")
    expected = "character special file" if what == "masked" else said
    assert c.run(timeout=20).ok().stdout == f"{expected}\n"


@pytest.mark.parametrize("target", ["secret", "/secret", "../../secret"])
def test_a_symlink_is_followed_inside_the_root(container: MakeContainer, target: str) -> None:
    c = with_hidden(container, "cat /link /secret; readlink /link", masked=("/link",))
    (c.bundle.rootfs / "secret").write_text("secret")
    (c.bundle.rootfs / "link").symlink_to(target)
    assert c.run().ok().stdout == f"{target}\n"


@pytest.mark.parametrize("target", ["secret", "/volume/secret", "../other", "/other"])
def test_a_symlink_of_a_volume_is_followed_inside_the_root(
    container: MakeContainer, tmp_path: Path, target: str
) -> None:
    def change(config: Config) -> None:
        mount = {"destination": "/volume", "source": str(tmp_path / "v"), "options": ["rbind"]}
        config["mounts"].append(mount)

    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "secret").write_text("secret\n")
    (tmp_path / "v" / "link").symlink_to(target)
    (tmp_path / "other").write_text("of the host\n")
    script = "cat /volume/link /volume/secret /other"
    c = with_hidden(container, script, masked=("/volume/link",), mutate=change)
    (c.bundle.rootfs / "other").write_text("other\n")
    assert c.run().ok().stdout == ("secret\n" if "other" in target else "other\n")


def test_the_symlinks_of_procfs(container: MakeContainer) -> None:
    # They are those of init, which is process 1.
    masked, readonly = ("/proc/mounts",), ("/proc/net",)
    done = with_hidden(container, "cat /proc/1/mounts; echo ok", masked, readonly).run().ok()
    assert done.stdout == "ok\n"


def test_paths_are_those_of_the_container(container: MakeContainer) -> None:
    masked = ("//etc/./passwd", "/../etc/../home/user/", "/etc/../../root")
    c = with_hidden(container, "cat /etc/passwd; touch /home/user/x /root/x", masked=masked)
    assert c.run().stderr.count("Read-only file system") == 2


def test_a_mask_in_a_mount_that_covers_another(container: MakeContainer, tmp_path: Path) -> None:
    def change(config: Config) -> None:
        for name, place in (("lower", "/m/deep"), ("upper", "/m")):
            source = str(tmp_path / name)
            mount = {"destination": place, "source": source, "options": ["rbind"]}
            config["mounts"].append(mount)

    for name in ("lower", "upper/deep"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "secret").write_text(name)
    c = with_hidden(container, "cat /m/deep/secret", masked=("/m/deep/secret",), mutate=change)
    assert c.run().ok().stdout == ""


def test_a_file_that_is_a_mount(container: MakeContainer, tmp_path: Path) -> None:
    def change(config: Config) -> None:
        (tmp_path / "file").write_text("of the host")
        for place in ("/proc/uptime", "/masked", "/readonly"):
            source = str(tmp_path / "file")
            config["mounts"].append({"destination": place, "source": source, "options": ["bind"]})

    script = "cat /proc/uptime /masked; echo x >/readonly"
    masked = ("/proc/uptime", "/masked")
    done = with_hidden(container, script, masked, ("/readonly",), mutate=change).run()
    assert (done.stdout, done.rc) == ("", 1)
    assert "Read-only file system" in done.stderr
    assert (tmp_path / "file").read_text() == "of the host"


def test_a_host_whose_null_device_is_none(container: MakeContainer, tmp_path: Path) -> None:
    c = with_hidden(container, "cat /etc/passwd", masked=("/etc/passwd",))
    script = "touch $D/file; mount --bind $D/file /dev/null"
    run_in_namespace(c, script).failed("/dev/null", "linux.maskedPaths[0]")
    c.assert_gone()


def test_without_a_mount_namespace_they_are_refused(container: MakeContainer) -> None:
    def change(config: Config) -> None:
        config["linux"]["namespaces"] = [{"type": "pid"}, {"type": "uts"}]

    c = with_hidden(container, "true", masked=("/etc/passwd",), mutate=change)
    c.run().failed("linux.maskedPaths", "mount namespace")


@pytest.mark.parametrize("path", ["etc/passwd", ""])
def test_a_relative_path_is_refused(container: MakeContainer, path: str) -> None:
    c = with_hidden(container, "true", masked=(path,))
    c.run().failed("linux.maskedPaths[0]", "absolute")


# --- read-only


def test_readonly_file_and_directory(container: MakeContainer) -> None:
    script = (
        "touch /etc/passwd /home/user/x /home/x /root/x && echo all; cat /etc/passwd | head -n 1"
    )
    c = with_hidden(container, script, readonly=("/etc/passwd", "/home/user"))
    done = c.run()
    assert done.stdout == "root:x:0:0:root:/root:/bin/sh\n"
    assert done.stderr.splitlines() == [
        f"touch: {path}: Read-only file system" for path in ("/etc/passwd", "/home/user/x")
    ]
    assert (c.bundle.rootfs / "root" / "x").exists()


def test_readonly_takes_the_mounts_below_along_as_they_are(container: MakeContainer) -> None:
    def change(config: Config) -> None:
        config["mounts"] += [
            {"destination": "/m", "type": "tmpfs", "options": ["nosuid", "noexec"]},
            {"destination": "/m/below", "type": "tmpfs", "options": ["nodev"]},
        ]

    script = f"touch /m/below/x; touch /m/x; cat {MOUNTINFO}"
    done = with_hidden(container, script, readonly=("/m",), mutate=change).run()
    assert done.stderr == "touch: /m/x: Read-only file system\n"
    found = parse_mountinfo(done.stdout)
    assert mount_at(found, "/m").options == {"ro", "nosuid", "noexec", "relatime"}
    assert mount_at(found, "/m/below").options == {"rw", "nodev", "relatime"}


def test_masked_inside_readonly_and_the_other_way(container: MakeContainer) -> None:
    script = "cat /etc/passwd; touch /etc/x; ls -A /home"
    c = with_hidden(container, script, ("/etc/passwd", "/home"), ("/etc", "/home/user"))
    done = c.run()
    assert (done.stdout, done.stderr) == ("", "touch: /etc/x: Read-only file system\n")


@pytest.mark.parametrize("path", ["/proc", "/sys", "/"])
def test_readonly_mounts_of_ours(container: MakeContainer, path: str) -> None:
    script = f"touch {path}/x; cat /proc/uptime >/dev/null; cat {MOUNTINFO}"
    c = with_hidden(container, script, ("/proc/keys",), (path, "/proc/sys"))
    done = c.run()
    found = parse_mountinfo(done.stdout)
    assert "ro" in mount_at(found, path).options
    assert mount_at(found, "/proc/keys").kind == "devtmpfs"


def test_what_is_readonly_cannot_be_made_writable_without_privilege(
    container: MakeContainer,
) -> None:
    done = container("mount", "-o", "remount,rw", "/proc/sys").run()
    assert (done.rc, done.stderr) == (1, "mount: permission denied (are you root?)\n")
