"""Say what is wrong with a config.json that the acceptor refused: the slow road.

jsonschema takes seventy milliseconds to import, so nothing here runs before ``accept.py`` has said
no. Whether a config is valid is decided there, not here.
"""

from __future__ import annotations

from pyoci import jsonio
from pyoci.errors import ConfigError
from pyoci.libraries import add_library_paths

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any, TypeAlias

    Json = dict[str, Any]
    # What jsonschema gives and takes: not all versions of it have types.
    Untyped: TypeAlias = Any

SHOWN_CHARACTERS = 60
SHOWN_WORDS = 8
SCHEMA_NAME = "config.schema.json"

_NOUNS = {
    "string": "a string",
    "integer": "an integer",
    "boolean": "true or false",
    "object": "an object",
    "array": "an array",
}


def explain(config: Untyped) -> ConfigError:
    """The error to raise for a refused config: the JSON path at fault, what was expected there.

    Never fails: without jsonschema, or where it finds nothing, the error says just that.
    """
    try:
        validator = schema_validator()
    except ImportError:
        return _mismatch("install python3-jsonschema to be told where")
    except OSError:
        return _mismatch(f"{SCHEMA_NAME} is not installed, so where cannot be said")
    try:
        error = _most_telling(validator.iter_errors(config))
    except RecursionError:
        return _mismatch("it is nested too deeply to say where")
    if error is None:
        return _mismatch("this is a bug in pyoci: please report it, with the file")
    return _worded(error)


def schema_validator() -> Untyped:
    """jsonschema's validator of our schema, with ``$`` as JSON Schema means it.

    ImportError without jsonschema; OSError without the schema's file.
    """
    add_library_paths()
    import re

    from jsonschema import Draft4Validator
    from jsonschema.exceptions import ValidationError
    from jsonschema.validators import extend

    # Python's $ also matches before a newline at the end; that of ECMA 262, which JSON Schema
    # refers to, does not.
    def match_pattern(_: object, pattern: str, value: object, __: object) -> Iterator[object]:
        exact = pattern[:-1] + r"\Z" if pattern.endswith("$") else pattern
        if isinstance(value, str) and not re.search(exact, value):
            yield ValidationError(f"does not match {pattern}")

    make: Untyped = extend
    return make(Draft4Validator, {"pattern": match_pattern})(_read_schema())


def _read_schema() -> Json:
    # Installed, the schemas are a folder of the package; in a checkout they are beside it.
    package = __file__.rpartition("/")[0].rpartition("/")[0]
    try:
        text = _read(f"{package}/schemas/{SCHEMA_NAME}")
    except FileNotFoundError:
        text = _read(f"{package}/../schemas/{SCHEMA_NAME}")
    schema = jsonio.loads(text)
    if not isinstance(schema, dict):
        message = f"{SCHEMA_NAME} holds no object"
        raise OSError(message)
    return schema


def _read(path: str) -> str:
    with open(path, encoding="utf-8") as file:
        return file.read()


def _mismatch(hint: str) -> ConfigError:
    return ConfigError("", "config.json does not match its schema", hint)


def _most_telling(errors: Untyped) -> Untyped:
    from jsonschema.exceptions import best_match

    error: Untyped = best_match(errors)
    # best_match goes down into the alternatives of anyOf; ours are explained by their title.
    while error is not None and error.parent is not None:
        error = error.parent
    return error


def _worded(error: Untyped) -> ConfigError:
    path = [*error.absolute_path]
    hint = ""
    if error.validator == "required":
        missing = next(name for name in error.validator_value if name not in error.instance)
        return ConfigError(json_path([*path, missing]), "required, but missing")
    if error.validator == "minItems":
        reason = f"expected at least {error.validator_value} item, got {shorten(error.instance)}"
    elif error.validator == "anyOf":
        reason = f"expected {error.schema['title']}"
    else:
        reason = f"expected {_expected(error.schema)}, got {shorten(error.instance)}"
    if error.validator == "enum":
        hint = _similar(error.instance, error.validator_value)
    return ConfigError(json_path(path), reason, hint)


def _expected(schema: Json) -> str:
    types = schema["type"]
    kind = next(one for one in types if one != "null") if isinstance(types, list) else types
    noun = str(schema.get("title", _NOUNS[kind]))
    words = schema.get("enum")
    if words:
        shown = [word or '""' for word in words[:SHOWN_WORDS]]
        more = ["..."] if len(words) > SHOWN_WORDS else []
        return f"{noun} ({', '.join(shown + more)})"
    if "title" not in schema and "minimum" in schema:
        return f"{noun} from {schema['minimum']} to {schema['maximum']}"
    if "$schema" in schema:
        return "an object in config.json"
    return noun


def _similar(word: object, words: list[str]) -> str:
    from difflib import get_close_matches

    near = get_close_matches(word, words, 1) if isinstance(word, str) else []
    return f"did you mean {near[0]}?" if near else ""


def json_path(steps: Iterable[str | int]) -> str:
    """Names and indices as one path: ``process.args[0]``, ``annotations["a.b"]``."""
    path = ""
    for step in steps:
        if isinstance(step, int):
            path += f"[{step}]"
        elif step.isascii() and step.isidentifier():
            path += f".{step}" if path else step
        else:
            path += f"[{shorten(step)}]"
    return path


def shorten(value: object) -> str:
    """A JSON value for a message: one line of at most 60 ASCII characters."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array" if value else "an empty array"
    text = jsonio.dumps(value)
    if len(text) <= SHOWN_CHARACTERS:
        return text
    return text[: SHOWN_CHARACTERS - 3] + "..."
