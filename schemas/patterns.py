"""A regular expression of a schema as plain string checks, so that the acceptor needs no ``re``.

The subset: ``^...$`` around literals, classes such as ``[0-9a-f]`` and groups with alternatives,
each optionally followed by ``?``, ``*`` or ``+``; and ``[^...]*`` as the last piece. At each point
one character must decide what comes next; ValueError for anything else.
"""

from __future__ import annotations

from dataclasses import dataclass

INDENT = "    "
SPECIAL = "[]()|?*+{}.^$\\"
LONG_CLASS = 30


@dataclass(frozen=True)
class Literal:
    """This text, once."""

    text: str
    repeat: str = ""


@dataclass(frozen=True)
class Chars:
    """One character out of `chars`, or not out of them, repeated as `repeat` says."""

    chars: str
    negated: bool = False
    repeat: str = ""


@dataclass(frozen=True)
class Group:
    """One of several sequences, repeated as `repeat` says."""

    branches: tuple[tuple[Piece, ...], ...]
    repeat: str = ""


Piece = Literal | Chars | Group
Sequence = tuple[Piece, ...]


def compile_pattern(name: str, pattern: str) -> str:
    """The source of a function `name` that says whether a string matches the pattern."""
    pieces = parse(pattern)
    emitter = Emitter(name)
    last = pieces[-1] if pieces else None
    if isinstance(last, Chars) and last.negated and last.repeat == "*":
        if any(isinstance(piece, Group) for piece in pieces):
            message = f"no groups before [^...]*: {pattern}"
            raise ValueError(message)
        lines = emitter.sequence(pieces[:-1], frozenset(), 1)
        tests = [f"{quote(char)} not in rest" for char in last.chars]
        lines.append(f"{INDENT}return {' and '.join(tests)}")
    else:
        lines = [*emitter.sequence(pieces, frozenset(), 1), f"{INDENT}return not rest"]
    constants = "".join(f"{name} = {quote(chars)}\n" for chars, name in emitter.classes.items())
    head = [f"def {name}(rest: str) -> bool:", f"{INDENT}# matches {pattern!r}"]
    return constants + "\n\n" * bool(constants) + "\n".join([*head, *lines]) + "\n"


def quote(text: str) -> str:
    """The text as a Python literal in double quotes."""
    return '"' + repr(text)[1:-1].replace('"', '\\"') + '"'


def parse(pattern: str) -> Sequence:
    """The pieces of the pattern between ``^`` and ``$``."""
    if not pattern.startswith("^") or not pattern.endswith("$"):
        message = f"pattern is not anchored at both ends: {pattern}"
        raise ValueError(message)
    branches, rest = parse_branches(pattern[1:-1])
    if rest or len(branches) != 1:
        message = f"pattern beyond the subset: {pattern}"
        raise ValueError(message)
    return branches[0]


def parse_branches(text: str) -> tuple[tuple[Sequence, ...], str]:
    """The alternatives at the head of the text, and what follows them."""
    branches: list[Sequence] = []
    pieces: list[Piece] = []
    while text and text[0] != ")":
        if text[0] == "|":
            branches.append(tuple(pieces))
            pieces, text = [], text[1:]
            continue
        piece, text = parse_piece(text)
        before = pieces[-1] if pieces else None
        if isinstance(before, Literal) and isinstance(piece, Literal):
            pieces[-1] = Literal(before.text + piece.text)
        else:
            pieces.append(piece)
    return (*branches, tuple(pieces)), text


def parse_piece(text: str) -> tuple[Piece, str]:
    """The piece at the head of the text with its repetition, and what follows it."""
    if text[0] == "(":
        return parse_group(text)
    if text[0] == "[":
        inside, found, rest = text[1:].partition("]")
        if not found or "\\" in inside:
            message = f"class beyond the subset: {text}"
            raise ValueError(message)
        repeat, rest = parse_repeat(rest)
        negated = inside.startswith("^")
        return made_chars(expand(inside.removeprefix("^")), negated, repeat), rest
    if text[0] in SPECIAL:
        message = f"pattern beyond the subset at: {text}"
        raise ValueError(message)
    repeat, rest = parse_repeat(text[1:])
    return made_chars(text[0], False, repeat), rest


def parse_group(text: str) -> tuple[Piece, str]:
    """The group at the head of the text, and what follows it."""
    branches, rest = parse_branches(text[1:])
    if not rest or not all(branches):
        message = f"group without an end, or with an empty alternative: {text}"
        raise ValueError(message)
    repeat, rest = parse_repeat(rest[1:])
    if repeat == "+":
        message = f"write x(x)* instead of (x)+: {text}"
        raise ValueError(message)
    return Group(branches, repeat), rest


def parse_repeat(text: str) -> tuple[str, str]:
    """``?``, ``*``, ``+`` or nothing, and what follows."""
    return (text[0], text[1:]) if text[:1] in {"?", "*", "+"} else ("", text)


def made_chars(chars: str, negated: bool, repeat: str) -> Piece:
    """A class; a class of one character that comes once is a literal."""
    if len(chars) == 1 and not negated and not repeat:
        return Literal(chars)
    return Chars(chars, negated, repeat)


