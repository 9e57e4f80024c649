"""Write pyoci/spec/accept.py, the yes/no acceptor, from config.schema.json.

Run as ``python3 -m schemas.generate`` in the project's root; with ``--check`` it writes nothing and
fails if the committed file is not what the schema gives. A keyword that this generator does not
know is an error: an acceptor that ignores part of its schema would be worse than none.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from schemas.patterns import INDENT, compile_pattern, quote

HERE = Path(__file__).parent
SCHEMA = HERE / "config.schema.json"
TARGET = HERE.parent / "pyoci" / "spec" / "accept.py"
LINE_LENGTH = 100

# Objects and patterns become functions of their own. For the rest there is a small function here:
# half a millisecond of every start hangs on how many functions the acceptor has.
HEADER = '''\
"""Accept or refuse a config.json; generated from schemas/config.schema.json by schemas/generate.py.

Do not edit: change the schema and run ``python3 -m schemas.generate``. This module says only yes or
no, and imports nothing: report.py says where and why. Functions and sets of words are named after
the definitions and properties of the schema.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_STR = frozenset((str,))


def _boolean_or_none(value: object) -> bool:
    return value is None or type(value) is bool


def _integer(value: object, minimum: int, maximum: int) -> bool:
    return type(value) is int and minimum <= value <= maximum


def _integer_or_none(value: object, minimum: int, maximum: int) -> bool:
    return value is None or (type(value) is int and minimum <= value <= maximum)


def _word(value: object, words: set[str]) -> bool:
    return type(value) is str and value in words


def _text(value: object, matches: Callable[[str], bool]) -> bool:
    return type(value) is str and matches(value)


def _strings(value: object) -> bool:
    return type(value) is list and _STR.issuperset(map(type, value))


def _strings_or_none(value: object) -> bool:
    return value is None or (type(value) is list and _STR.issuperset(map(type, value)))


def _words_or_none(value: object, words: set[str]) -> bool:
    return value is None or (
        type(value) is list and _STR.issuperset(map(type, value)) and words.issuperset(value)
    )


def _array_or_none(value: object, check: Callable[[object], bool]) -> bool:
    return value is None or (type(value) is list and all(map(check, value)))


def _object_or_none(value: object) -> bool:
    return value is None or type(value) is dict


def _string_map_or_none(value: object) -> bool:
    return value is None or (type(value) is dict and _STR.issuperset(map(type, value.values())))


def _map_or_none(value: object, check: Callable[[object], bool]) -> bool:
    return value is None or (type(value) is dict and all(map(check, value.values())))
