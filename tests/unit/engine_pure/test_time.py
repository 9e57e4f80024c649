"""The time of creation, as state.json has it."""

from __future__ import annotations

import re
import time
from datetime import UTC, datetime, timedelta

import pytest

from pyoci.engine.create import utc_now

# RFC 3339 section 5.6, with nanoseconds and in UTC.
FORM = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", re.ASCII)


@pytest.mark.parametrize(
    ("nanoseconds", "text"),
    [
        (0, "1970-01-01T00:00:00.000000000Z"),
        (1, "1970-01-01T00:00:00.000000001Z"),
        (951_782_400 * 10**9 + 120_000_000, "2000-02-29T00:00:00.120000000Z"),
        (2**31 * 10**9 + 999_999_999, "2038-01-19T03:14:08.999999999Z"),
    ],
)
def test_known_times(monkeypatch: pytest.MonkeyPatch, nanoseconds: int, text: str) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: nanoseconds)
    assert utc_now() == text


def test_now_wherever_we_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    time.tzset()
    try:
        now = utc_now()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert FORM.fullmatch(now)
    assert abs(datetime.fromisoformat(now) - datetime.now(UTC)) < timedelta(seconds=5)
