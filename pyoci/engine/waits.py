"""Waiting for time to pass, where there is nothing better to wait for."""

from __future__ import annotations


def pause(milliseconds: int) -> None:
    """Wait this long."""
    from select import poll

    poll().poll(milliseconds)
