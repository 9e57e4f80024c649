"""config.md, Linux mount options: one statement for each that is a MUST, or that is claimed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from pathlib import Path

    from conformance.spec.case import Case
    from conformance.spec.report import Mount

# option -> (options of a tmpfs, words that its mountinfo line then has, words that it has not).
# An option that takes something back is preceded by what it takes back. `norelatime`, `iversion`
# and such leave no trace: they must be accepted.
FLAGS: dict[str, tuple[tuple[str, ...], set[str], set[str]]] = {
    "async": (("sync", "async"), set(), {"sync"}),
    "atime": (("noatime", "atime"), set(), {"noatime"}),
    "defaults": (("defaults",), {"rw"}, {"ro", "nosuid", "nodev", "noexec"}),
    "dev": (("nodev", "dev"), set(), {"nodev"}),
    "diratime": (("nodiratime", "diratime"), set(), {"nodiratime"}),
    "dirsync": (("dirsync",), {"dirsync"}, set()),
    "exec": (("noexec", "exec"), set(), {"noexec"}),
    "iversion": (("iversion",), set(), set()),
    "lazytime": (("lazytime",), {"lazytime"}, set()),
    "loud": (("silent", "loud"), set(), set()),
    "noatime": (("noatime",), {"noatime"}, {"relatime"}),
    "nodev": (("nodev",), {"nodev"}, set()),
    "nodiratime": (("nodiratime",), {"nodiratime"}, set()),
    "noexec": (("noexec",), {"noexec"}, set()),
    "noiversion": (("iversion", "noiversion"), set(), set()),
    "nolazytime": (("lazytime", "nolazytime"), set(), {"lazytime"}),
    "norelatime": (("norelatime",), set(), {"noatime"}),
    "nostrictatime": (("strictatime", "nostrictatime"), {"relatime"}, set()),
    "nosuid": (("nosuid",), {"nosuid"}, set()),
    "relatime": (("relatime",), {"relatime"}, {"noatime"}),
    "ro": (("ro",), {"ro"}, {"rw"}),
    "rw": (("ro", "rw"), {"rw"}, {"ro"}),
    "silent": (("silent",), set(), set()),
    "strictatime": (("strictatime",), set(), {"relatime", "noatime"}),
    "suid": (("nosuid", "suid"), set(), {"nosuid"}),
    "sync": (("sync",), {"sync"}, set()),
}


def words_of(mount: Mount) -> set[str]:
    """The words of a mount and, where they do not contradict it, those of its file system."""
    return set(mount.options | (mount.super_options - {"rw", "ro"}))


def check_words(mount: Mount, wanted: set[str], unwanted: set[str]) -> None:
    """Fails the statement unless the mount has the one and lacks the other."""
    seen = words_of(mount)
    expect(wanted <= seen, f"{mount.point} lacks {sorted(wanted - seen)}, has {sorted(seen)}")
    expect(not unwanted & seen, f"{mount.point} has {sorted(unwanted & seen)}")


def flag(name: str, options: tuple[str, ...], wanted: set[str], unwanted: set[str]) -> None:
    @statement(f"config.md/linux-mount-options/{name}", f"the mount option {name}")
    def check(case: Case) -> None:
        bundle = case.bundle()
        bundle.mount("/mnt", "tmpfs", "tmpfs", *options)
        check_words(case.observe(bundle).mount_at("/mnt"), wanted, unwanted)


for flag_name, (flag_options, flag_wanted, flag_unwanted) in FLAGS.items():
    flag(flag_name, flag_options, flag_wanted, flag_unwanted)


@statement("config.md/linux-mount-options/remount", "the mount option remount")
def remount(case: Case) -> None:
    bundle = case.bundle()
    bundle.mount("/mnt", "tmpfs", "tmpfs", "nosuid")
    bundle.mount("/mnt", "tmpfs", "tmpfs", "remount", "ro", "nosuid")
    report = case.observe(bundle)
    check_words(report.mount_at("/mnt"), {"ro"}, {"rw"})
    expect_equal(sum(m.point == "/mnt" for m in report.mounts), 1, "the number of mounts at /mnt")


def mounted_tree(case: Case) -> Path:
    """A directory on the host with a mount at its top and one below."""
    tree = case.directory / "tree"
    case.mount_tmpfs(tree)
    case.mount_tmpfs(tree / "below")
    return tree


@statement(
    "config.md/linux-mount-options/bind", "the mount option bind: without what is mounted below"
)
def bind(case: Case) -> None:
    bundle = case.bundle()
    bundle.bind(mounted_tree(case), "/mnt", "bind")
    report = case.observe(bundle)
    report.mount_at("/mnt")
    below = any(m.point == "/mnt/below" for m in report.mounts)
    expect(not below, "the mount below came along")


@statement(
    "config.md/linux-mount-options/rbind", "the mount option rbind: with what is mounted below"
)
def rbind(case: Case) -> None:
    bundle = case.bundle()
    bundle.bind(mounted_tree(case), "/mnt", "rbind")
    case.observe(bundle).mount_at("/mnt/below")


@statement("config.md/linux-mount-options/bind-ro", "ro beside bind makes the bind mount read-only")
def bind_read_only(case: Case) -> None:
    bundle = case.bundle()
    tree = mounted_tree(case)
    bundle.bind(tree, "/mnt", "bind", "ro", "nosuid", "nodev", "noexec")
    check_words(case.observe(bundle).mount_at("/mnt"), {"ro", "nosuid", "nodev", "noexec"}, {"rw"})
    (tree / "writable").touch()


# option -> what mountinfo's optional fields then hold; on the host the tree's mounts are shared
PROPAGATION: dict[str, set[str]] = {
    "private": set(),
    "slave": {"master"},
    "shared": {"shared"},
    "unbindable": {"unbindable"},
}


def propagation(name: str, wanted: set[str], points: tuple[str, ...]) -> None:
    @statement(f"config.md/linux-mount-options/{name}", f"the mount option {name}")
    def check(case: Case) -> None:
        bundle = case.bundle()
        bundle.bind(mounted_tree(case), "/mnt", "rbind", name)
        report = case.observe(bundle)
        for point in points:
            fields = {word.split(":")[0] for word in report.mount_at(point).propagation}
            seen = fields & {"shared", "master", "unbindable"}
            expect(wanted <= seen, f"{point} is {sorted(seen) or 'private'} with {name}")
            if name.endswith(("private", "unbindable")):
                expect_equal(seen, wanted, f"the propagation of {point}")


for word, fields in PROPAGATION.items():
    propagation(word, fields, ("/mnt",))
    # An unbindable mount below another is still there, since it was made so after the bind.
    propagation(f"r{word}", fields, ("/mnt", "/mnt/below"))


# recursive option -> (preceded by, words that every mount of the tree then has, has not)
RECURSIVE: dict[str, tuple[tuple[str, ...], set[str], set[str]]] = {
    "rro": ((), {"ro"}, {"rw"}),
    "rrw": (("ro",), {"rw"}, {"ro"}),
    "rnosuid": ((), {"nosuid"}, set()),
    "rsuid": (("nosuid",), set(), {"nosuid"}),
    "rnodev": ((), {"nodev"}, set()),
    "rdev": (("nodev",), set(), {"nodev"}),
    "rnoexec": ((), {"noexec"}, set()),
    "rexec": (("noexec",), set(), {"noexec"}),
    "rnoatime": ((), {"noatime"}, {"relatime"}),
    "ratime": (("noatime",), set(), {"noatime"}),
    "rnodiratime": ((), {"nodiratime"}, set()),
    "rdiratime": (("nodiratime",), set(), {"nodiratime"}),
    "rrelatime": ((), {"relatime"}, {"noatime"}),
    "rstrictatime": ((), set(), {"relatime", "noatime"}),
    "rnosymfollow": ((), {"nosymfollow"}, set()),
    "rsymfollow": (("nosymfollow",), set(), {"nosymfollow"}),
}


def recursive(name: str, before: tuple[str, ...], wanted: set[str], unwanted: set[str]) -> None:
    @statement(
        f"config.md/linux-mount-options/{name}", f"the claimed mount option {name}", level="CLAIMED"
    )
    def check(case: Case) -> None:
        case.claims("mountOptions", member=name)
        bundle = case.bundle()
        bundle.bind(mounted_tree(case), "/mnt", "rbind", *before, name)
        report = case.observe(bundle)
        for point in ("/mnt", "/mnt/below"):
            check_words(report.mount_at(point), wanted, unwanted)


for option, (earlier, with_words, without_words) in RECURSIVE.items():
    recursive(option, earlier, with_words, without_words)


@statement(
    "config.md/linux-mount-options/nosymfollow", "the claimed option nosymfollow", level="CLAIMED"
)
def nosymfollow(case: Case) -> None:
    case.claims("mountOptions", member="nosymfollow")
    bundle = case.bundle()
    bundle.mount("/mnt", "tmpfs", "tmpfs", "nosymfollow")
    check_words(case.observe(bundle).mount_at("/mnt"), {"nosymfollow"}, set())


@statement(
    "config.md/linux-mount-options/tmpcopyup", "the claimed option tmpcopyup", level="CLAIMED"
)
def tmpcopyup(case: Case) -> None:
    case.claims("mountOptions", member="tmpcopyup")
    bundle = case.bundle()
    (bundle.rootfs / "etc/file").write_text("copied", encoding="ascii")
    bundle.mount("/etc", "tmpfs", "tmpfs", "tmpcopyup")
    report = case.observe(bundle, "read=/etc/file")
    expect_equal(report.mount_at("/etc").kind, "tmpfs", "what is mounted at /etc")
    expect_equal(report.succeeded("read", "/etc/file")["data"], "copied", "the copied file")
