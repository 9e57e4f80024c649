"""mounts[].options: every word that pyoci knows, against what the kernel then says of the mount.

config.md, "Linux mount options"; the words of mount(8) and of mount_setattr(2).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pyoci.plan.mounts import ATTRIBUTES, PROPAGATION, known_options
from tests.support.containers import Config, MakeContainer
from tests.support.mounts import MOUNTINFO, mount_at, parse_mountinfo, run_in_namespace

FLAGS = {"ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "nosymfollow"}

# Options of one mount, in order, and what mountinfo then says of it. Without a word on access
# times the kernel takes relatime; that none is told means strictatime.
ATTRIBUTE_WORDS: dict[str, str] = {
    "": "relatime",
    "defaults": "relatime",
    "ro": "ro relatime",
    "rw": "relatime",
    "ro rw": "relatime",
    "rw ro": "ro relatime",
    "nosuid": "nosuid relatime",
    "suid": "relatime",
    "nosuid suid": "relatime",
    "suid nosuid": "nosuid relatime",
    "nodev": "nodev relatime",
    "dev": "relatime",
    "nodev dev": "relatime",
    "dev nodev": "nodev relatime",
    "noexec": "noexec relatime",
    "exec": "relatime",
    "noexec exec": "relatime",
    "exec noexec": "noexec relatime",
    "nodiratime": "nodiratime relatime",
    "diratime": "relatime",
    "nodiratime diratime": "relatime",
    "diratime nodiratime": "nodiratime relatime",
    "noatime": "noatime",
    "atime": "relatime",
    "relatime": "relatime",
    "norelatime": "relatime",
    "strictatime": "",
    "nostrictatime": "relatime",
    "noatime atime": "relatime",
    "noatime relatime": "relatime",
    "noatime strictatime": "",
    "noatime nodiratime": "noatime nodiratime",
    "nodiratime strictatime": "nodiratime",
    "relatime noatime": "noatime",
    "strictatime relatime": "relatime",
    "strictatime noatime": "noatime",
    "strictatime atime": "",
    "strictatime norelatime": "",
    "noatime norelatime": "noatime",
    "noatime nostrictatime": "noatime",
    "strictatime nostrictatime": "relatime",
    "nosymfollow": "nosymfollow relatime",
    "symfollow": "relatime",
    "nosymfollow symfollow": "relatime",
    "symfollow nosymfollow": "nosymfollow relatime",
    "ro nosuid nodev noexec noatime": "ro nosuid nodev noexec noatime",
}
# Words of the superblock, and what its options then say. The kernel ignores mand since 5.15.
SUPERBLOCK_WORDS: dict[str, str] = {
    "sync": "sync",
    "async": "",
    "sync async": "",
    "dirsync": "dirsync",
    "lazytime": "lazytime",
    "nolazytime": "",
    "lazytime nolazytime": "",
    "nomand": "",
    "iversion": "",
    "noiversion": "",
    "silent": "",
    "loud": "",
    "acl": "",
    "noacl": "",
}
# What a bind of a mount with these attributes is made of it: (the source's, the options, ours).
BIND_WORDS: dict[tuple[str, str], str] = {
    ("ro,nosuid,nodev,noexec,noatime", ""): "ro nosuid nodev noexec noatime",
    ("ro,nosuid,nodev,noexec,noatime", "rw"): "nosuid nodev noexec noatime",
    ("ro,nosuid,nodev,noexec,noatime", "suid"): "ro nodev noexec noatime",
    ("ro,nosuid,nodev,noexec,noatime", "dev"): "ro nosuid noexec noatime",
    ("ro,nosuid,nodev,noexec,noatime", "exec"): "ro nosuid nodev noatime",
    ("ro,nosuid,nodev,noexec,noatime", "atime"): "ro nosuid nodev noexec relatime",
    ("ro,nosuid,nodev,noexec,noatime", "strictatime"): "ro nosuid nodev noexec",
    ("nodiratime", "diratime"): "relatime",
    ("nosymfollow", "symfollow"): "relatime",
    ("noatime", "relatime"): "relatime",
    ("strictatime", "noatime"): "noatime",
    ("strictatime", "ro"): "ro",
    ("relatime", "strictatime"): "",
    ("relatime", "ro rw noatime nodiratime"): "noatime nodiratime",
}
# Recursive words on a tree whose upper mount is relatime, the lower one ro,nosuid,noatime.
RECURSIVE_WORDS: dict[str, tuple[str, str]] = {
    "": ("relatime", "ro nosuid noatime"),
    "ro": ("ro relatime", "ro nosuid noatime"),
    "rro": ("ro relatime", "ro nosuid noatime"),
    "rrw": ("relatime", "nosuid noatime"),
    "ro rrw": ("relatime", "nosuid noatime"),
    "rnosuid": ("nosuid relatime", "ro nosuid noatime"),
    "rsuid": ("relatime", "ro noatime"),
    "rnodev": ("nodev relatime", "ro nosuid nodev noatime"),
    "rnodev rdev": ("relatime", "ro nosuid noatime"),
    "rdev": ("relatime", "ro nosuid noatime"),
    "rnoexec": ("noexec relatime", "ro nosuid noexec noatime"),
    "rexec": ("relatime", "ro nosuid noatime"),
    "rnodiratime": ("nodiratime relatime", "ro nosuid noatime nodiratime"),
    "rdiratime": ("relatime", "ro nosuid noatime"),
    "rnoatime": ("noatime", "ro nosuid noatime"),
    "ratime": ("relatime", "ro nosuid relatime"),
    "rrelatime": ("relatime", "ro nosuid relatime"),
    "rnorelatime": ("relatime", "ro nosuid noatime"),
    "rstrictatime": ("", "ro nosuid"),
    "rnostrictatime": ("relatime", "ro nosuid relatime"),
    "rnosymfollow": ("nosymfollow relatime", "ro nosuid noatime nosymfollow"),
    "rsymfollow": ("relatime", "ro nosuid noatime"),
    "rro rnoatime": ("ro noatime", "ro nosuid noatime"),
}
PROPAGATIONS = {
    "": ([], []),
    "private": ([], ["master"]),
    "rprivate": ([], []),
    "shared": (["master", "shared"], ["master"]),
    "rshared": (["master", "shared"], ["master", "shared"]),
    "slave": (["master"], ["master"]),
    "rslave": (["master"], ["master"]),
    "unbindable": (["unbindable"], ["master"]),
    "runbindable": (["unbindable"], ["unbindable"]),
    "rprivate shared": (["shared"], []),
    "rslave rshared": (["master", "shared"], ["master", "shared"]),
}


def add_mounts(config: Config, mounts: list[dict[str, Any]]) -> None:
    config["mounts"] += mounts


def test_attributes_of_a_new_filesystem(container: MakeContainer) -> None:
    words = list(ATTRIBUTE_WORDS)
    mounts = [
        {"destination": f"/m/{n}", "type": "tmpfs", "source": "none", "options": text.split()}
        for n, text in enumerate(words)
    ]
    c = container(
        "cat", MOUNTINFO, root={"readonly": False}, mutate=lambda k: add_mounts(k, mounts)
    )
    found = parse_mountinfo(c.run().ok().stdout)
    said = {text: set(mount_at(found, f"/m/{n}").options & FLAGS) for n, text in enumerate(words)}
    assert said == {text: set(flags.split()) for text, flags in ATTRIBUTE_WORDS.items()}
    assert {word for text in words for word in text.split()} >= ATTRIBUTES.keys()


def test_options_of_a_superblock(container: MakeContainer) -> None:
    words = list(SUPERBLOCK_WORDS)
    mounts = [
        {"destination": f"/m/{n}", "type": "tmpfs", "source": "none", "options": text.split()}
        for n, text in enumerate(words)
    ]
    c = container(
        "cat", MOUNTINFO, root={"readonly": False}, mutate=lambda k: add_mounts(k, mounts)
    )
    found = parse_mountinfo(c.run().ok().stdout)
    asked = {"sync", "dirsync", "lazytime", "mand"}
    said = {
        text: set(mount_at(found, f"/m/{n}").superblock & asked) for n, text in enumerate(words)
    }
    assert said == {text: set(flags.split()) for text, flags in SUPERBLOCK_WORDS.items()}


def test_a_bind_mount_keeps_the_attributes_of_its_source_but_for_those_named(
    container: MakeContainer, tmp_path: Path
) -> None:
    cases = list(BIND_WORDS)
    mounts, script = [], []
    for n, (source, options) in enumerate(cases):
        path = tmp_path / f"source-{n}"
        path.mkdir()
        script += [f"mount -t tmpfs -o '{source}' none '{path}'"]
        words = ["rbind", *options.split()]
        mounts += [
            {"destination": f"/m/{n}", "type": "none", "source": str(path), "options": words}
        ]
    c = container(
        "cat", MOUNTINFO, root={"readonly": False}, mutate=lambda k: add_mounts(k, mounts)
    )
    found = parse_mountinfo(run_in_namespace(c, "\n".join(script)).ok().stdout)
    said = {case: set(mount_at(found, f"/m/{n}").options & FLAGS) for n, case in enumerate(cases)}
    assert said == {case: set(flags.split()) for case, flags in BIND_WORDS.items()}


def make_tree(path: Path, upper: str, lower: str) -> str:
    """A shell script that mounts a tmpfs on the path, and another one in it."""
    path.mkdir()
    return (
        f"mount -t tmpfs -o '{upper}' none '{path}'; mkdir '{path}/below'\n"
        f"mount -t tmpfs -o '{lower}' none '{path}/below'"
    )


def test_recursive_words_reach_the_mounts_below(container: MakeContainer, tmp_path: Path) -> None:
    words = list(RECURSIVE_WORDS)
    sources = [tmp_path / f"tree-{n}" for n in range(len(words))]
    mounts = [
        {
            "destination": f"/m/{n}",
            "type": "bind",
            "source": str(sources[n]),
            "options": ["rbind", *text.split()],
        }
        for n, text in enumerate(words)
    ]
    script = "\n".join([make_tree(path, "rw", "ro,nosuid,noatime") for path in sources])
    c = container(
        "cat", MOUNTINFO, root={"readonly": False}, mutate=lambda k: add_mounts(k, mounts)
    )
    found = parse_mountinfo(run_in_namespace(c, script).ok().stdout)
    said = {
        text: (
            set(mount_at(found, f"/m/{n}").options & FLAGS),
            set(mount_at(found, f"/m/{n}/below").options & FLAGS),
        )
        for n, text in enumerate(words)
    }
    wanted = {text: (set(a.split()), set(b.split())) for text, (a, b) in RECURSIVE_WORDS.items()}
    assert said == wanted
    named = {word[1:] for text in words for word in text.split() if word != "ro"}
    assert named >= ATTRIBUTES.keys()


def test_a_bind_without_recursion_leaves_the_mounts_below_out(
    container: MakeContainer, tmp_path: Path
) -> None:
    mounts = [
        {"destination": f"/m/{word}", "source": str(tmp_path / "tree"), "options": words}
        for word, words in {"bind": ["bind"], "rbind": ["rbind"], "both": ["bind", "rbind"]}.items()
    ]
    c = container(
        "cat", MOUNTINFO, root={"readonly": False}, mutate=lambda k: add_mounts(k, mounts)
    )
    script = make_tree(tmp_path / "tree", "rw", "rw")
    points = {m.point for m in parse_mountinfo(run_in_namespace(c, script).ok().stdout)}
    below = {point for point in points if point.startswith("/m/")}
    assert below == {"/m/bind", "/m/rbind", "/m/rbind/below", "/m/both", "/m/both/below"}


def test_remount_changes_what_is_there(container: MakeContainer, tmp_path: Path) -> None:
    (tmp_path / "volume").mkdir()
    mounts: list[dict[str, Any]] = [
        {"destination": "/m/new", "type": "tmpfs", "options": ["nosuid", "noatime"]},
        {"destination": "/m/new", "options": ["remount", "ro", "suid", "nodev"]},
        {"destination": "/m/bind", "source": f"{tmp_path}/volume", "options": ["rbind", "ro"]},
        {"destination": "/m/bind", "options": ["bind", "remount", "rw", "noexec", "shared"]},
        {"destination": "/m/late", "type": "tmpfs", "options": ["ro"]},
        {"destination": "/m/late", "options": ["remount", "rw"]},
        {"destination": "/sys/fs/cgroup", "options": ["remount", "rw"]},
        {"destination": "/home", "options": ["remount", "ro"]},
    ]
    c = container(
        "cat", MOUNTINFO, root={"readonly": False}, mutate=lambda k: add_mounts(k, mounts)
    )
    found = parse_mountinfo(run_in_namespace(c, "mount -t tmpfs h $B/rootfs/home").ok().stdout)
    said = {m.point: set(m.options & {"rw", *FLAGS}) for m in found}
    assert said["/m/new"] == {"ro", "nodev", "noatime"}
    assert said["/m/bind"] == {"rw", "noexec", "relatime"}
    assert mount_at(found, "/m/bind").propagation == {"shared"}
    assert said["/m/late"] == {"rw", "relatime"}
    assert said["/sys/fs/cgroup"] == {"rw", "nosuid", "nodev", "noexec", "relatime"}
    assert said["/home"] == {"ro", "relatime"}


@pytest.mark.parametrize("place", ["/etc", "/no/such"])
def test_remount_of_what_is_no_mount(container: MakeContainer, place: str) -> None:
    mount = {"destination": place, "options": ["remount", "ro"]}
    c = container("true", mutate=lambda k: add_mounts(k, [mount]))
    c.run().failed("mounts[7]", "EINVAL" if place == "/etc" else "ENOENT")
    c.assert_gone()
    assert not (c.bundle.rootfs / "no").exists()


def test_propagation_words(container: MakeContainer, tmp_path: Path) -> None:
    words = list(PROPAGATIONS)
    mounts = [
        {
            "destination": f"/m/{n}",
            "source": str(tmp_path / f"tree-{n}"),
            "options": ["rbind", *text.split()],
        }
        for n, text in enumerate(words)
    ]
    # The host's mounts are shared, so that what the container has of them are slaves.
    script = "\n".join([make_tree(tmp_path / f"tree-{n}", "rw", "rw") for n in range(len(words))])
    c = container(
        "cat", MOUNTINFO, root={"readonly": False}, mutate=lambda k: add_mounts(k, mounts)
    )
    done = run_in_namespace(c, f"mount --make-rshared /\n{script}").ok()
    found = parse_mountinfo(done.stdout)
    said = {
        text: (
            sorted(mount_at(found, f"/m/{n}").propagation),
            sorted(mount_at(found, f"/m/{n}/below").propagation),
        )
        for n, text in enumerate(words)
        if text
    }
    assert said == {text: wanted for text, wanted in PROPAGATIONS.items() if text}
    assert {word for text in words for word in text.split()} >= PROPAGATION.keys()
    assert mount_at(found, "/m/0").propagation == {"master"}


def test_propagation_of_mounts_in_one_that_is_shared(
    container: MakeContainer, tmp_path: Path
) -> None:
    (tmp_path / "volume").mkdir()
    mounts: list[dict[str, Any]] = [
        {"destination": "/m", "type": "tmpfs", "options": ["rshared"]},
        {"destination": "/m/u", "type": "tmpfs", "options": ["unbindable"]},
        {"destination": "/m/u/below", "type": "tmpfs"},
        {
            "destination": "/m/v",
            "source": f"{tmp_path}/volume",
            "options": ["rbind", "runbindable"],
        },
        {"destination": "/m/p", "type": "tmpfs", "options": ["rprivate"]},
        {"destination": "/m/inherits", "type": "tmpfs"},
    ]
    c = container(
        "cat", MOUNTINFO, root={"readonly": False}, mutate=lambda k: add_mounts(k, mounts)
    )
    found = parse_mountinfo(c.run().ok().stdout)
    said = {m.point: sorted(m.propagation) for m in found if m.point.startswith("/m")}
    assert said == {
        "/m": ["shared"],
        "/m/u": ["unbindable"],
        "/m/u/below": [],
        "/m/v": ["unbindable"],
        "/m/p": [],
        "/m/inherits": ["shared"],
    }


def test_the_words_of_all_tables_are_all_that_there_are(container: MakeContainer) -> None:
    tested = {w for text in ATTRIBUTE_WORDS for w in text.split()}
    tested |= {w for text in SUPERBLOCK_WORDS for w in text.split()}
    tested |= {w for text in RECURSIVE_WORDS for w in text.split()}
    tested |= {w for text in PROPAGATIONS for w in text.split()}
    elsewhere = {"bind", "rbind", "remount", "tmpcopyup", "idmap", "ridmap"}
    elsewhere |= {"copy-symlink", "dest-nofollow", "src-nofollow"}
    refused = {"mand"}
    assert set(known_options()) - tested - elsewhere - refused == set()
