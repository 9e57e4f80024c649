"""What may name a container."""

from __future__ import annotations

import string

import pytest

from pyoci.errors import UsageError
from pyoci.spec.ids import check_container_id


@pytest.mark.parametrize(
    "container_id", ["a", "0", "_", "+x", "web-1.2_3+4", "x" * 255, string.ascii_letters]
)
def test_container_ids(container_id: str) -> None:
    check_container_id(container_id)


@pytest.mark.parametrize(
    "container_id",
    [
        *(".", "..", ".hidden", "-x", "a/b", "a b", "a\n", "a\0", "../x", "a:b", "x" * 256),
        *("é", "\N{FULLWIDTH DIGIT ONE}"),
    ],
)
def test_bad_container_ids(container_id: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_container_id(container_id)
    assert caught.value.message.startswith("invalid container ID format: ")
    assert caught.value.message.isascii()
    assert "\n" not in caught.value.message


def test_empty_container_id() -> None:
    with pytest.raises(UsageError, match=r"^container id cannot be empty$"):
        check_container_id("")
