"""The fast parser and click read every command line alike, or both refuse it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from pyoci.cli import argv, click_app, options
from pyoci.cli.argv import Invocation
from pyoci.errors import UsageError

if TYPE_CHECKING:
    from pyoci.cli.options import Option

JUNK = st.sampled_from(
    ["-", "--", "---", "--=", "-=x", "--nosuch", "-x", "-db", "-bd", "--bundle", "-b", "--force=x",
     "", "x", "--format", "json", "-f=json", "--root", "run", "kill", "ps", "--detach", "-d=false",
     "--version=0", "-h", "--help", "help", "--preserve-fds=1_0", "\udcff", "a=b", "--bun", "-1"]
)  # fmt: skip

WORDS = st.text(st.characters(exclude_characters="\0"), max_size=6)

VALUES = {
    options.STRING: WORDS | st.sampled_from(["--", "-", "--detach", "=", "a=b"]),
    options.REPEATED: WORDS,
    options.INT: st.integers(-(2**63), 2**63 - 1).map(str),
    options.AUTO_BOOL: st.sampled_from(["auto", *options.TRUE_WORDS, *options.FALSE_WORDS]),
    options.FLAG: st.sampled_from([*options.TRUE_WORDS, *options.FALSE_WORDS]),
}


def values(option: Option) -> st.SearchStrategy[str]:
    if option.kind == options.CHOICE:
        return st.sampled_from(option.metavar.split("|"))
    return VALUES[option.kind]


@st.composite
def uses(draw: st.DrawFn, rows: tuple[options.OptionRow, ...]) -> list[str]:
    """Some options, each in one of its spellings."""
    words: list[str] = []
    for row in draw(st.lists(st.sampled_from(rows), max_size=4)) if rows else []:
        option = options.make_option(row)
        name = draw(st.sampled_from([option.name, option.short or option.name]))
        spelled = draw(st.sampled_from(["-", "--"])) + name
        value = draw(values(option))
        if option.kind == options.FLAG and draw(st.booleans()):
            words.append(spelled)
        elif option.kind == options.FLAG or draw(st.booleans()):
            words.append(f"{spelled}={value}")
        else:
            words += [spelled, value]
    return words


@st.composite
def well_formed(draw: st.DrawFn) -> list[str]:
    name = draw(st.sampled_from(sorted(options.COMMANDS)))
    _, arguments, in_order, _, rows = options.COMMANDS[name]
    least, most = options.count_arguments(arguments)
    plain = WORDS.filter(lambda word: not argv.is_option(word))
    given_arguments = draw(st.lists(plain, min_size=least, max_size=4 if most is None else most))
    own = draw(uses(rows))
    tail = (
        [*given_arguments, *own]
        if draw(st.booleans()) and not in_order
        else [*own, *given_arguments]
    )
    return [*draw(uses(options.GLOBAL_OPTIONS)), name, *tail]


@st.composite
def damaged(draw: st.DrawFn) -> list[str]:
    """A well-formed line with a few words put in, taken out or exchanged."""
    words = draw(well_formed())
    for _ in range(draw(st.integers(1, 3))):
        index = draw(st.integers(0, len(words)))
        words[index : index + draw(st.integers(0, 1))] = draw(st.lists(JUNK, max_size=1))
    return words


def read_slowly(words: list[str]) -> Invocation | None:
    """What click makes of the words; None for help and for mistakes."""
    try:
        made = click_app.parse(words)
    except UsageError:
        return None
    return made if isinstance(made, Invocation) else None


@settings(max_examples=150, deadline=None)
@given(well_formed())
def test_well_formed_lines_read_alike(words: list[str]) -> None:
    made = argv.parse(words)
    assert made is not None
    assert read_slowly(words) == made


@settings(max_examples=250, deadline=None)
@given(damaged() | st.lists(JUNK, max_size=6))
def test_damaged_lines_read_alike(words: list[str]) -> None:
    assert read_slowly(words) == argv.parse(words)
