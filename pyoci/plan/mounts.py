"""mounts[] -> steps: the table of option words and the rules of each kind of mount.

config.md, "Mounts" and "Linux mount options".
"""

from __future__ import annotations

from pyoci.errors import ConfigError
from pyoci.linux import consts as c
from pyoci.paths import absolute, clean
from pyoci.plan.rootfs_steps import BindMount, ChangeMount, MountFilesystem, ReadonlyMount

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from pyoci.spec.model import Mount as SpecMount

_ATIME = c.MOUNT_ATTR__ATIME

# word: (set, clear). Of access times there is one setting, and relatime is the one without a bit:
# a word that only takes a setting away leads back to it.
ATTRIBUTES = {
    "ro": (c.MOUNT_ATTR_RDONLY, 0),
    "rw": (0, c.MOUNT_ATTR_RDONLY),
    "nosuid": (c.MOUNT_ATTR_NOSUID, 0),
    "suid": (0, c.MOUNT_ATTR_NOSUID),
    "nodev": (c.MOUNT_ATTR_NODEV, 0),
    "dev": (0, c.MOUNT_ATTR_NODEV),
    "noexec": (c.MOUNT_ATTR_NOEXEC, 0),
    "exec": (0, c.MOUNT_ATTR_NOEXEC),
    "nodiratime": (c.MOUNT_ATTR_NODIRATIME, 0),
    "diratime": (0, c.MOUNT_ATTR_NODIRATIME),
    "relatime": (c.MOUNT_ATTR_RELATIME, _ATIME),
    "norelatime": (0, c.MOUNT_ATTR_RELATIME),
    "noatime": (c.MOUNT_ATTR_NOATIME, _ATIME),
    "atime": (0, c.MOUNT_ATTR_NOATIME),
    "strictatime": (c.MOUNT_ATTR_STRICTATIME, _ATIME),
    "nostrictatime": (0, c.MOUNT_ATTR_STRICTATIME),
    "nosymfollow": (c.MOUNT_ATTR_NOSYMFOLLOW, 0),
    "symfollow": (0, c.MOUNT_ATTR_NOSYMFOLLOW),
}
PROPAGATION = {
    "private": c.MS_PRIVATE,
    "shared": c.MS_SHARED,
    "slave": c.MS_SLAVE,
    "unbindable": c.MS_UNBINDABLE,
    "rprivate": c.MS_PRIVATE | c.MS_REC,
    "rshared": c.MS_SHARED | c.MS_REC,
    "rslave": c.MS_SLAVE | c.MS_REC,
    "runbindable": c.MS_UNBINDABLE | c.MS_REC,
}
# Options of the superblock that fsconfig(2) knows for every filesystem: the flags of mount(2) that
# each of them sets and clears.
SUPERBLOCK = {
    "sync": (c.MS_SYNCHRONOUS, 0),
    "async": (0, c.MS_SYNCHRONOUS),
    "dirsync": (c.MS_DIRSYNC, 0),
    "mand": (c.MS_MANDLOCK, 0),
    "nomand": (0, c.MS_MANDLOCK),
    "lazytime": (c.MS_LAZYTIME, 0),
    "nolazytime": (0, c.MS_LAZYTIME),
}
# Words of mount(8) that ask for what is so anyway, or that the kernel does not know (any more).
NO_EFFECT = ("defaults", "acl", "noacl", "silent", "loud", "iversion", "noiversion")
# Options that SELinux takes for any filesystem, in quotes where they go to mount(2).
CONTEXTS = ("context", "fscontext", "defcontext", "rootcontext")
# One superblock serves many mounts of these: a read-only one must not make the others so.
SHARED_SUPERBLOCK = (
    "proc",
    "sysfs",
    "cgroup2",
    "mqueue",
    "bpf",
    "debugfs",
    "tracefs",
    "securityfs",
)


