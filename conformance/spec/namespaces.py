"""config-linux.md, namespaces, user namespace mappings and time offsets."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conformance.spec.verdicts import expect, expect_equal, statement

if TYPE_CHECKING:
    from conformance.spec.bundle import Bundle
    from conformance.spec.case import Case

# The config's word for each type, and the kernel's.
TYPES = {
    "pid": "pid",
    "network": "net",
    "mount": "mnt",
    "ipc": "ipc",
    "uts": "uts",
    "user": "user",
    "cgroup": "cgroup",
    "time": "time",
}
NEEDS = {"time": ("time_namespace",)}


def own(kind: str) -> str:
    """The suite's namespace, which is the runtime's."""
    return str(Path(f"/proc/self/ns/{kind}").readlink())


def with_new(bundle: Bundle, word: str) -> None:
    if word == "user":
        bundle.map_users()
    else:
        bundle.namespace(word)


def for_each_type(word: str, kind: str) -> None:
    needs = NEEDS.get(word, ())

    @statement(f"config-linux.md/namespaces/new-{word}", f"{word} without path is new", needs=needs)
    def new(case: Case) -> None:
        bundle = case.bundle()
        with_new(bundle, word)
        expect(case.observe(bundle).namespace(kind) != own(kind), "it is the runtime's")

    @statement(
        f"config-linux.md/namespaces/join-{word}",
        f"{word} with path is the one of that path",
        needs=needs,
    )
    def join(case: Case) -> None:
        bundle = case.bundle()
        path = Path(case.hold(kind)) / kind
        if word == "user":
            for name in ("uid_map", "gid_map"):
                text = "0 100000 1000\n"
                path.parent.with_name(name).write_text(text, encoding="ascii")
            bundle.map_users()
            for key in ("uidMappings", "gidMappings"):
                del bundle.linux[key]
        bundle.namespace(word, str(path))
        expect_equal(case.observe(bundle).namespace(kind), str(path.readlink()), "the namespace")


def refused_for_each_type(word: str, kind: str) -> None:
    needs = NEEDS.get(word, ())

    @statement(
        f"config-linux.md/namespaces/wrong-type-{word}",
        f"{word} with the path of a namespace of another type is an error",
        needs=needs,
    )
    def wrong_type(case: Case) -> None:
        bundle = case.bundle()
        other = "ipc" if kind == "net" else "net"
        bundle.namespace(word, f"{case.hold(other)}/{other}")
        case.refuses(bundle, f"the path of a {other} namespace for {word}")

    @statement(
        f"config-linux.md/namespaces/duplicate-{word}",
        f"two namespaces of type {word} are an error",
        needs=needs,
    )
    def duplicate(case: Case) -> None:
        bundle = case.bundle()
        with_new(bundle, word)
        bundle.linux["namespaces"].append({"type": word})
        case.refuses(bundle, f"{word} twice")


def inherited_for_each_type(word: str, kind: str) -> None:
    needs = NEEDS.get(word, ())

    @statement(
        f"config-linux.md/namespaces/inherit-{word}",
        f"without {word} the runtime's is inherited",
        needs=needs,
    )
    def inherit(case: Case) -> None:
        bundle = case.bundle()
        bundle.without_namespace(word)
        expect_equal(case.observe(bundle).namespace(kind), own(kind), "the namespace")


for config_word, kernel_word in TYPES.items():
    for_each_type(config_word, kernel_word)
    refused_for_each_type(config_word, kernel_word)
    if config_word != "mount":  # a container would work on the runtime's own mount table
        inherited_for_each_type(config_word, kernel_word)


@statement(
    "config-linux.md/namespaces/relative-path", "a namespace path that is relative is an error"
)
def relative_path(case: Case) -> None:
    bundle = case.bundle()
    held = Path(case.hold("net")) / "net"
    bundle.namespace("network", f"../../../../..{held}")
    case.refuses(bundle, "a relative namespace path")


@statement(
    "config-linux.md/namespaces/missing-path", "a namespace path that is missing is an error"
)
def missing_path(case: Case) -> None:
    bundle = case.bundle()
    bundle.namespace("network", "/proc/self/ns/does-not-exist")
    case.refuses(bundle, "a missing namespace path")


@statement("config-linux.md/namespaces/not-a-namespace", "a path that is no namespace is an error")
def not_a_namespace(case: Case) -> None:
    bundle = case.bundle()
    file = case.directory / "file"
    file.touch()
    bundle.namespace("network", str(file))
    case.refuses(bundle, "a plain file as namespace path")


@statement(
    "config-linux.md/user-namespace-mappings/applied", "uidMappings and gidMappings are applied"
)
def mappings(case: Case) -> None:
    bundle = case.bundle()
    bundle.map_users(100000, 1000)
    bundle.linux["gidMappings"] = [{"containerID": 0, "hostID": 100000, "size": 500}]
    report = case.observe(bundle)
    expect_equal(report["uid_map"].split(), ["0", "100000", "1000"], "uid_map")
    expect_equal(report["gid_map"].split(), ["0", "100000", "500"], "gid_map")
    expect_equal(report.ids("Uid"), [0] * 4, "Uid")


@statement(
    "config-linux.md/user-namespace-mappings/user", "the user is one of the container namespace"
)
def mapped_user(case: Case) -> None:
    bundle = case.bundle()
    bundle.map_users()
    bundle.process["user"] = {"uid": 7, "gid": 8}
    report = case.observe(bundle)
    expect_equal((report.ids("Uid"), report.ids("Gid")), ([7] * 4, [8] * 4), "(Uid, Gid)")


@statement(
    "config-linux.md/time-offsets/applied", "timeOffsets are applied", needs=("time_namespace",)
)
def time_offsets(case: Case) -> None:
    bundle = case.bundle()
    bundle.namespace("time")
    bundle.linux["timeOffsets"] = {
        "monotonic": {"secs": 3600, "nanosecs": 5},
        "boottime": {"secs": 7200},
    }
    seen = case.observe(bundle)["timens_offsets"].split()
    expect_equal(seen, ["monotonic", "3600", "5", "boottime", "7200", "0"], "timens_offsets")
