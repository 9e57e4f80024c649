"""The generated acceptor and jsonschema give the same verdict on whatever they are shown."""

from __future__ import annotations

import copy
import importlib.util
import json
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from pyoci.spec.accept import accept
from pyoci.spec.report import explain, schema_validator
from schemas.generate import Generator
from schemas.patterns import compile_pattern

ROOT = Path(__file__).parents[2]
SCHEMA = json.loads((ROOT / "schemas" / "config.schema.json").read_text(encoding="utf-8"))
EXAMPLE = json.loads((ROOT / "schemas" / "examples" / "config.json").read_text(encoding="utf-8"))
VALIDATOR = schema_validator()

JsonPath = tuple[str | int, ...]


def subschemas(schema: object) -> Iterator[dict[str, Any]]:
    """Every object in the schema."""
    if isinstance(schema, dict):
        yield schema
        for value in schema.values():
            yield from subschemas(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from subschemas(value)


PARTS = list(subschemas(SCHEMA))
WORDS = sorted({word for part in PARTS for word in part.get("enum", ())})
PATTERNS = sorted({part["pattern"] for part in PARTS if isinstance(part.get("pattern"), str)})
BOUNDS = sorted(
    {
        part[keyword] + step
        for part in PARTS
        for keyword in ("minimum", "maximum")
        if type(part.get(keyword)) is int
        for step in (-1, 0, 1)
    }
)
NAMES = sorted(
    {
        name
        for part in PARTS
        if isinstance(part.get("properties"), dict)
        for name in part["properties"]
    }
)
VALUES: list[Any] = [
    *(None, True, False, 0.0, 1.0, -0.5, 1e300, [], {}, [None], [0], [""], {"": 0}, {"x": "y"}),
    *(
        "",
        "x",
        "\n",
        "MB:",
        "MB:\n",
        "2MB",
        "02MB",
        "RLIMIT_",
        "RLIMIT_X\n",
        "0-3",
        "rwmrwm",
        "a.b",
    ),
    *("1.0.0", "1.0", "01.0.0", "1.0.0-", "1.0.0-a..b", "1.0.0+x.y", "1.0.0-rc.1+5\n", "1.0.0 "),
    *BOUNDS,
    *WORDS,
]


def paths(value: object, path: JsonPath = ()) -> Iterator[JsonPath]:
    """The path of every value below this one, and its own."""
    yield path
    if isinstance(value, dict):
        for name, item in value.items():
            yield from paths(item, (*path, name))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from paths(item, (*path, index))


def place_of(config: Any, path: JsonPath) -> Any:  # noqa: ANN401  (any JSON value)
    """The value at the path."""
    for step in path:
        config = config[step]
    return config


def retyped(value: object) -> object:
    """The value in another JSON type that looks like it."""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int):
        return float(value) if abs(value) < 2**53 else str(value)
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return list(value.values())
    return {"0": value}


def mutate(config: dict[str, Any], chance: random.Random) -> None:
    """Change one place of the config: replace, delete, insert, retype or swap."""
    path = chance.choice(list(paths(config))[1:])
    parent, key = place_of(config, path[:-1]), path[-1]
    match chance.choice(["replace", "delete", "insert", "retype", "swap"]):
        case "replace":
            parent[key] = copy.deepcopy(chance.choice(VALUES))
        case "delete":
            del parent[key]
        case "insert" if isinstance(parent, list):
            parent.insert(chance.randrange(len(parent) + 1), copy.deepcopy(chance.choice(VALUES)))
        case "insert":
            parent[chance.choice([*NAMES, "unknown"])] = copy.deepcopy(chance.choice(VALUES))
        case "retype":
            parent[key] = retyped(parent[key])
        case _:
            parent[key] = copy.deepcopy(place_of(config, chance.choice(list(paths(config)))))


def branch(path: JsonPath) -> dict[str, Any]:
    """What is needed of the example for the value at this path: quicker to look through."""
    config: dict[str, Any] = {"ociVersion": "1.0.0", "root": {"path": "rootfs"}}
    place, source = config, EXAMPLE
    for name in path[:3]:
        if not isinstance(source, dict) or name not in source:
            break
        if name in {"linux", "process", "resources"} and len(path) > 1:
            place = place.setdefault(name, {"cwd": "/"} if name == "process" else {})
            source = source[name]
        else:
            place[str(name)] = copy.deepcopy(source[name])
            break
    return config


PATHS = list(paths(EXAMPLE))[1:]


@settings(max_examples=500, deadline=None)
@given(
    path=st.sampled_from(PATHS), chance=st.randoms(use_true_random=False), changes=st.integers(1, 3)
)
def test_same_verdict_on_mutated_configs(
    path: JsonPath, chance: random.Random, changes: int
) -> None:
    config = branch(path)
    for _ in range(changes):
        mutate(config, chance)
    assert accept(config) == VALIDATOR.is_valid(config), config


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=3), inner, max_size=5)
    ),
    max_leaves=20,
)