class Words:
    """The options of one mount, sorted into what they ask for."""

    def __init__(self, options: tuple[str, ...]) -> None:
        """Read the words in order; a later one overrides an earlier one."""
        self.attr_set = self.attr_clr = self.recursive_set = self.recursive_clr = 0
        self.propagations: tuple[int, ...] = ()
        self.superblock: list[str] = []
        self.data: list[str] = []
        self.flags: set[str] = set()
        for word in options:
            self._take(word)

    def _take(self, word: str) -> None:
        if word in ATTRIBUTES:
            self.attr_set, self.attr_clr = _change(self.attr_set, self.attr_clr, word)
        elif word[:1] == "r" and word[1:] in ATTRIBUTES:
            self.recursive_set, self.recursive_clr = _change(
                self.recursive_set, self.recursive_clr, word[1:]
            )
        elif word in PROPAGATION:
            self.propagations += (PROPAGATION[word],)
        elif word in SUPERBLOCK:
            self.superblock.append(word)
        elif word in FLAGS:
            self.flags.add(word)
        elif word and word not in NO_EFFECT:
            self.data.append(word)


FLAGS = (
    "bind",
    "rbind",
    "tmpcopyup",
    "copy-symlink",
    "dest-nofollow",
    "src-nofollow",
    "idmap",
    "ridmap",
    "remount",
)


def _change(attr_set: int, attr_clr: int, word: str) -> tuple[int, int]:
    on, off = ATTRIBUTES[word]
    if off & _ATIME:  # mount_setattr(2) clears all of these bits or none
        attr_clr |= _ATIME
    return attr_set & ~off | on, attr_clr & ~on | off


def known_options() -> tuple[str, ...]:
    """Every option word that pyoci itself acts on, sorted (features.md, mountOptions)."""
    words = {*ATTRIBUTES, *PROPAGATION, *SUPERBLOCK, *NO_EFFECT, *FLAGS}
    words |= {f"r{word}" for word in ATTRIBUTES}
    return tuple(sorted(words))


class MountContext:
    """What plan_mounts needs beyond the mounts themselves."""

    def __init__(
        self,
        bundle: str,
        cgroup_path: str,
        *,
        own_cgroup_namespace: bool,
        privileged: bool = True,
    ) -> None:
        """Take the bundle, and the host path of the container's cgroup (empty: it has none)."""
        self.privileged = privileged
        self.bundle = bundle
        self.cgroup_path = cgroup_path
        self.own_cgroup_namespace = own_cgroup_namespace


def plan_mounts(
    mounts: tuple[SpecMount, ...], context: MountContext
) -> tuple[list[MountFilesystem | BindMount | ChangeMount], list[ReadonlyMount], list[str]]:
    """The mount steps in the config's order, the read-only ones for later, and warnings."""
    steps: list[MountFilesystem | BindMount | ChangeMount] = []
    later: list[ReadonlyMount] = []
    warnings: list[str] = []
    for index, mount in enumerate(mounts):
        path = f"mounts[{index}]"
        words = Words(mount.options)
        _check(mount, words, path)
        where = destination(mount)
        if "remount" not in words.flags or words.attr_clr & c.MOUNT_ATTR_RDONLY:
            # An earlier tmpfs of this place is covered now, or is to be writable again.
            later = [step for step in later if step.destination != where]
        if "remount" in words.flags:
            if words.data or words.superblock:
                ignored = words.data + words.superblock
                warnings.append(f"{path}.options: remount changes attributes only, not {ignored}")
            steps.append(ChangeMount(**_common(mount, words, path)))
            continue
        if is_bind(mount):
            if words.data:
                warnings.append(f"{path}.options: a bind mount has no use for {words.data}")
            steps.append(_bind(mount, words, path, context))
        elif mount.type in ("cgroup", "cgroup2"):
            steps.append(_cgroup(mount, words, path, context))
        else:
            # What is mounted below a tmpfs needs a directory made in it first.
            if mount.type == "tmpfs" and words.attr_set & c.MOUNT_ATTR_RDONLY:
                words.attr_set &= ~c.MOUNT_ATTR_RDONLY
                later.append(ReadonlyMount(destination=where, config=path))
            steps.append(_filesystem(mount, words, path))
    return steps, later, warnings


def is_bind(mount: SpecMount) -> bool:
    """Whether this is a bind mount, by type or by option."""
    return mount.type == "bind" or "bind" in mount.options or "rbind" in mount.options


def destination(mount: SpecMount) -> str:
    """The container path, absolute and without `.` and `..`; relative ones start at `/`."""
    return clean(mount.destination)


