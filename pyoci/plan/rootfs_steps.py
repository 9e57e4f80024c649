"""The steps that build the container's filesystem, carried out by init.

Destinations are paths inside the container, resolved when a step is carried out.
"""

from __future__ import annotations

from pyoci.plan.steps import Step


class RootfsStep(Step):
    """The base of what init does to the container's filesystem."""


class SetPropagation(RootfsStep):
    """Set the propagation of all mounts of the new mount namespace; MS_ flags."""

    flags: int


class BindRootfs(RootfsStep):
    """Make the rootfs a mount (unless not `bind`); if `shared` its place propagates to the host.

    `opened` here and in BindMount: it takes the source that OpenSource has opened.
    """

    path: str
    bind: bool = True
    shared: bool = False
    opened: bool = False


class Mount(RootfsStep):
    """The part that all mounts share: attributes are MOUNT_ATTR_ flags, propagation MS_ flags."""

    destination: str
    attr_set: int = 0
    attr_clr: int = 0
    recursive_set: int = 0
    recursive_clr: int = 0
    propagations: tuple[int, ...] = ()
    follow_destination: bool = True


class MountFilesystem(Mount):
    """Mount a new filesystem of this type; `parameters` go to it as they are (None: a flag).

    `label` is what its root gets from SELinux where the filesystem takes no such parameter.
    """

    type: str
    source: str
    parameters: tuple[tuple[str, str | None], ...] = ()
    copy_up: bool = False
    label: str = ""


class BindMount(Mount):
    """Mount a host path; recursive takes the mounts below it too."""

    source: str
    recursive: bool
    follow_source: bool = True
    copy_symlink: bool = False
    opened: bool = False


class ChangeMount(Mount):
    """Change the attributes of the mount that is at this place already (`remount`)."""


class MakeDirectory(RootfsStep):
    """Make a directory that the process needs, where it is missing and can be made."""

    path: str


class MakeDevice(RootfsStep):
    """Make a node (`type` c, b or p) below the mount at `base`, or `bind` the host's there."""

    base: str
    path: str
    type: str
    major: int
    minor: int
    mode: int
    uid: int
    gid: int
    bind: bool = False


class MakeSymlink(RootfsStep):
    """Make a symlink of /dev where nothing of that name exists, or in place of what does.

    `if_there` makes it only if the machine has the target.
    """

    base: str
    path: str
    target: str
    replace: bool = False
    if_there: bool = False


class SetSysctl(RootfsStep):
    """Write a kernel parameter of the container's namespaces."""

    key: str
    value: str


class ReadonlyPath(RootfsStep):
    """Make a path read-only, found from the mount at `base` if that mount is ours."""

    base: str
    path: str


class MaskPath(RootfsStep):
    """Hide a file behind /dev/null or a directory behind an empty one; `base` as above.

    The empty directory has this label for SELinux, if any.
    """

    base: str
    path: str
    label: str = ""


class ReadonlyMount(RootfsStep):
    """Make a mount of ours read-only, now that nothing more is made in it."""

    destination: str


class PivotRoot(RootfsStep):
    """Make the rootfs `/`; how is pivot_root, move (--no-pivot) or chroot (no mount namespace)."""

    how: str


class VerifyMount(RootfsStep):
    """Fail unless what is at this path now is the mount we put there."""

    destination: str


class ReadonlyRoot(RootfsStep):
    """Make the root mount read-only."""


class SetRootPropagation(RootfsStep):
    """Set the propagation of the container's root mount; MS_ flags."""

    flags: int
