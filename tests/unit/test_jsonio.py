"""Our JSON against the standard library's: same values, same text, same refusals."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyoci import jsonio

values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4)
    ),
    max_leaves=12,
)
# Texts near JSON: pieces of it in any order.
pieces = st.lists(
    st.sampled_from([
        *'{}[],:" \n\t\\',
        '"a"', '"b":', "1", "-", "0", "01", "1.5", "1e9", "-0", "1e999", "true", "null", "NaN",
        "Infinity", "\\u00e9", "\\ud800", "'x'", "\x00", "\ufeff", "/**/",
    ]),
    max_size=7,
).map("".join)  # fmt: skip


def loads_strictly(text: str) -> Any:  # noqa: ANN401
    """What the library makes of it, with the same three additions to strictness."""
    return json.loads(
        text,
        object_pairs_hook=jsonio.refuse_duplicates,
        parse_constant=jsonio.refuse_constant,
        parse_float=jsonio.parse_float,
    )


@given(values)
@settings(max_examples=50)
def test_dumps_is_the_librarys(value: object) -> None:
    assert jsonio.dumps(value) == json.dumps(value, separators=(",", ":"))
    assert jsonio.dumps(value, indent="  ") == json.dumps(value, indent=2)


@given(values)
@settings(max_examples=50)
def test_round_trip(value: object) -> None:
    assert jsonio.loads(jsonio.dumps(value)) == value
    assert jsonio.loads(f" \t\r\n{jsonio.dumps(value, indent='    ')}\n") == value


@given(st.one_of(pieces, st.text(max_size=10)))
def test_loads_takes_and_refuses_what_the_library_does(text: str) -> None:
    try:
        expected = loads_strictly(text)
    except ValueError:
        with pytest.raises(ValueError, match=r"."):
            jsonio.loads(text)
    else:
        assert jsonio.loads(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "{", "[1,]", "{'a': 1}", '{"a" 1}', "01", "+1", ".5", "1.", "0x1", "nul",
        '"\n"', '"\\x"', '"', "1 2", "{} x", "\ufeff{}", "NaN", "-Infinity", "[Infinity]",
        '{"a": 1, "a": 2}', '[{"x": {"b": 0, "b": 0}}]', "1e999", "[-1e999]", "9" * 5000,
    ],
)  # fmt: skip
def test_no_json(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        jsonio.loads(text)


def test_the_duplicate_is_named() -> None:
    with pytest.raises(ValueError, match="duplicate member 'b'"):
        jsonio.loads('{"a": 1, "b": {"a": 2}, "b": 1, "a": 3}')


def test_deep_nesting_ends_in_a_python_error() -> None:
    with pytest.raises((RecursionError, ValueError)):
        jsonio.loads("[" * 100_000 + "]" * 100_000)


def test_types_are_exact() -> None:
    loaded = jsonio.loads('[1, 1.0, true, "1", 1e2]')
    assert isinstance(loaded, list)
    assert [type(item) for item in loaded] == [int, float, bool, str, float]


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_dumps_refuses_numbers_that_json_has_not(value: float) -> None:
    with pytest.raises(ValueError, match="is not a JSON value"):
        jsonio.dumps({"a": [value]})


@pytest.mark.parametrize("value", [b"x", {1: 2}, {None: 1}, {"a"}, object(), 1j])
def test_dumps_refuses_what_has_no_form(value: object) -> None:
    with pytest.raises(TypeError):
        jsonio.dumps([value])


def test_tuples_are_lists() -> None:
    assert jsonio.dumps({"a": (1, (), {})}) == '{"a":[1,[],{}]}'


def test_all_text_is_ascii_and_one_line() -> None:
    assert jsonio.dumps("é\n\x00\ud800\U0001f600") == '"\\u00e9\\n\\u0000\\ud800\\ud83d\\ude00"'


def test_bad_text_is_a_value_error_also_where_json_was_never_imported() -> None:
    # CPython 3.11's scanner cannot even raise as long as json.decoder is not there.
    code = """
import sys
from pyoci import jsonio
assert "json" not in sys.modules
assert jsonio.loads('{"a": [1]}') == {"a": [1]}
assert "json" not in sys.modules
try:
    jsonio.loads('{')
except ValueError:
    print("refused")
"""
    root = jsonio.__file__.rpartition("/pyoci/")[0]
    command = [sys.executable, "-ISc", f"import sys; sys.path.append({root!r})\n{code}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "refused\n"
