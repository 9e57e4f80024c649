"""Who somebody is: the words of ``exec --user``, and what passwd(5) and group(5) say of a name.

Pure. The files are the image's: what is no id there is an error, never a default (SECURITY:
R-USER-1 to R-USER-3). Reading them is not here but in ``pyoci/host/accounts.py``.
"""

from __future__ import annotations

from pyoci.errors import PyociError, UsageError
from pyoci.record import Record
from pyoci.spec.rules_process import MAX_ID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_MAX_DIGITS = 20  # the largest id has ten; more than these need not be converted to be refused


class UserWord(Record):
    """UID[:GID] or NAME[:GROUP], or a mixture: an id where digits were given, else the name."""

    uid: int | None = None
    name: str = ""
    gid: int | None = None
    group: str = ""

    @property
    def needs_passwd(self) -> bool:
        """Whether /etc/passwd has to be read."""
        return bool(self.name)

    @property
    def needs_group(self) -> bool:
        """Whether /etc/group has to be read: for a group's name, or for the groups of a user."""
        return bool(self.group) or (bool(self.name) and self.gid is None)


class Identity(Record):
    """The ids to take on; None leaves what the process has."""

    uid: int
    gid: int | None = None
    additional_gids: tuple[int, ...] | None = None


def parse_user(word: str) -> UserWord:
    """The parts of the word; UsageError. All digits are an id, whatever the image calls so."""
    user, colon, group = word.partition(":")
    if not user or (colon and not group) or ":" in group:
        raise UsageError(f"--user: expected UID[:GID] or NAME[:GROUP], got {word!a}")
    uid, name = _id_or_name(user, "--user")
    gid, group_name = _id_or_name(group, "--user") if group else (None, "")
    return UserWord(uid=uid, name=name, gid=gid, group=group_name)


def _id_or_name(text: str, option: str) -> tuple[int | None, str]:
    return (parse_id(text, option), "") if _is_number(text) else (None, text)


def _is_number(text: str) -> bool:
    # int() takes other alphabets' digits, blanks, signs and underscores too.
    return text.isascii() and text.isdigit()


def parse_id(text: str, option: str) -> int:
    """The id that an option was given; UsageError if it is none the kernel has."""
    number = _read_id(text)
    if number is None:
        raise UsageError(f"{option}: expected an id from 0 to {MAX_ID}, got {text!a}")
    return number


def _read_id(text: str) -> int | None:
    if not _is_number(text) or len(text) > _MAX_DIGITS or int(text) > MAX_ID:
        return None
    return int(text)


def resolve_user(word: UserWord, passwd: str, group: str) -> Identity:
    """The word in numbers, by the texts of the container's passwd and group files.

    A name brings its primary group, and the groups that list it as a member, unless the word
    names a group, which then is the only one. PyociError for a name that is not there.
    """
    uid, gid, member_of = word.uid, word.gid, None
    if word.group:
        gid = find_group(group, word.group)
    if uid is None:
        uid, primary = find_user(passwd, word.name)
        member_of = () if gid is not None else groups_of(group, word.name)
        gid = primary if gid is None else gid
    return Identity(uid=uid, gid=gid, additional_gids=member_of)


def find_user(passwd: str, name: str) -> tuple[int, int]:
    """The ids of a user and of its primary group; PyociError."""
    for fields in _lines_of(passwd, name):
        return _entry_id(fields, 2, "user"), _entry_id(fields, 3, "user")
    raise PyociError(f"unable to find user {name}: no matching entries in passwd file")


def find_group(group: str, name: str) -> int:
    """The id of a group; PyociError."""
    for fields in _lines_of(group, name):
        return _entry_id(fields, 2, "group")
    raise PyociError(f"unable to find group {name}: no matching entries in group file")


def groups_of(group: str, member: str) -> tuple[int, ...]:
    """The ids of the groups that list the user, in the order of the file, each once; PyociError."""
    entries = [line.split(":") for line in group.split("\n")]
    found = [
        _entry_id(fields, 2, "group")
        for fields in entries
        if len(fields) > 3 and member in fields[3].split(",")
    ]
    return tuple(dict.fromkeys(found))


def _lines_of(text: str, name: str) -> Iterator[list[str]]:
    for line in text.split("\n"):
        fields = line.split(":")
        if fields[0] == name and len(fields) > 1:
            yield fields


def _entry_id(fields: list[str], index: int, kind: str) -> int:
    number = _read_id(fields[index]) if index < len(fields) else None
    if number is None:
        file = "passwd" if kind == "user" else "group"
        raise PyociError(f"{kind} {fields[0]}: its entry in the {file} file has no valid id")
    return number
