"""A plan and its steps in words."""

from __future__ import annotations

import inspect
import json

import pytest

from pyoci import jsonio
from pyoci.plan import labels, scheduling
from pyoci.plan import rootfs_steps as r
from pyoci.plan import steps as s
from pyoci.plan.render import describe, render_json, render_steps, render_text
from pyoci.plan.systemd.model import Property
from tests.support.planning import NAMESPACES, make_config, plan_config

BASES = (s.Step, r.RootfsStep, s.ProcessStep, r.Mount, s.SchedulingStep, s.LabelStep)
KINDS = [
    kind
    for module in (s, r, scheduling, labels)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, s.Step) and kind not in BASES
]
# A value of each type that a field can have.
VALUES = {
    "int": 1,
    "str": "x",
    "bool": True,
    "bytes": b"\x01",
    "str | None": None,
    "WriteCgroup | None": None,
    "IdMap | None": None,
    "tuple[tuple[str, str | None], ...]": (("k", None), ("k", "v")),
    "tuple[str, ...]": ("a", "b"),
    "tuple[int, ...]": (),
    "tuple[DeviceRule, ...]": (),
    "tuple[IdMapping, ...]": (),
    "tuple[Hook, ...]": (),
    "tuple[Property, ...]": (Property(name="Delegate", signature="b", value=True),),
}


def example(kind: type[s.Step]) -> s.Step:
    """A step of the kind with some value in every field."""
    types: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        types |= inspect.get_annotations(base)
    own = {n: t for n, t in types.items() if not n.startswith("_")}
    values = {name: VALUES[kind_name] for name, kind_name in own.items()}
    if kind in (r.SetPropagation, r.SetRootPropagation):
        values["flags"] = 1 << 18  # MS_PRIVATE: not every number has a name
    return kind(**values)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_kind_of_step_has_words(kind: type[s.Step]) -> None:
    text = describe(example(kind))
    assert text
    assert text.isprintable()
    assert text[0].islower()
    assert not text.endswith(".")


def test_the_list_of_kinds_is_not_empty_by_accident() -> None:
    assert len(KINDS) >= 38


@pytest.mark.parametrize(
    ("step", "words"),
    [
        (
            r.BindMount(
                destination="/d", source="/s", recursive=True, attr_set=1, propagations=(1 << 19,)
            ),
            "mount /s on /d by rbind (ro, slave)",
        ),
        (
            r.BindMount(
                destination="/d", source="/s", recursive=False, attr_clr=0x5, recursive_set=1
            ),
            "mount /s on /d by bind (rw, dev, rro)",
        ),
        (
            r.MountFilesystem(
                destination="/t", type="tmpfs", source="tmpfs", attr_set=0x16, attr_clr=0x70,
                parameters=(("size", "1k"), ("huge", None)), copy_up=True,
            ),
            "mount tmpfs on /t (nosuid, nodev, noatime, size=1k, huge, tmpcopyup)",
        ),
        (r.MountFilesystem(destination="/p", type="proc", source="proc"), "mount proc on /p"),
        (
            r.BindMount(
                destination="/d", source="/s", recursive=True, attr_clr=0x70, follow_source=False,
                follow_destination=False, copy_symlink=True,
            ),
            "mount /s on /d by rbind (relatime, src-nofollow, copy-symlink, dest-nofollow)",
        ),
        (
            r.MakeDevice(
                base="/", path="/d", type="b", major=8, minor=0, mode=0o60, uid=5, gid=0
            ),
            "make device /d b 8:0 0060 of 5:0",
        ),
        (s.WriteCgroup(file="a", value="1", optional=True), "write '1' to a if it is there"),
        (
            s.WriteCgroup(file="a", value="1", instead=s.WriteCgroup(file="b", value="2")),
            "write '1' to a, or write '2' to b",
        ),
        (
            s.SetUser(uid=1, gid=2, additional_gids=(3, 4)),
            "become user 1:2 with 3, 4 additional groups",
        ),
        (s.SetUser(uid=0, gid=0, additional_gids=()), "become user 0:0 with no additional groups"),
        (s.CloneInit(kinds=()), "clone init without new namespaces"),
        (s.SetUmask(mask=0o22), "set umask 0022"),
        (s.DropBounding(keep=0), "keep in bounding set: none"),
        (s.DropBounding(keep=0b100001), "keep in bounding set: CAP_CHOWN, CAP_KILL"),
        (s.ExecuteProcess(args=("a b", "'"), env=(), preserve_fds=0, uid=0), "execute 'a b' \"'\""),
        (
            s.ExecuteProcess(args=("sh",), env=(), preserve_fds=2, uid=0),
            "execute 'sh' with descriptors 3 to 4",
        ),
        (s.LoadSeccomp(program=bytes(80), flags=0), "load seccomp filter of 10 instructions"),
    ],
    ids=str,
)  # fmt: skip
def test_words(step: s.Step, words: str) -> None:
    assert describe(step) == words


