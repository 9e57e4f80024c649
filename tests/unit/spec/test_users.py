"""Words of --user, and what they mean by a container's passwd and group files."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyoci.errors import PyociError, UsageError
from pyoci.spec.rules_process import MAX_ID
from pyoci.spec.users import (
    Identity,
    UserWord,
    find_group,
    find_user,
    groups_of,
    parse_id,
    parse_user,
    resolve_user,
)

PASSWD = """\
root:x:0:0:root:/root:/bin/sh
web:x:1000:1001::/home/web:/bin/sh
web:x:0:0:the second of the name:/:/bin/sh
1000:x:0:0:a name of digits:/:/bin/sh
broken:x:10a:5::/:/bin/sh
wrapped:x:4294967296:5::/:/bin/sh
kernel:x:4294967295:5::/:/bin/sh
short:x:7
no-group:x:7::/:/:
"""  # noqa: S105  (public)
GROUP = """root:x:0:
wheel:x:10:root,web
games:x:60:web
staff:x:50:webmaster, web
again:x:10:web
broken:x:-1:other
"""


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("0", UserWord(uid=0)),
        ("1000", UserWord(uid=1000)),
        ("1000:5", UserWord(uid=1000, gid=5)),
        ("007", UserWord(uid=7)),
        (str(MAX_ID), UserWord(uid=MAX_ID)),
        ("web", UserWord(name="web")),
        ("web:wheel", UserWord(name="web", group="wheel")),
        ("web:5", UserWord(name="web", gid=5)),
        ("1000:wheel", UserWord(uid=1000, group="wheel")),
        # Not what int() would make of them.
        ("1_0", UserWord(name="1_0")),
        (" 1", UserWord(name=" 1")),
        ("-1", UserWord(name="-1")),
        ("+1", UserWord(name="+1")),
        ("0x0", UserWord(name="0x0")),
        ("\uff11", UserWord(name="\uff11")),
    ],
)
def test_words(word: str, parts: UserWord) -> None:
    assert parse_user(word) == parts


@pytest.mark.parametrize(
    "word",
    ["", ":", "1:", ":1", "a:b:c", "1:2:3", str(MAX_ID + 1), str(2**32), str(2**64), "0:4294967295",
     "9" * 5000],
)  # fmt: skip
def test_what_is_nobody(word: str) -> None:
    with pytest.raises(UsageError, match="--user"):
        parse_user(word)


@given(st.integers(0, MAX_ID))
def test_every_id_is_itself(number: int) -> None:
    assert parse_id(str(number), "-g") == number
    assert parse_user(f"{number}:{number}") == UserWord(uid=number, gid=number)


@given(st.text(max_size=12))
def test_a_word_is_refused_or_names_somebody(word: str) -> None:
    try:
        made = parse_user(word)
    except UsageError:
        return
    # Never both, never neither; and an id only where all of it was digits.
    assert (made.uid is None) == bool(made.name)
    if made.uid is not None:
        assert int(word.partition(":")[0]) == made.uid


@pytest.mark.parametrize(
    "text", ["", "-1", "1 ", "x", "1.0", "\uff11", str(MAX_ID + 1), "9" * 5000]
)
def test_what_is_no_id(text: str) -> None:
    with pytest.raises(UsageError, match="--additional-gids: expected an id"):
        parse_id(text, "--additional-gids")


def resolve(word: str) -> Identity:
    return resolve_user(parse_user(word), PASSWD, GROUP)


def test_an_id_stays_an_id_whatever_the_image_calls_so() -> None:
    assert resolve("1000") == Identity(uid=1000)  # CVE-2016-3697
    assert resolve("1000:10") == Identity(uid=1000, gid=10)


def test_a_name_brings_its_groups() -> None:
    assert resolve("web") == Identity(uid=1000, gid=1001, additional_gids=(10, 60))
    assert resolve("root") == Identity(uid=0, gid=0, additional_gids=(10,))


def test_a_named_group_is_the_only_one() -> None:
    assert resolve("web:games") == Identity(uid=1000, gid=60, additional_gids=())
    assert resolve("web:7") == Identity(uid=1000, gid=7, additional_gids=())
    assert resolve("5:games") == Identity(uid=5, gid=60)


def test_the_first_entry_counts() -> None:
    assert find_user(PASSWD, "web") == (1000, 1001)


@pytest.mark.parametrize("name", ["nobody", "", "x", "web:x", "WEB", "web\n", "web "])
def test_a_name_that_is_not_there(name: str) -> None:
    with pytest.raises(PyociError, match="no matching entries in passwd file"):
        find_user(PASSWD, name)
    with pytest.raises(PyociError, match="no matching entries in group file"):
        find_group(GROUP, name)


@pytest.mark.parametrize("name", ["broken", "wrapped", "kernel", "short", "no-group"])
def test_an_entry_without_an_id_is_no_default(name: str) -> None:
    with pytest.raises(PyociError, match="has no valid id"):
        find_user(PASSWD, name)


def test_a_broken_group_is_an_error_to_those_it_is_about() -> None:
    assert find_group(GROUP, "wheel") == 10
    assert groups_of(GROUP, "nobody") == ()
    with pytest.raises(PyociError, match="no valid id"):
        find_group(GROUP, "broken")
    with pytest.raises(PyociError, match="no valid id"):
        groups_of(GROUP, "other")


@given(st.text(alphabet="a:0,\n1x", max_size=60), st.text(alphabet="a:0,\n1x", max_size=60))
def test_no_file_makes_it_do_anything_but_find_or_refuse(passwd: str, group: str) -> None:
    try:
        found = resolve_user(UserWord(name="a"), passwd, group)
    except PyociError:
        return
    entries = [line.split(":") for line in passwd.split("\n")]
    uid, gid = next(entry[2:4] for entry in entries if entry[0] == "a" and len(entry) > 1)
    assert (found.uid, found.gid) == (int(uid), int(gid))


@pytest.mark.parametrize(
    ("word", "passwd", "group"),
    [("1", False, False), ("1:2", False, False), ("1:g", False, True), ("a", True, True),
     ("a:2", True, False), ("a:g", True, True)],
)  # fmt: skip
def test_which_files_are_read(word: str, passwd: bool, group: bool) -> None:
    parts = parse_user(word)
    assert (parts.needs_passwd, parts.needs_group) == (passwd, group)