'''

Schema = dict[str, Any]

ANNOTATIONS = {"$schema", "title", "description", "definitions"}
KEYWORDS_OF_TYPE = {
    "object": {"required", "properties", "additionalProperties", "anyOf"},
    "array": {"items", "minItems"},
    "string": {"enum", "pattern"},
    "integer": {"minimum", "maximum"},
    "boolean": set(),
}


class Generator:
    """Collects the functions and sets of words of the acceptor, each after those that it uses."""

    def __init__(self, schema: Schema) -> None:
        """Take the whole schema: its definitions are looked up in it."""
        self.schema = schema
        self.definitions: dict[str, Schema] = schema["definitions"]
        self.blocks: dict[str, str] = {}
        self.origin: dict[str, Schema] = {}
        self.used: set[str] = set()
        self.open: list[str] = []

    def generate(self) -> str:
        """The text of the module."""
        body = self.object_body(self.schema, "config")
        unused = set(self.definitions) - self.used
        if unused:
            message = f"definitions that nothing refers to: {sorted(unused)}"
            raise ValueError(message)
        doc = f'{INDENT}"""Whether the value, any JSON value, is a config.json by the schema."""'
        accept = f"def accept(value: object) -> bool:\n{doc}\n{body}"
        return "\n\n".join([HEADER, *self.blocks.values(), accept])

    def block(self, name: str, schema: Schema, text: str) -> str:
        """Add a function or set of this name, which stands for this schema and no other."""
        if self.origin.setdefault(name, schema) != schema or self.blocks.get(name, text) != text:
            message = f"two parts of the schema would both be called {name}"
            raise ValueError(message)
        self.blocks[name] = text
        return name

    def resolve(self, schema: Schema, name: str) -> tuple[Schema, str]:
        """The schema behind a ``$ref`` and its name, or the two given."""
        if "$ref" not in schema:
            return schema, name
        target = schema["$ref"].removeprefix("#/definitions/")
        self.used.add(target)
        return self.definitions[target], snake_case(target)

    def expect(self, schema: Schema, name: str, item: str) -> str:
        """An expression that says whether `item`, an expression, is as the schema wants."""
        schema, name = self.resolve(schema, name)
        kind, or_none = kind_of(schema, name)
        return str(getattr(self, f"expect_{kind}")(schema, name, item, or_none))

    def callable(self, schema: Schema, name: str) -> str:
        """The name of a function of one value that checks it by the schema."""
        schema, name = self.resolve(schema, name)
        if kind_of(schema, name)[0] == "object" and "additionalProperties" not in schema:
            return self.object_function(schema, name)
        body = f"{INDENT}return {self.expect(schema, name, 'value')}\n"
        return self.block(f"_{name}", schema, f"def _{name}(value: object) -> bool:\n{body}")

    def expect_boolean(self, _schema: Schema, _name: str, item: str, or_none: str) -> str:
        """True or false."""
        return f"_boolean_or_none({item})" if or_none else f"type({item}) is bool"

    def expect_integer(self, schema: Schema, name: str, item: str, or_none: str) -> str:
        """A number in a range: no number of the specification is without bounds."""
        if not {"minimum", "maximum"} <= set(schema):
            message = f"{name}: an integer needs minimum and maximum"
            raise ValueError(message)
        return f"_integer{or_none}({item}, {schema['minimum']}, {schema['maximum']})"

    def expect_string(self, schema: Schema, name: str, item: str, or_none: str) -> str:
        """Any text, one of a list of words, or what a pattern matches."""
        if or_none or {"enum", "pattern"} <= set(schema):
            message = f"{name}: a string cannot be null, or have both enum and pattern"
            raise ValueError(message)
        if "enum" in schema:
            return f"_word({item}, {self.words(schema, name)})"
        if "pattern" in schema:
            function = compile_pattern(f"_{name}_text", schema["pattern"])
            return f"_text({item}, {self.block(f'_{name}_text', schema, function)})"
        return f"type({item}) is str"

    def words(self, schema: Schema, name: str) -> str:
        """The name of the set of an enum."""
        lines = "".join(f"{INDENT}{quote(word)},\n" for word in schema["enum"])
        return self.block(f"_{name.upper()}", schema, f"_{name.upper()} = {{\n{lines}}}\n")

    def expect_array(self, schema: Schema, name: str, item: str, or_none: str) -> str:
        """Items, and that there is one."""
        if not or_none and schema.get("minItems") == 1 and schema["items"] == {"type": "string"}:
            return f"(_strings({item}) and {item} != [])"
        if not or_none or "minItems" in schema:
            message = f"{name}: an array is either null or not, or a non-empty one of strings"
            raise ValueError(message)
        inner, inner_name = self.resolve(schema["items"], f"{name}_item")
        if inner == {"type": "string"}:
            return f"_strings_or_none({item})"
        if "enum" in inner:
            return f"_words_or_none({item}, {self.words(inner, inner_name)})"
        return f"_array_or_none({item}, {self.callable(inner, inner_name)})"

    def expect_object(self, schema: Schema, name: str, item: str, or_none: str) -> str:
        """Known members, or any."""
        if "additionalProperties" in schema:
            if not or_none or set(schema) - ANNOTATIONS != {"type", "additionalProperties"}:
                message = f"{name}: a map is either null or not, and has no other keywords"
                raise ValueError(message)
            if schema["additionalProperties"] == {"type": "string"}:
                return f"_string_map_or_none({item})"
            check = self.callable(schema["additionalProperties"], f"{name}_member")
            return f"_map_or_none({item}, {check})"
        if or_none and set(schema) - ANNOTATIONS == {"type"}:
            return f"_object_or_none({item})"
        return f"{self.object_function(schema, name)}({item})"

    def object_function(self, schema: Schema, name: str) -> str:
        """The name of the function of an object with known members."""
        if name in self.open:
            message = f"{name} contains itself: the acceptor could not promise to return"
            raise ValueError(message)
        self.open.append(name)
        body = self.object_body(schema, name)
        self.open.remove(name)
        return self.block(f"_{name}", schema, f"def _{name}(value: object) -> bool:\n{body}")

    def object_body(self, schema: Schema, name: str) -> str:
        """The body of that function."""
        _, or_none = kind_of(schema, name)
        conditions = ["type(value) is dict", *self.members(schema, name)]
        if "anyOf" in schema:
            conditions.append(self.alternatives(schema, f"{name}_any_of"))
        return returned(conditions, or_none=bool(or_none))

    def members(self, schema: Schema, name: str) -> list[str]:
        """Conditions on the members of a value that is known to be an object."""
        required = schema.get("required", [])
        found = [f"{quote(member)} in value" for member in required]
        for member, inner in schema.get("properties", {}).items():
            test = self.expect(inner, snake_case(f"{name}_{member}"), f"value[{quote(member)}]")
            known = member in required
            found.append(test if known else optional(f"{quote(member)} not in value", test))
        return found

    def alternatives(self, schema: Schema, name: str) -> str:
        """A call of a function for ``anyOf``, on a value that is known to be an object."""
        tests = [
            " and ".join(self.members(way, f"{name}_{number}"))
            for number, way in enumerate(schema["anyOf"], 1)
        ]
        lines = [f"def _{name}(value: dict[str, object]) -> bool:"]
        for test in tests[:-1]:
            lines += [f"{INDENT}if {test}:", f"{INDENT * 2}return True"]
        last = tests[-1][1:-1] if tests[-1].startswith("(") else tests[-1]
        text = "\n".join([*lines, f"{INDENT}return {last}\n"])
        return f"{self.block(f'_{name}', schema, text)}(value)"


def kind_of(schema: Schema, name: str) -> tuple[str, str]:
    """The type of a schema, and ``_or_none`` if null will do; ValueError for unknown keywords."""
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kinds = [kind for kind in types if kind != "null"]
    if len(kinds) != 1:
        message = f"{name}: one type, or one and null, not {types}"
        raise ValueError(message)
    unknown = set(schema) - {"type"} - ANNOTATIONS - KEYWORDS_OF_TYPE[kinds[0]]
    if unknown:
        message = f"{name}: keywords unknown to the generator: {sorted(unknown)}"
        raise ValueError(message)
    return kinds[0], "_or_none" if "null" in types else ""


def snake_case(name: str) -> str:
    """A JSON name as a Python one: execCPUAffinity becomes exec_cpu_affinity."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def optional(absent: str, test: str) -> str:
    """A condition that a member is absent or passes its test, on several lines if it is long."""
    line = f"({absent} or {test})"
    pad = INDENT * 2
    if len(f"{pad}and {line}") <= LINE_LENGTH:
        return line
    both = f"{pad}{INDENT}{absent} or {test}"
    if len(both) > LINE_LENGTH:
        both = f"{pad}{INDENT}{absent}\n{pad}{INDENT}or {test}"
    return f"(\n{both}\n{pad})"


def returned(conditions: list[str], *, or_none: bool) -> str:
    """A return statement that all conditions hold, laid out as ruff would."""
    line = " and ".join(conditions)
    short = f"{INDENT}return value is None or ({line})" if or_none else f"{INDENT}return {line}"
    if len(short) <= LINE_LENGTH:
        return short + "\n"
    pad = INDENT * 2
    inner = line if len(pad + line) <= LINE_LENGTH else f"\n{pad}and ".join(conditions)
    head = "return value is None or (" if or_none else "return ("
    return f"{INDENT}{head}\n{pad}{inner}\n{INDENT})\n"


def main(arguments: list[str]) -> int:
    """Write the acceptor, or with --check compare it; the exit status."""
    text = Generator(json.loads(SCHEMA.read_text(encoding="utf-8"))).generate()
    if arguments == ["--check"]:
        if TARGET.read_text(encoding="utf-8") == text:
            return 0
        print(f"{TARGET} is not what {SCHEMA.name} gives: run python3 -m schemas.generate")
        return 1
    TARGET.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
