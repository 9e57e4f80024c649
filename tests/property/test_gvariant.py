"""GVariant text: what is written is read again, and whatever is read can be sent over D-Bus."""

from __future__ import annotations

import struct
from typing import Any

import jeepney
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.plan.systemd.gvariant import parse_variant

NAMES = {
    "b": "boolean", "y": "byte", "n": "int16", "q": "uint16", "i": "int32", "u": "uint32",
    "x": "int64", "t": "uint64", "d": "double", "s": "string",
}  # fmt: skip
RANGES = {
    "y": (0, 255), "n": (-(2**15), 2**15 - 1), "q": (0, 2**16 - 1), "i": (-(2**31), 2**31 - 1),
    "u": (0, 2**32 - 1), "x": (-(2**63), 2**63 - 1), "t": (0, 2**64 - 1),
}  # fmt: skip
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)

Typed = tuple[str, Any, str]  # a signature, a value, and the value as GVariant text


def quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def basic(kind: str) -> st.SearchStrategy[Typed]:
    if kind == "b":
        return st.booleans().map(lambda value: (kind, value, f"boolean {str(value).lower()}"))
    if kind == "d":
        floats = st.floats(allow_nan=False)
        return floats.map(lambda value: (kind, value, f"double {value!r}"))
    if kind == "s":
        return TEXTS.map(lambda value: (kind, value, f"string {quote(value)}"))
    forms = st.sampled_from(("{}", "{:#x}"))
    numbers = st.tuples(st.integers(*RANGES[kind]), forms)
    return numbers.map(lambda drawn: (kind, drawn[0], f"{NAMES[kind]} {drawn[1].format(drawn[0])}"))


BASIC = st.one_of([basic(kind) for kind in NAMES])


def same_kind(items: list[Typed]) -> list[Typed]:
    return [item for item in items if item[0] == items[0][0]]


def as_array(items: list[Typed]) -> Typed:
    items = same_kind(items)
    texts = ", ".join(text for _, _, text in items)
    return f"a{items[0][0]}", [value for _, value, _ in items], f"[{texts}]"


def as_tuple(items: list[Typed]) -> Typed:
    texts = "".join(f"{text}, " for _, _, text in items).rstrip()
    texts = texts if len(items) == 1 else texts[:-1]
    kinds = "".join(kind for kind, _, _ in items)
    return f"({kinds})", tuple(value for _, value, _ in items), f"({texts})"


def as_variant(item: Typed) -> Typed:
    return "v", item[:2], f"<{item[2]}>"


def as_dict(drawn: tuple[Typed, Typed]) -> Typed:
    key, item = drawn
    return f"a{{{key[0]}{item[0]}}}", {key[1]: item[1]}, f"{{{key[2]} : {item[2]}}}"


def extend(children: st.SearchStrategy[Typed]) -> st.SearchStrategy[Typed]:
    rows = st.lists(children, min_size=1, max_size=4)
    return st.one_of(
        rows.map(as_array),
        rows.map(as_tuple),
        children.map(as_variant),
        st.tuples(BASIC, children).map(as_dict),
    )


VALUES = st.recursive(BASIC, extend, max_leaves=8)


@given(VALUES)
def test_what_is_written_is_read_again(drawn: Typed) -> None:
    signature, value, text = drawn
    assert parse_variant(text) == (signature, value)
    assert parse_variant(f"@{signature}{text}") == (signature, value)


def send(signature: str, value: Any) -> Any:  # noqa: ANN401
    """The value as it arrives at the other end of a bus."""
    address = jeepney.DBusAddress("/a", "a.b", "a.b")
    made = jeepney.new_method_call(address, "M", "v", ((signature, value),))
    parser = jeepney.Parser()
    parser.add_data(made.serialise(1))
    return parser.get_next_message().body[0]


def plain(value: Any) -> Any:  # noqa: ANN401
    """Bytes are what an array of bytes arrives as."""
    if isinstance(value, bytes):
        return list(value)
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, tuple):
        return tuple(plain(item) for item in value)
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


@given(VALUES)
def test_what_is_read_can_be_sent(drawn: Typed) -> None:
    signature, value = parse_variant(drawn[2])
    assert plain(send(signature, value)) == (signature, plain(value))


PIECES = st.sampled_from(
    [*"[]{}()<>,:@' \"\\-+.", "b'", "true", "5", "uint64 ", "'a'", "@as", "0x", "\\u", "1e", "inf"]
)


@given(st.lists(PIECES, max_size=12).map("".join) | TEXTS)
def test_anything_is_read_or_refused_in_one_line(text: str) -> None:
    try:
        signature, value = parse_variant(text)
    except ValueError as error:
        words = str(error)
    else:
        check_sent(text, signature, value)
        return
    assert words.isprintable()
    assert words


def check_sent(text: str, signature: str, value: Any) -> None:  # noqa: ANN401
    sent = send(signature, value)
    if "nan" not in text:
        assert plain(sent) == (signature, plain(value))


def test_the_oracle_refuses_what_does_not_fit() -> None:
    with pytest.raises(struct.error):
        send("y", 256)
