"""Decides what surrounds an alarm: the minute before it, what comes while it lasts, and the minute after it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from recording.recent import Message, Recent

SPAN = 60_000_000  # microseconds by receipt, before and after an alarm


class File(Protocol):
    """What takes messages until it is closed."""

    def add(self, message: Message) -> None:
        """Add a message."""

    def close(self) -> None:
        """Take no more."""


class AroundAlarms:
    """Writes what surrounds alarms; those that follow each other within SPAN go into one file.

    Messages come in lots, as they are taken from the inbox. An alarm may begin with the first message of the lot in
    which it is found, and end with the last one, so that no file holds less than it should.
    """

    def __init__(self, opened: Callable[[int], File]) -> None:
        """`opened`: returns a file for the alarm that starts at a time, in microseconds since the epoch."""
        self._opened = opened
        self._file: File | None = None
        self._recent = Recent()
        self._alarm = False
        self._end = 0  # of what follows the last alarm
        self._latest = 0  # receipt

    def taken(self, lot: Sequence[Message], now: int) -> None:
        """Note what was taken from the inbox; `now`: the time, in microseconds since the epoch."""
        begin = lot[0].received if lot else now
        self._recent.forget(before=begin - SPAN)
        self._close_after(begin)
        for message in lot:
            self._latest = message.received
            self._close_after(self._latest)
            self._add(message)

    def told(self, message: Message, alarm_at: int | None) -> None:
        """Note a finding; `alarm_at`: its time if there is an alarm, in microseconds since the epoch."""
        self._add(message)
        if self._alarm and alarm_at is None:
            self._end = self._latest + SPAN
        self._alarm = alarm_at is not None
        if alarm_at is not None and self._file is None:
            self._file = self._opened(alarm_at)
            for recent in self._recent:
                self._file.add(recent)

    def close(self) -> None:
        """End the present file, if there is one."""
        if self._file:
            self._file.close()
            self._file = None

    def _close_after(self, time: int) -> None:
        if not self._alarm and time > self._end:
            self.close()

    def _add(self, message: Message) -> None:
        self._recent.add(message)
        if self._file:
            self._file.add(message)
