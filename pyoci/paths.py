"""Container and host paths as strings: pure, and never to be joined with one another."""

from __future__ import annotations


def clean(path: str) -> str:
    """The absolute path without empty, `.` and `..` parts; `..` stops at the root."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == "..":
            del parts[-1:]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts)


def absolute(host_path: str, base: str) -> str:
    """A host path as it is if absolute, else below `base`; symlinks and `..` are left alone."""
    if host_path.startswith("/"):
        return host_path
    return f"{base.rstrip('/')}/{host_path}"


def is_below(path: str, base: str) -> bool:
    """Whether a clean path is `base` or below it."""
    return base in ("/", path) or path.startswith(f"{base}/")


def nearest(path: str, bases: list[str]) -> str:
    """The mount that a clean path lies in, of mount points in the order of mounting; `/` if none.

    That is the last one it is below: a later mount covers the earlier ones at and below its place.
    """
    for base in reversed(bases):
        if is_below(path, base):
            return base
    return "/"