def full_config() -> dict[str, object]:
    return make_config(
        mounts=[{"destination": "/proc", "type": "proc", "source": "proc"}],
        hooks={
            "prestart": [{"path": "/h", "args": ["h"], "timeout": 3}],
            "poststop": [{"path": "/after"}],
        },
        linux={
            "namespaces": [{"type": kind} for kind in NAMESPACES],
            "resources": {"pids": {"limit": 5}},
            "maskedPaths": ["/m"],
            "seccomp": {"defaultAction": "SCMP_ACT_ALLOW"},
        },
    )


def test_the_json_holds_every_step_with_its_cause_and_can_be_printed() -> None:
    plan = plan_config(full_config())
    made = json.loads(jsonio.dumps(render_json(plan)))
    assert (made["id"], made["cgroup"]) == ("web", "/user.slice/web")
    for part in ("before", "beside", "init", "start"):
        assert [step["step"] for step in made[part]] == [
            type(step).__name__ for step in getattr(plan, part)
        ]
        assert [step["description"] for step in made[part]] == [
            describe(step) for step in getattr(plan, part)
        ]
    assert made["process"]["args"] == ["sh"]
    assert made["poststart"] == []
    assert [step["description"] for step in made["poststop"]] == ["run poststop hooks: /after"]
    (hooks,) = (step for step in made["beside"] if step["step"] == "RunHooks")
    assert hooks["config"] == "hooks.prestart"
    assert hooks["hooks"] == [{"path": "/h", "args": ["h"], "env": None, "timeout": 3}]


def test_the_text_is_a_line_a_step_with_its_cause() -> None:
    plan = plan_config(full_config())
    text = render_text(plan)
    assert text.count("\n") == text.count(". ") + text.count(":\n") * 2 + 4
    assert "mask /m" in text
    assert "# linux.maskedPaths[0]" in text


def test_the_steps_for_debugging_are_those_of_the_plan() -> None:
    plan = plan_config(full_config())
    lines = render_steps(plan)
    assert [line.partition(": ")[2].partition(" (")[0] for line in lines] == [
        describe(step).partition(" (")[0]
        for part in ("before", "limits", "beside", "init", "ready", "start")
        for step in getattr(plan, part)
    ] + ["execute 'sh'"]
    assert "init, until it is ready: mask /m (linux.maskedPaths[0])" in lines


def test_the_text_of_odd_names_is_still_a_line_a_step() -> None:
    config = full_config()
    assert isinstance(config["linux"], dict)
    config["linux"]["maskedPaths"] = ["/a\nb", "/\x1b[2J", "/é", "/\u202e"]
    text = render_text(plan_config(config))
    assert "mask /a\\nb " in text
    assert "mask /\\x1b[2J " in text
    assert "mask /é " in text
    assert "mask /\\u202e" in text
    assert all(line.isprintable() for line in text.splitlines())