def expand(inside: str) -> str:
    """The characters of a class: ``a-e`` becomes ``abcde``, a dash at the end stands for itself."""
    chars = ""
    while inside:
        if len(inside) > 2 and inside[1] == "-":
            chars += "".join(map(chr, range(ord(inside[0]), ord(inside[2]) + 1)))
            inside = inside[3:]
        else:
            chars += inside[0]
            inside = inside[1:]
    return chars


def first(pieces: Sequence, follow: frozenset[str]) -> frozenset[str]:
    """The characters with which the pieces can begin, those of `follow` if they can be empty."""
    if not pieces:
        return follow
    rest = first(pieces[1:], follow)
    own = first_of(pieces[0], rest)
    return own | rest if pieces[0].repeat in {"?", "*"} else own


def first_of(piece: Piece, follow: frozenset[str]) -> frozenset[str]:
    """The characters with which one occurrence of the piece can begin."""
    if isinstance(piece, Literal):
        return frozenset(piece.text[0])
    if isinstance(piece, Group):
        return frozenset[str]().union(*(first(branch, follow) for branch in piece.branches))
    if piece.negated:
        message = f"[^{piece.chars}] is understood only as the last piece, with *"
        raise ValueError(message)
    return frozenset(piece.chars)


class Emitter:
    """Writes the statements of one pattern; they take what matches off the head of `rest`."""

    def __init__(self, name: str) -> None:
        """Take the function's name, after which long classes are named."""
        self.name = name
        self.classes: dict[str, str] = {}

    def chars(self, chars: str) -> str:
        """An expression for these characters: a literal, or a constant if that would be long."""
        if len(chars) < LONG_CLASS:
            return quote(chars)
        return self.classes.setdefault(chars, f"{self.name.upper()}_{len(self.classes) + 1}")

    def begins(self, chars: frozenset[str]) -> str:
        """An expression that says whether `rest` begins with one of these characters."""
        if len(chars) == 1:
            return f"rest.startswith({quote(min(chars))})"
        return f"rest and rest[0] in {self.chars(''.join(sorted(chars)))}"

    def sequence(
        self, pieces: Sequence, follow: frozenset[str], depth: int, *, decided: bool = False
    ) -> list[str]:
        """Statements for the pieces; decided means that the first character is known to fit."""
        lines: list[str] = []
        for index, piece in enumerate(pieces):
            after = first(pieces[index + 1 :], follow)
            own = first_of(piece, after)
            if piece.repeat and own & after:
                message = f"one character does not decide what follows {piece}"
                raise ValueError(message)
            known = decided and index == 0
            if isinstance(piece, Literal):
                lines += self.literal(piece, depth, known=known)
            elif isinstance(piece, Chars):
                lines += self.one_class(piece, depth, known=known)
            else:
                lines += self.group(piece, own, after, depth)
        return lines

    def literal(self, piece: Literal, depth: int, *, known: bool) -> list[str]:
        """Statements for a text."""
        pad = INDENT * depth
        take = f"{pad}rest = rest[{len(piece.text)}:]"
        if known and len(piece.text) == 1:
            return [take]
        test = f"{pad}if not rest.startswith({quote(piece.text)}):"
        return [test, f"{pad}{INDENT}return False", take]

    def one_class(self, piece: Chars, depth: int, *, known: bool) -> list[str]:
        """Statements for a class."""
        pad = INDENT * depth
        chars = self.chars(piece.chars)
        if piece.repeat == "?":
            return [f"{pad}if rest and rest[0] in {chars}:", f"{pad}{INDENT}rest = rest[1:]"]
        take = f"rest[1:]{'.lstrip(' + chars + ')' if piece.repeat else ''}"
        if piece.repeat == "*":
            return [f"{pad}rest = rest.lstrip({chars})"]
        if known:
            return [f"{pad}rest = {take}"]
        test = f"{pad}if not rest or rest[0] not in {chars}:"
        return [test, f"{pad}{INDENT}return False", f"{pad}rest = {take}"]

    def group(
        self, group: Group, own: frozenset[str], after: frozenset[str], depth: int
    ) -> list[str]:
        """Statements for a group: a branch, an option or a loop."""
        if not group.repeat:
            return self.branches(group.branches, after, depth, decided=False)
        word = "if" if group.repeat == "?" else "while"
        follow = after | own if group.repeat == "*" else after
        head = f"{INDENT * depth}{word} {self.begins(own)}:"
        return [head, *self.branches(group.branches, follow, depth + 1, decided=True)]

    def branches(
        self, branches: tuple[Sequence, ...], follow: frozenset[str], depth: int, *, decided: bool
    ) -> list[str]:
        """Statements that choose a branch by the next character."""
        if len(branches) == 1:
            return self.sequence(branches[0], follow, depth, decided=decided)
        pad = INDENT * depth
        lines: list[str] = []
        seen: frozenset[str] = frozenset()
        for branch in branches:
            own = first(branch, follow)
            if own & seen:
                message = f"two alternatives begin with one of {sorted(own & seen)}"
                raise ValueError(message)
            seen |= own
            lines.append(f"{pad}{'elif' if lines else 'if'} {self.begins(own)}:")
            lines += self.sequence(branch, follow, depth + 1, decided=True)
        return [*lines, f"{pad}else:", f"{pad}{INDENT}return False"]