def _check(mount: SpecMount, words: Words, path: str) -> None:
    for word in words.data:
        if word.startswith(("idmap=", "ridmap=")):  # crun's own way
            raise ConfigError(f"{path}.options", f"{word}: write uidMappings and gidMappings")
    if mount.uid_mappings or words.flags & {"idmap", "ridmap"}:
        from pyoci.plan.sources import check_id_mapped

        check_id_mapped(mount, path, bind=is_bind(mount) and "remount" not in words.flags)
    where = destination(mount)
    if where == "/":
        raise ConfigError(f"{path}.destination", "cannot mount over the root of the container")


def _common(mount: SpecMount, words: Words, path: str) -> dict[str, Any]:
    return {
        "config": path,
        "destination": destination(mount),
        "attr_set": words.attr_set,
        "attr_clr": words.attr_clr,
        "recursive_set": words.recursive_set,
        "recursive_clr": words.recursive_clr,
        "propagations": words.propagations,
        "follow_destination": "dest-nofollow" not in words.flags,
    }


def _bind(mount: SpecMount, words: Words, path: str, context: MountContext) -> BindMount:
    if not mount.source:
        raise ConfigError(f"{path}.source", "a bind mount needs a source")
    return BindMount(
        **_common(mount, words, path),
        source=absolute(mount.source, context.bundle),
        recursive="bind" not in words.flags or "rbind" in words.flags,
        follow_source="src-nofollow" not in words.flags,
        copy_symlink="copy-symlink" in words.flags,
    )


def _cgroup(
    mount: SpecMount, words: Words, path: str, context: MountContext
) -> MountFilesystem | BindMount:
    # runc and crun always add these.
    words.attr_set |= c.MOUNT_ATTR_NOSUID | c.MOUNT_ATTR_NODEV | c.MOUNT_ATTR_NOEXEC
    if context.own_cgroup_namespace:
        return MountFilesystem(**_common(mount, words, path), type="cgroup2", source="cgroup")
    if not context.cgroup_path:
        # What the host has there stays out of sight: it may be the user's to change.
        cover = (("size", "0"), ("nr_inodes", "1"), ("mode", "0755"), ("ro", None))
        words.attr_set |= c.MOUNT_ATTR_RDONLY
        return MountFilesystem(
            **_common(mount, words, path), type="tmpfs", source="tmpfs", parameters=cover
        )
    if not context.privileged:
        # The directory is the user's, who is root in there: he could lift his own limits.
        words.attr_set |= c.MOUNT_ATTR_RDONLY
        words.attr_clr &= ~c.MOUNT_ATTR_RDONLY
    return BindMount(**_common(mount, words, path), source=context.cgroup_path, recursive=False)


def _filesystem(mount: SpecMount, words: Words, path: str) -> MountFilesystem:
    if not mount.type:
        raise ConfigError(f"{path}.type", "a mount that is no bind mount needs a type")
    parameters: list[tuple[str, str | None]] = [(word, None) for word in words.superblock]
    if words.attr_set & c.MOUNT_ATTR_RDONLY and mount.type not in SHARED_SUPERBLOCK:
        parameters.append(("ro", None))
    for word in split_data(words.data):
        key, equals, value = word.partition("=")
        if key in CONTEXTS:
            value = value.strip('"')
        parameters.append((key, value if equals else None))
    return MountFilesystem(
        **_common(mount, words, path),
        type=mount.type,
        source=mount.source or mount.type,
        parameters=tuple(parameters),
        copy_up="tmpcopyup" in words.flags and mount.type == "tmpfs",
    )


def split_data(words: list[str]) -> list[str]:
    """The filesystem's own options, one by one; a word may hold several, as data of mount(2) does.

    A comma after a backslash belongs to the value (overlayfs), one in quotes to an SELinux context.
    """
    parts: list[str] = []
    for part in ",".join(words).replace("\\,", "\0").split(","):
        if parts and _is_open(parts[-1]):
            parts[-1] += f",{part}"
        elif part:
            parts.append(part)
    return [part.replace("\0", "\\,") for part in parts]


def _is_open(word: str) -> bool:
    """Whether an option's value has a quote that is still to be closed."""
    key, _, value = word.partition("=")
    return key in CONTEXTS and value.count('"') == 1