@settings(max_examples=60, deadline=None)
@given(JSON_VALUES)
@example(None)
@example([])
def test_same_verdict_on_any_json_value(value: object) -> None:
    assert accept(value) == VALIDATOR.is_valid(value)


def test_null_and_deletion_everywhere_in_the_example() -> None:
    verdicts = set()
    for path in PATHS:
        for delete in (False, True):
            config = branch(path)
            parent = place_of(config, path[:-1])
            if delete:
                del parent[path[-1]]
            else:
                parent[path[-1]] = None
            verdict = accept(config)
            verdicts.add((delete, verdict))
            assert verdict == VALIDATOR.is_valid(config), path
    assert len(verdicts) == 4


@settings(max_examples=50, deadline=None)
@given(path=st.sampled_from(PATHS), chance=st.randoms(use_true_random=False))
def test_a_refusal_is_always_explained(path: JsonPath, chance: random.Random) -> None:
    config = branch(path)
    mutate(config, chance)
    if not accept(config):
        error = explain(config)
        assert error.message.isprintable()
        assert "does not match its schema" not in error.message


def test_the_example_shows_every_property() -> None:
    assert accept(EXAMPLE)
    shown = {step for path in paths(EXAMPLE) for step in path if isinstance(step, str)}
    assert set(NAMES) <= shown


def test_generating_gives_the_committed_file() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "schemas.generate", "--check"],
        cwd=ROOT,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_acceptor_imports_nothing() -> None:
    source = (ROOT / "pyoci" / "spec" / "accept.py").read_text(encoding="utf-8")
    imports = re.findall(r"^import .*|^from .*", source, re.MULTILINE)
    assert imports == ["from __future__ import annotations"]


def compiled_pattern(pattern: str) -> Any:  # noqa: ANN401  (a function from nowhere)
    """The function that the generator makes of a pattern."""
    made = importlib.util.module_from_spec(importlib.util.spec_from_loader("made", None))  # type: ignore[arg-type]
    exec(compile_pattern("_matches", pattern), made.__dict__)  # noqa: S102  (the generator's own)
    return made._matches


OTHER_PATTERNS = ["^a?b*c+$", "^(ab|cd)*e?$", "^x(y(z|w)*)?$", "^[a-c-]+[^b\n]*$", "^$", "^a*$"]


@pytest.mark.parametrize("pattern", [*PATTERNS, *OTHER_PATTERNS])
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_compiled_patterns_match_what_re_matches(pattern: str, data: st.DataObject) -> None:
    matches = compiled_pattern(pattern)
    exact = re.compile(pattern[:-1] + r"\Z")
    alphabet = "".join(sorted(set(pattern))) + "012 \n"
    text = data.draw(st.from_regex(exact) | st.text(alphabet, max_size=12))
    assert matches(text) == bool(exact.search(text)), text


@pytest.mark.parametrize(
    "pattern",
    [
        "x$",
        "^x",
        "^a*a$",
        "^(a|ab)$",
        "^(a|)$",
        "^(a)+$",
        "^.$",
        r"^\d$",
        "^a{2}$",
        "^[^a]b$",
        "^(a$",
        "^(ab)?[^x]*$",
    ],
)
def test_patterns_beyond_the_subset_are_refused(pattern: str) -> None:
    with pytest.raises(ValueError, match=r"pattern|piece|alternative|write|decide|group"):
        compile_pattern("_matches", pattern)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ({"type": "string", "format": "uri"}, "keywords unknown to the generator"),
        ({"type": "string", "minLength": 1}, "keywords unknown to the generator"),
        ({"type": ["string", "integer"]}, "one type, or one and null"),
        ({"type": "integer", "minimum": 0}, "needs minimum and maximum"),
        ({"type": "array", "items": {"type": "string"}}, "an array is either null or not"),
        ({"$ref": "#/definitions/loop"}, "contains itself"),
    ],
)
def test_what_the_generator_does_not_know_it_refuses(part: dict[str, Any], said: str) -> None:
    loop = {"type": "object", "properties": {"a": {"$ref": "#/definitions/loop"}}}
    schema = {"type": "object", "properties": {"a": part}, "definitions": {"loop": loop}}
    with pytest.raises(ValueError, match=said):
        Generator(schema).generate()


def test_definitions_that_nothing_uses_are_refused() -> None:
    schema = {"type": "object", "properties": {}, "definitions": {"lost": {"type": "boolean"}}}
    with pytest.raises(ValueError, match="nothing refers to"):
        Generator(schema).generate()
