"""GVariant text format -> a D-Bus type and a value of it, as gdbus(1) and runc take it.

`true`, `'text'`, `uint64 5`, `['a', 'b']`, `(1, 2.5)`, `{'k': <'v'>}`, `@as []`. A number without
a type is an int32, or a double where it is written like one; the members of an array agree on one
type. What D-Bus cannot carry (maybe types, file handles) is refused.
"""

from __future__ import annotations

from pyoci.plan.systemd.literals import parse_float, parse_integer, read_bytes, read_text
from pyoci.plan.systemd.signatures import (
    ANY,
    BASIC,
    DEEPEST,
    LONGEST_SIGNATURE,
    NUMBER,
    RANGES,
    STRING,
    check_object_path,
    check_signature,
    decide,
    parse_type,
    render,
    shorten,
    unify,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from pyoci.plan.systemd.signatures import Pattern

_KEYWORDS = {
    "boolean": "b",
    "byte": "y",
    "int16": "n",
    "uint16": "q",
    "int32": "i",
    "uint32": "u",
    "int64": "x",
    "uint64": "t",
    "double": "d",
    "string": "s",
    "objectpath": "o",
    "signature": "g",
}
_BLANKS = " \t\n\v\f\r"
_QUOTES = "'\""
_WORD = frozenset("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.+-")


def parse_variant(text: str) -> tuple[str, Any]:
    """The D-Bus signature and the value; ValueError in words for anything else.

    Arrays are lists (or dicts), structures are tuples, a variant is such a pair.
    """
    parser = _Parser(text)
    node = parser.parse(0)
    parser.skip_blanks()
    if parser.at < len(text):
        raise ValueError(f"{shorten(text[parser.at :])} follows the value")
    return node.make_variant()


class _Node:
    """A value whose type is not decided yet."""

    def pattern(self) -> Pattern:
        """What is known of the type."""
        raise NotImplementedError

    def make(self, kind: Pattern) -> object:
        """The value as one of this type, which the pattern allows."""
        raise NotImplementedError

    def make_variant(self) -> tuple[str, Any]:
        """Type and value, the type by what the value looks like."""
        kind = decide(self.pattern())
        signature = render(kind)
        if len(signature) > LONGEST_SIGNATURE:
            raise ValueError(f"the type is longer than {LONGEST_SIGNATURE} characters")
        return signature, self.make(kind)


class _Word(_Node):
    """true, false, or a number."""

    def __init__(self, word: str) -> None:
        self.word = word
        self.value = _parse_word(word)

    def pattern(self) -> Pattern:
        if isinstance(self.value, bool):
            return "b"
        return "d" if isinstance(self.value, float) else NUMBER

    def make(self, kind: Pattern) -> object:
        if kind == "d":
            return float(self.value)
        if isinstance(kind, str) and kind in RANGES:
            low, high = RANGES[kind]
            if not low <= self.value <= high:
                raise ValueError(f"{self.word} is not between {low} and {high}")
        return self.value


def _parse_word(word: str) -> bool | int | float:
    if word in ("true", "false"):
        return word == "true"
    if word in ("just", "nothing"):
        raise ValueError("D-Bus has no maybe types")
    number: int | float | None = parse_integer(word)
    if number is None:
        number = parse_float(word)
    if number is None:
        raise ValueError(f"{shorten(word)} is no value")
    return number


class _Text(_Node):
    """A string, an object path or a signature."""

    def __init__(self, text: str) -> None:
        self.text = text

    def pattern(self) -> Pattern:
        return STRING

    def make(self, kind: Pattern) -> object:
        if kind == "o":
            check_object_path(self.text)
        elif kind == "g":
            check_signature(self.text)
        return self.text


class _Bytes(_Node):
    """A bytestring."""

    def __init__(self, content: bytes) -> None:
        self.content = content

    def pattern(self) -> Pattern:
        return ("a", "y")

    def make(self, kind: Pattern) -> object:
        del kind
        return list(self.content)


class _Array(_Node):
    """[value, ...]."""

    def __init__(self, items: list[_Node]) -> None:
        self.items = items

    def pattern(self) -> Pattern:
        return ("a", _unify_all(self.items))

    def make(self, kind: Pattern) -> object:
        return [item.make(kind[1]) for item in self.items]


class _Dict(_Node):
    """{key: value, ...}."""

    def __init__(self, pairs: list[tuple[_Node, _Node]]) -> None:
        self.pairs = pairs

    def pattern(self) -> Pattern:
        keys = _unify_all(key for key, _ in self.pairs)
        if keys not in (ANY, NUMBER, STRING, *BASIC):
            raise ValueError("the key of a dictionary must be a boolean, a number or a string")
        return ("{", keys, _unify_all(value for _, value in self.pairs))

    def make(self, kind: Pattern) -> object:
        made: dict[object, object] = {}
        for key_node, value in self.pairs:
            key = key_node.make(kind[1])
            if key in made:
                raise ValueError(f"the key {key!r} is there twice")
            made[key] = value.make(kind[2])
        return made


class _Tuple(_Node):
    """(value, ...)."""

    def __init__(self, items: list[_Node]) -> None:
        self.items = items

    def pattern(self) -> Pattern:
        if not self.items:
            raise ValueError("D-Bus has no empty structures")
        return ("(", *[item.pattern() for item in self.items])

    def make(self, kind: Pattern) -> object:
        return tuple([item.make(part) for item, part in zip(self.items, kind[1:], strict=True)])


class _Variant(_Node):
    """<value>."""

    def __init__(self, item: _Node) -> None:
        self.item = item

    def pattern(self) -> Pattern:
        return "v"

    def make(self, kind: Pattern) -> object:
        del kind
        return self.item.make_variant()


class _Typed(_Node):
    """A value with its type: `uint32 5`, `@as []`."""

    def __init__(self, kind: Pattern, item: _Node) -> None:
        self.kind = kind
        self.item = item

    def pattern(self) -> Pattern:
        return unify(self.kind, self.item.pattern())

    def make(self, kind: Pattern) -> object:
        return self.item.make(kind)


def _unify_all(nodes: Iterable[_Node]) -> Pattern:
    found: Pattern = ANY
    for node in nodes:
        found = unify(found, node.pattern())
    return found


class _Parser:
    """A text and how far it is read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def skip_blanks(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in _BLANKS:
            self.at += 1

    def peek(self) -> str:
        """The next character that is no blank; empty at the end."""
        self.skip_blanks()
        return self.text[self.at : self.at + 1]

    def take(self, wanted: str) -> bool:
        """Whether this character comes next; it is taken then."""
        found = self.peek() == wanted
        self.at += found
        return found

    def expect(self, wanted: str) -> None:
        if not self.take(wanted):
            found = shorten(self.text[self.at :]) if self.peek() else "the end"
            raise ValueError(f"expected {wanted!r} instead of {found}")

    def parse(self, depth: int) -> _Node:
        """The next value."""
        if depth > DEEPEST:
            raise ValueError(f"the value is nested deeper than {DEEPEST}")
        char = self.peek()
        if char == "@":
            self.at += 1
            kind, self.at = parse_type(self.text, self.at, 0)
            return _Typed(kind, self.parse(depth + 1))
        if char in ("[", "(", "{", "<"):
            self.at += 1
            return self._parse_container(char, depth + 1)
        if char and char in _QUOTES:
            text, self.at = read_text(self.text, self.at)
            return _Text(text)
        if char == "b" and self.text[self.at + 1 : self.at + 2] in ("'", '"'):
            content, self.at = read_bytes(self.text, self.at + 1)
            return _Bytes(content)
        return self._parse_word(depth)

    def _parse_word(self, depth: int) -> _Node:
        start = self.at
        while self.at < len(self.text) and self.text[self.at] in _WORD:
            self.at += 1
        word = self.text[start : self.at]
        if not word:
            found = shorten(self.text[start:])
            raise ValueError(f"{found} is no value" if self.peek() else "a value is missing")
        if word == "handle":
            raise ValueError("a file handle cannot be given")
        if word in _KEYWORDS:
            return _Typed(_KEYWORDS[word], self.parse(depth + 1))
        return _Word(word)

    def _parse_container(self, char: str, depth: int) -> _Node:
        if char == "<":
            item = self.parse(depth)
            self.expect(">")
            return _Variant(item)
        if char == "{":
            return self._parse_dict(depth)
        return _Array(self._parse_items("]", depth)) if char == "[" else self._parse_tuple(depth)

    def _parse_items(self, end: str, depth: int) -> list[_Node]:
        items: list[_Node] = []
        while not self.take(end):
            if items:
                self.expect(",")
            items.append(self.parse(depth))
        return items

    def _parse_tuple(self, depth: int) -> _Node:
        """A single item is followed by a comma, which no other item may be the last with."""
        items: list[_Node] = []
        while not self.take(")"):
            if items:
                self.expect(",")
                if len(items) == 1 and self.take(")"):
                    return _Tuple(items)
            items.append(self.parse(depth))
        if len(items) == 1:
            raise ValueError("a structure of one item is written (item,)")
        return _Tuple(items)

    def _parse_dict(self, depth: int) -> _Node:
        pairs: list[tuple[_Node, _Node]] = []
        while not self.take("}"):
            if pairs:
                self.expect(",")
            key = self.parse(depth)
            self.expect(":")
            pairs.append((key, self.parse(depth)))
        return _Dict(pairs)
