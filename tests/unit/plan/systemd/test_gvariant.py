"""GVariant text: the values of the format's documentation, and what D-Bus cannot carry."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pyoci.plan.systemd.gvariant import parse_variant


@pytest.mark.parametrize(
    ("text", "signature", "value"),
    [
        ("true", "b", True),
        ("boolean false", "b", False),
        ("5", "i", 5),
        (" -5\n", "i", -5),
        ("0x1F", "i", 31),
        ("-017", "i", -15),
        ("byte 0xff", "y", 255),
        ("int16 -32768", "n", -32768),
        ("uint16 65535", "q", 65535),
        ("uint32 4294967295", "u", 4294967295),
        ("int64 -9223372036854775808", "x", -(2**63)),
        ("uint64 18446744073709551615", "t", 2**64 - 1),
        ("@t 5", "t", 5),
        ("double 5", "d", 5.0),
        ("5.", "d", 5.0),
        ("1e-3", "d", 0.001),
        ("-inf", "d", -math.inf),
        ("'a'", "s", "a"),
        ('"it\'s"', "s", "it's"),
        (r"'\'\n\t\\\q\u00e9\U0001F600'", "s", "'\n\t\\q\u00e9\U0001f600"),
        ("'a\\\nb'", "s", "ab"),
        ("objectpath '/a/b_1'", "o", "/a/b_1"),
        ("signature 'a{sv}i'", "g", "a{sv}i"),
        ("b'a\\101\\n'", "ay", [97, 65, 10, 0]),
        ("b'\\0'", "ay", [0, 0]),
        ("[]", None, None),
        ("@as []", "as", []),
        ("@as[]", "as", []),
        ("['a', 'b']", "as", ["a", "b"]),
        ("[1, uint64 2]", "at", [1, 2]),
        ("[1, 2.5]", "ad", [1.0, 2.5]),
        ("[[], [1]]", "aai", [[], [1]]),
        ("[(1, 'a'), (uint16 2, 'b')]", "a(qs)", [(1, "a"), (2, "b")]),
        ("(1,)", "(i)", (1,)),
        ("(1, 'a', [true])", "(isab)", (1, "a", [True])),
        ("{'a': 1, 'b': 2}", "a{si}", {"a": 1, "b": 2}),
        ("@a{sv} {}", "a{sv}", {}),
        ("{1: <'a'>}", "a{iv}", {1: ("s", "a")}),
        ("<uint64 5>", "v", ("t", 5)),
        ("[<1>, <'a'>]", "av", [("i", 1), ("s", "a")]),
    ],
)
def test_value(text: str, signature: str | None, value: Any) -> None:  # noqa: ANN401
    if signature is None:
        with pytest.raises(ValueError, match="the type of what is empty must be given"):
            parse_variant(text)
        return
    found = parse_variant(text)
    assert found == (signature, value)
    assert type(found[1]) is type(value)


def test_not_a_number() -> None:
    signature, value = parse_variant("nan")
    assert signature == "d"
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "a value is missing"),
        ("inactive", "'inactive' is no value"),
        ("5 6", "'6' follows the value"),
        ("2147483648", "2147483648 is not between -2147483648 and 2147483647"),
        ("byte -1", "-1 is not between 0 and 255"),
        ("byte 1.5", "the types y and d do not fit together"),
        ("uint32 'a'", "the types u and string do not fit together"),
        ("[1, 'a']", "the types number and string do not fit together"),
        ("[1, true]", "the types number and b do not fit together"),
        ("09", "'09' is no value"),
        ("1_000", "'1_000' is no value"),
        ("1e999", "'1e999' is no value"),
        ("infinity", "'infinity' is no value"),
        ("'a", "a string does not end"),
        ("'a\\", "a string does not end"),
        (r"'\u12'", "is no character"),
        (r"'\U00110000'", "is no character"),
        (r"'\u0000'", "a string cannot hold"),
        (r"'\ud800'", "a string cannot hold"),
        ("just 5", "D-Bus has no maybe types"),
        ("nothing", "D-Bus has no maybe types"),
        ("@ms 'a'", "\"ms 'a'\" is no type of D-Bus"),
        ("handle 1", "a file handle cannot be given"),
        ("@h 1", "'h 1' is no type of D-Bus"),
        ("()", "D-Bus has no empty structures"),
        ("(1)", "a structure of one item is written (item,)"),
        ("(1, 2,)", "')' is no value"),
        ("[1,]", "']' is no value"),
        ("[1", "expected ',' instead of the end"),
        ("[1 2]", "expected ',' instead of '2]'"),
        ("{1, 2}", "expected ':' instead of ', 2}'"),
        ("{[1]: 2}", "the key of a dictionary must be a boolean, a number or a string"),
        ("{1: 2, 1: 3}", "the key 1 is there twice"),
        ("objectpath 'a'", "'a' is no object path"),
        ("objectpath '/a/'", "'/a/' is no object path"),
        ("objectpath '/ä'", "'/ä' is no object path"),
        ("signature 'a'", "'' is no type of D-Bus"),
        ("@a{vs} {}", "has a bad type of a dictionary"),
        ("[" * 40, "the value is nested deeper than 32"),
        ("@" + "a" * 40 + "i []", "the type is nested deeper than 32"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  (the words are compared)
        parse_variant(text)
    assert reason in str(caught.value)
