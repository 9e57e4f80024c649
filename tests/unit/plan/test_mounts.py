"""mounts[] -> steps: words, kinds, refusals."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.errors import ConfigError
from pyoci.linux import consts as c
from pyoci.plan.mounts import (
    ATTRIBUTES,
    FLAGS,
    NO_EFFECT,
    PROPAGATION,
    SHARED_SUPERBLOCK,
    SUPERBLOCK,
    MountContext,
    Words,
    is_bind,
    known_options,
    plan_mounts,
    split_data,
)
from pyoci.plan.rootfs_steps import BindMount, ChangeMount, MountFilesystem, ReadonlyMount
from pyoci.spec.model import Mount

CONTEXT = MountContext("/bundle", "/sys/fs/cgroup/web", own_cgroup_namespace=True)
attribute_words = st.lists(st.sampled_from(sorted(ATTRIBUTES)), max_size=8).map(tuple)

# What each word means alone: the bits it decides, and what they become.
DECIDED = {
    word: (on | off if on not in (0, c.MOUNT_ATTR_NOATIME, c.MOUNT_ATTR_STRICTATIME) else off, on)
    for word, (on, off) in ATTRIBUTES.items()
}


def plan(
    *mounts: Mount, context: MountContext = CONTEXT
) -> list[MountFilesystem | BindMount | ChangeMount]:
    return plan_mounts(mounts, context)[0]


def bind(*options: str, source: str = "/s") -> BindMount:
    (step,) = plan(Mount(destination="/d", type="bind", source=source, options=options))
    assert isinstance(step, BindMount)
    return step


def filesystem(kind: str, *options: str) -> MountFilesystem:
    (step,) = plan(Mount(destination="/d", type=kind, options=options))
    assert isinstance(step, MountFilesystem)
    return step


# --- option words


@given(attribute_words)
def test_a_later_attribute_wins(words: tuple[str, ...]) -> None:
    value = 0
    for word in words:
        decided, on = DECIDED[word]
        value = value & ~decided | on
    found = Words(words)
    assert found.attr_set == value
    assert (found.recursive_set, found.recursive_clr) == (0, 0)


@pytest.mark.parametrize(
    ("words", "attr_set", "attr_clr"),
    [
        ("ro", 0x1, 0),
        ("ro rw", 0, 0x1),
        ("rw ro", 0x1, 0),
        ("nosuid suid nodev", 0x4, 0x2),
        ("noatime", 0x10, 0x70),
        ("noatime ro", 0x11, 0x70),
        ("noatime strictatime", 0x20, 0x70),
        ("strictatime relatime", 0, 0x70),
        ("noatime atime", 0, 0x70),
        ("strictatime atime", 0x20, 0x70),
        ("strictatime nostrictatime", 0, 0x70),
        ("nodiratime diratime", 0, 0x80),
        ("norelatime", 0, 0),
        ("nosymfollow", 0x200000, 0),
    ],
)
def test_bits_of_attributes(words: str, attr_set: int, attr_clr: int) -> None:
    found = Words(tuple(words.split()))
    assert (found.attr_set, found.attr_clr) == (attr_set, attr_clr)


@given(attribute_words)
def test_set_and_clear_never_overlap_but_for_atime(words: tuple[str, ...]) -> None:
    found = Words(words)
    assert not found.attr_set & found.attr_clr & ~c.MOUNT_ATTR__ATIME
    # mount_setattr(2): a change of atime must clear all of its bits, or EINVAL.
    assert found.attr_clr & c.MOUNT_ATTR__ATIME in (0, c.MOUNT_ATTR__ATIME)
    if found.attr_set & c.MOUNT_ATTR__ATIME:
        assert found.attr_clr & c.MOUNT_ATTR__ATIME == c.MOUNT_ATTR__ATIME


@given(attribute_words)
def test_recursive_words_do_the_same_to_the_mounts_below(words: tuple[str, ...]) -> None:
    # Only rrelatime, rnoatime... exist as such; `relatime` itself begins with r and is not one.
    plain, recursive = Words(words), Words(tuple(f"r{word}" for word in words))
    assert recursive.recursive_set == plain.attr_set
    assert recursive.recursive_clr == plain.attr_clr
    assert (recursive.attr_set, recursive.attr_clr) == (0, 0)


@given(st.lists(st.sampled_from(known_options()), max_size=6).map(tuple))
def test_no_known_word_is_data(words: tuple[str, ...]) -> None:
    assert Words(words).data == []


def test_words_of_every_kind() -> None:
    words = Words(("ro", "rshared", "private", "sync", "defaults", "", "rbind", "size=1k", "x"))
    assert words.attr_set == c.MOUNT_ATTR_RDONLY
    assert words.propagations == (c.MS_SHARED | c.MS_REC, c.MS_PRIVATE)
    assert words.superblock == ["sync"]
    assert words.flags == {"rbind"}
    assert words.data == ["size=1k", "x"]


def test_no_word_stands_in_two_tables() -> None:
    tables = (ATTRIBUTES, PROPAGATION, SUPERBLOCK, NO_EFFECT, FLAGS, [f"r{w}" for w in ATTRIBUTES])
    words = [word for table in tables for word in table]
    assert len(words) == len(set(words))
    assert known_options() == tuple(sorted(words))


# --- bind mounts


@pytest.mark.parametrize(
    ("kind", "options", "bound"),
    [
        ("bind", (), True),
        ("none", ("bind",), True),
        ("", ("rbind",), True),
        ("tmpfs", ("rbind",), True),
        ("none", (), False),
        ("proc", ("ro",), False),
    ],
)
def test_bind_by_type_or_option(kind: str, options: tuple[str, ...], bound: bool) -> None:
    assert is_bind(Mount(destination="/d", type=kind, options=options)) is bound


@pytest.mark.parametrize(
    ("options", "recursive"),
    [((), True), (("bind",), False), (("rbind",), True), (("bind", "rbind"), True)],
)
def test_recursive_bind(options: tuple[str, ...], recursive: bool) -> None:
    assert bind(*options).recursive is recursive


def test_bind_source_is_below_the_bundle_if_relative() -> None:
    assert bind(source="data").source == "/bundle/data"
    assert bind(source="../x").source == "/bundle/../x"
    assert bind(source="/x/../y").source == "/x/../y"


def test_bind_flags() -> None:
    step = bind("dest-nofollow", "src-nofollow", "copy-symlink")
    assert (step.follow_destination, step.follow_source, step.copy_symlink) == (False, False, True)
    step = bind()
    assert (step.follow_destination, step.follow_source, step.copy_symlink) == (True, True, False)


def test_a_bind_mount_has_no_use_for_data() -> None:
    mount = Mount(destination="/d", type="bind", source="/s", options=("size=1k",))
    _, _, warnings = plan_mounts((mount,), CONTEXT)
    assert warnings == ["mounts[0].options: a bind mount has no use for ['size=1k']"]


def test_a_bind_mount_needs_a_source() -> None:
    with pytest.raises(ConfigError, match=r"mounts\[0\]\.source: a bind mount needs a source"):
        plan(Mount(destination="/d", type="bind"))


# --- filesystems


def test_parameters_go_on_as_they_are() -> None:
    step = filesystem("tmpfs", "size=64k", "mode=1777", "nosuid", "huge", "x=a=b", "y=")
    assert step.parameters == (
        ("size", "64k"), ("mode", "1777"), ("huge", None), ("x", "a=b"), ("y", "")
    )  # fmt: skip
    assert step.attr_set == c.MOUNT_ATTR_NOSUID
    assert (step.type, step.source) == ("tmpfs", "tmpfs")


def test_read_only_is_also_the_superblocks_unless_others_share_it() -> None:
    assert filesystem("ext4", "ro").parameters == (("ro", None),)
    for kind in SHARED_SUPERBLOCK:
        if kind != "cgroup2":
            assert filesystem(kind, "ro").parameters == (), kind


def test_a_read_only_tmpfs_becomes_so_when_everything_is_in_it() -> None:
    mount = Mount(destination="d/./x/..", type="tmpfs", options=("ro", "nodev"))
    (step,), later, _ = plan_mounts((mount,), CONTEXT)
    assert later == [ReadonlyMount(destination="/d", config="mounts[0]")]
    assert step.attr_set == c.MOUNT_ATTR_NODEV
    assert isinstance(step, MountFilesystem)
    assert step.parameters == ()


def test_a_read_only_tmpfs_that_is_covered_is_left_alone() -> None:
    tmpfs = Mount(destination="/d", type="tmpfs", options=("ro",))
    bound = Mount(destination="/d/", type="bind", source="/s")
    assert plan_mounts((tmpfs, bound), CONTEXT)[1] == []
    assert len(plan_mounts((bound, tmpfs), CONTEXT)[1]) == 1
    assert len(plan_mounts((tmpfs, tmpfs), CONTEXT)[1]) == 1


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        (["a=1,b", "c"], ["a=1", "b", "c"]),
        ([",a,,b,", ""], ["a", "b"]),
        # overlayfs: a comma of a path.
        ([r"lowerdir=/a\,b:/c,upperdir=/u"], [r"lowerdir=/a\,b:/c", "upperdir=/u"]),
        # SELinux: a comma of a range of categories.
        (['context="a:b:c:s0:c1,c2"', "mode=1"], ['context="a:b:c:s0:c1,c2"', "mode=1"]),
        (['nr=1,rootcontext="a,b",c'], ["nr=1", 'rootcontext="a,b"', "c"]),
        (['lowerdir=/"a,upperdir=/b"'], ['lowerdir=/"a', 'upperdir=/b"']),
        ([], []),
    ],
)
def test_a_word_may_hold_several_options(words: list[str], parts: list[str]) -> None:
    assert split_data(words) == parts


def test_the_quotes_of_a_context_are_mount_2s() -> None:
    mount = Mount(destination="/d", type="tmpfs", options=('context="a:b:c:s0:c1,c2"', 'x="y"'))
    (step,), _, _ = plan_mounts((mount,), CONTEXT)
    assert isinstance(step, MountFilesystem)
    assert step.parameters == (("context", "a:b:c:s0:c1,c2"), ("x", '"y"'))


def test_tmpcopyup_is_for_tmpfs() -> None:
    assert filesystem("tmpfs", "tmpcopyup").copy_up is True
    assert filesystem("mqueue", "tmpcopyup").copy_up is False
    assert filesystem("tmpfs").copy_up is False


def test_a_filesystem_needs_a_type() -> None:
    with pytest.raises(ConfigError, match=r"mounts\[0\]\.type"):
        plan(Mount(destination="/d", source="x"))


# --- cgroup


@pytest.mark.parametrize("kind", ["cgroup", "cgroup2"])
def test_cgroup_with_a_namespace_is_the_whole_filesystem(kind: str) -> None:
    (step,) = plan(Mount(destination="/sys/fs/cgroup", type=kind, options=("ro",)))
    assert isinstance(step, MountFilesystem)
    assert (step.type, step.source, step.parameters) == ("cgroup2", "cgroup", ())
    assert step.attr_set == (
        c.MOUNT_ATTR_RDONLY | c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NODEV | c.MOUNT_ATTR_NOEXEC
    )


def test_cgroup_without_a_namespace_is_the_containers_own() -> None:
    context = MountContext("/bundle", "/sys/fs/cgroup/web", own_cgroup_namespace=False)
    (step,) = plan(Mount(destination="/c", type="cgroup"), context=context)
    assert isinstance(step, BindMount)
    assert (step.source, step.recursive) == ("/sys/fs/cgroup/web", False)
    assert not step.attr_set & c.MOUNT_ATTR_RDONLY


def test_without_a_cgroup_the_hosts_are_out_of_sight() -> None:
    context = MountContext("/bundle", "", own_cgroup_namespace=False)
    (step,) = plan(Mount(destination="/c", type="cgroup", options=("rw",)), context=context)
    assert isinstance(step, MountFilesystem)
    assert (step.type, step.attr_set & c.MOUNT_ATTR_RDONLY) == ("tmpfs", c.MOUNT_ATTR_RDONLY)
    assert ("ro", None) in step.parameters


@pytest.mark.parametrize("options", [(), ("rw",), ("ro",)])
def test_a_users_cgroup_is_read_only_to_its_container(options: tuple[str, ...]) -> None:
    context = MountContext("/b", "/cgroup/web", own_cgroup_namespace=False, privileged=False)
    (step,) = plan(Mount(destination="/c", type="cgroup", options=options), context=context)
    assert isinstance(step, BindMount)
    assert step.attr_set & c.MOUNT_ATTR_RDONLY
    assert not step.attr_clr & c.MOUNT_ATTR_RDONLY


# --- all


@pytest.mark.parametrize("destination", ["/", "", ".", "/a/..", "../.."])
def test_nothing_goes_over_the_root(destination: str) -> None:
    with pytest.raises(ConfigError, match=r"mounts\[0\]\.destination: cannot mount over the root"):
        plan(Mount(destination=destination, type="tmpfs"))


def test_order_and_causes_are_the_configs() -> None:
    steps = plan(
        Mount(destination="/b", type="tmpfs"),
        Mount(destination="/a", type="proc"),
        Mount(destination="/a/c", type="bind", source="/s"),
    )
    assert [step.destination for step in steps] == ["/b", "/a", "/a/c"]
    assert [step.config for step in steps] == ["mounts[0]", "mounts[1]", "mounts[2]"]
