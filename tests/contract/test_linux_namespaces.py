"""Namespaces and the mount calls, as root of a user namespace of our own: no machine is changed."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from pyoci.linux import consts as c
from pyoci.linux import fs, mount, namespaces, net
from pyoci.plan.namespaces import CLONE_FLAGS, PROC_NAMES
from tests.support.child import in_child, in_user_namespace

# --- namespaces


@pytest.mark.parametrize("kind", sorted(PROC_NAMES))
def test_the_type_of_a_namespace(kind: str) -> None:
    fd = namespaces.open_namespace(f"/proc/self/ns/{PROC_NAMES[kind]}")
    assert namespaces.namespace_type(fd) == CLONE_FLAGS[kind]
    assert not os.get_inheritable(fd)
    os.close(fd)


def test_another_file_is_no_namespace(tmp_path: Path) -> None:
    fd = namespaces.open_namespace(str(tmp_path))
    with pytest.raises(OSError, match=r"."):
        namespaces.namespace_type(fd)
    os.close(fd)


def test_a_fifo_in_the_place_of_a_namespace_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ns")
    fd = namespaces.open_namespace(str(tmp_path / "ns"))
    with pytest.raises(OSError, match=r".") as caught:
        namespaces.namespace_type(fd)
    assert caught.value.errno == errno.ENOTTY
    os.close(fd)


def test_names_of_the_uts_namespace() -> None:
    def child() -> tuple[str, str]:
        namespaces.sethostname("a.b")
        namespaces.setdomainname("é" * 32)
        return socket.gethostname(), Path("/proc/sys/kernel/domainname").read_text()

    before = socket.gethostname()
    assert in_user_namespace(child, c.CLONE_NEWUTS) == ("a.b", "é" * 32 + "\n")
    assert socket.gethostname() == before


def test_a_name_of_65_bytes() -> None:
    with pytest.raises(OSError, match="Invalid argument"):
        in_user_namespace(lambda: namespaces.sethostname("é" * 33), c.CLONE_NEWUTS)


def test_unshare_and_setns() -> None:
    def child() -> list[bool]:
        own = "/proc/self/ns/uts"
        first, first_fd = os.readlink(own), namespaces.open_namespace(own)
        namespaces.unshare(c.CLONE_NEWUTS)
        changed = os.readlink(own) != first
        with pytest.raises(OSError, match="Invalid argument"):
            namespaces.setns(first_fd, c.CLONE_NEWIPC)
        namespaces.setns(first_fd, c.CLONE_NEWUTS)
        return [changed, os.readlink(own) == first]

    assert in_user_namespace(child, c.CLONE_NEWUTS) == [True, True]


def test_without_rights_there_is_no_joining() -> None:
    def child() -> None:
        fd = namespaces.open_namespace("/proc/self/ns/uts")
        os.setresuid(65534, 65534, 65534)
        namespaces.setns(fd, c.CLONE_NEWUTS)

    if os.geteuid() != 0:
        fd = namespaces.open_namespace("/proc/self/ns/uts")
        with pytest.raises(PermissionError):
            namespaces.setns(fd, c.CLONE_NEWUTS)
        os.close(fd)
        return
    with pytest.raises(PermissionError):
        in_child(child)


def test_loopback() -> None:
    def child() -> tuple[int, int]:
        def connect() -> int:
            with socket.socket() as made:
                made.settimeout(5)
                return made.connect_ex(("127.0.0.1", 9))

        before = connect()
        net.set_loopback_up()
        net.set_loopback_up()
        return before, connect()

    assert in_user_namespace(child, c.CLONE_NEWNET) == (errno.ENETUNREACH, errno.ECONNREFUSED)


# --- mounts


def new_tmpfs(attributes: int = 0, **parameters: str) -> int:
    context_fd = mount.fsopen("tmpfs")
    for key, value in parameters.items():
        mount.fsconfig_string(context_fd, key, value)
    mount.fsconfig_create(context_fd)
    tree_fd = mount.fsmount(context_fd, attributes)
    os.close(context_fd)
    return tree_fd


def options_of(place: str) -> tuple[str, str, str]:
    """Mount options, optional fields and superblock options of the uppermost mount at a path."""
    found = ("", "", "")
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        left, right = (part.split() for part in line.split(" - "))
        if left[4] == place:
            found = (left[5], " ".join(left[6:]), right[2])
    return found


def attach(tree_fd: int, place: str) -> None:
    target_fd = os.open(place, os.O_PATH)
    mount.move_mount(tree_fd, target_fd)
    os.close(target_fd)


def test_a_new_filesystem_from_parameters_to_its_place(tmp_path: Path) -> None:
    def child() -> tuple[str, str, str]:
        tree_fd = new_tmpfs(c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NOATIME, size="64k", mode="0750")
        attach(tree_fd, str(tmp_path))
        (tmp_path / "file").touch()
        return options_of(str(tmp_path))

    attributes, _, superblock = in_user_namespace(child)
    assert set(attributes.split(",")) == {"rw", "nosuid", "noatime"}
    assert "size=64k" in superblock
    assert "mode=750" in superblock
    assert list(tmp_path.iterdir()) == []  # nothing of it is outside


def test_a_flag_without_value(tmp_path: Path) -> None:
    def child() -> str:
        context_fd = mount.fsopen("tmpfs")
        mount.fsconfig_flag(context_fd, "ro")
        mount.fsconfig_create(context_fd)
        attach(mount.fsmount(context_fd, 0), str(tmp_path))
        return options_of(str(tmp_path))[2]

    assert in_user_namespace(child).split(",")[0] == "ro"


def test_the_kernel_says_what_is_wrong_with_a_parameter() -> None:
    def child() -> tuple[int, str, str]:
        context_fd = mount.fsopen("tmpfs")
        nothing = mount.read_context_log(context_fd)
        try:
            mount.fsconfig_string(context_fd, "sizzle", "64k")
        except OSError as error:
            return error.errno or 0, nothing, mount.read_context_log(context_fd)
        return 0, nothing, ""

    number, nothing, said = in_user_namespace(child)
    assert number == errno.EINVAL
    assert nothing == ""
    assert "sizzle" in said
    assert "\n" not in said


def test_an_unknown_filesystem() -> None:
    with pytest.raises(OSError, match="No such device"):
        in_user_namespace(lambda: mount.fsopen("no-such-filesystem"))


def test_a_tree_is_cloned_set_and_moved(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for place in (source, target):
        place.mkdir()
    (source / "file").write_text("content")

    def child() -> tuple[str, str, str]:
        tree_fd = mount.open_tree_at(c.AT_FDCWD, str(source), c.OPEN_TREE_CLONE)
        mount.mount_setattr(tree_fd, c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NODEV)
        attach(tree_fd, str(target))
        try:
            (target / "new").touch()
        except OSError as error:
            refused = errno.errorcode[error.errno or 0]
        else:
            refused = ""
        return (target / "file").read_text(), refused, options_of(str(target))[0]

    content, refused, options = in_user_namespace(child)
    assert (content, refused) == ("content", "EROFS")
    assert {"ro", "nodev"} <= set(options.split(","))
    assert list(target.iterdir()) == []


@pytest.mark.parametrize(("recursive", "inner"), [(True, "ro"), (False, "rw")])
def test_attributes_reach_the_mounts_below_if_asked(
    tmp_path: Path, recursive: bool, inner: str
) -> None:
    (tmp_path / "outer").mkdir()

    def child() -> str:
        outer = str(tmp_path / "outer")
        attach(new_tmpfs(), outer)
        os.mkdir(f"{outer}/inner")
        attach(new_tmpfs(), f"{outer}/inner")
        fd = os.open(outer, os.O_PATH)
        tree_fd = mount.clone_tree(fd, recursive=True)
        mount.mount_setattr(tree_fd, c.MOUNT_ATTR_RDONLY, recursive=recursive)
        attach(tree_fd, outer)
        return options_of(f"{outer}/inner")[0].split(",")[0]

    assert in_user_namespace(child) == inner


@pytest.mark.parametrize("word", ["noatime", "strictatime", "relatime", "ro", "noatime ro"])
def test_option_words_on_a_bind_mount(tmp_path: Path, word: str) -> None:
    # All bits of access times are cleared whenever one is set, or the kernel refuses.
    from pyoci.plan.mounts import Words

    words = Words(tuple(word.split()))

    def child() -> str:
        attach(new_tmpfs(), str(tmp_path))
        fd = os.open(tmp_path, os.O_PATH)
        tree_fd = mount.clone_tree(fd, recursive=False)
        mount.mount_setattr(tree_fd, words.attr_set, words.attr_clr)
        attach(tree_fd, str(tmp_path))
        return options_of(str(tmp_path))[0]

    options = set(in_user_namespace(child).split(","))
    assert set(word.split()) - {"strictatime"} <= options
    assert ("strictatime" in word) is not bool({"relatime", "noatime"} & options)


def test_some_bits_of_access_times_alone_are_refused(tmp_path: Path) -> None:
    def child() -> None:
        attach(new_tmpfs(), str(tmp_path))
        fd = os.open(tmp_path, os.O_PATH)
        mount.mount_setattr(fd, c.MOUNT_ATTR_NOATIME, c.MOUNT_ATTR__ATIME & ~c.MOUNT_ATTR_NOATIME)

    with pytest.raises(OSError, match="Invalid argument"):
        in_user_namespace(child)


@pytest.mark.parametrize(
    ("flags", "field"),
    [(c.MS_SHARED, "shared"), (c.MS_PRIVATE, ""), (c.MS_UNBINDABLE, "unbindable")],
)
def test_propagation(tmp_path: Path, flags: int, field: str) -> None:
    def child() -> tuple[str, str]:
        attach(new_tmpfs(), str(tmp_path))
        mount.mount_propagation(str(tmp_path), flags)
        by_path = options_of(str(tmp_path))[1]
        fd = os.open(tmp_path, os.O_PATH)
        mount.mount_setattr(fd, propagation=c.MS_PRIVATE)
        mount.mount_setattr(fd, propagation=flags)
        return by_path, options_of(str(tmp_path))[1]

    by_path, by_fd = in_user_namespace(child)
    assert by_path.partition(":")[0] == by_fd.partition(":")[0] == field


def test_a_mount_is_known_by_its_id(tmp_path: Path) -> None:
    def child() -> list[bool]:
        before_fd = os.open(tmp_path, os.O_PATH)
        tree_fd = new_tmpfs()
        attach(tree_fd, str(tmp_path))
        after_fd = os.open(tmp_path, os.O_PATH)
        ids = [fs.mount_id(fd) for fd in (before_fd, tree_fd, after_fd)]
        return [ids[0] != ids[1], ids[1] == ids[2]]

    assert in_user_namespace(child) == [True, True]


def test_pivot_root_onto_itself_and_away_with_the_old(tmp_path: Path) -> None:
    def child() -> tuple[list[str], list[str]]:
        attach(new_tmpfs(), str(tmp_path))
        (tmp_path / "here").touch()
        old_fd = os.open("/", os.O_PATH)
        os.chdir(tmp_path)
        mount.pivot_root(".", ".")
        os.fchdir(old_fd)
        mount.mount_propagation(".", c.MS_SLAVE | c.MS_REC)
        mount.umount2(".", c.MNT_DETACH)
        os.chdir("/")
        return os.listdir("/"), os.listdir("..")

    assert in_user_namespace(child) == (["here"], ["here"])


def test_move_and_chroot_without_pivot(tmp_path: Path) -> None:
    def child() -> list[str]:
        attach(new_tmpfs(), str(tmp_path))
        (tmp_path / "here").touch()
        mount.mount_propagation("/", c.MS_PRIVATE | c.MS_REC)
        os.chdir(tmp_path)
        mount.mount_move(".", "/", c.MS_MOVE)
        os.chroot(".")
        os.chdir("/")
        return os.listdir("/")

    assert in_user_namespace(child) == ["here"]


def test_without_rights_there_are_no_mounts() -> None:
    def child() -> None:
        os.setresuid(65534, 65534, 65534)
        mount.fsopen("tmpfs")

    if os.geteuid() != 0:
        with pytest.raises(PermissionError):
            mount.fsopen("tmpfs")
        return
    with pytest.raises(PermissionError):
        in_child(child)
