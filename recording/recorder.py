"""Records a run: what the detector takes from its inbox, and what it tells, in this order."""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from pathlib import Path
from queue import Queue
from types import TracebackType
from typing import NamedTuple, Self

from recording.alarms import AroundAlarms
from recording.files import RecordedFile, of_alarm
from recording.recent import Message

from gravity import GravityDataProduct

MOST_LOTS = 16  # that wait to be written; then the detector waits, too

log = logging.getLogger(__name__)


class _Told(NamedTuple):
    """A published finding; `alarm_at`: its time, if there is an alarm. Times: microseconds since the epoch."""

    time: int
    product: GravityDataProduct
    alarm_at: int | None


class _Lot(NamedTuple):
    """What was told since the lot before, and what was then taken."""

    told: list[_Told]
    taken: list[GravityDataProduct]
    time: int


class Recorder:
    """Records all to a file, and what surrounds alarms to files in a folder.

    It writes in a thread of its own, so that a signal, which interrupts the main thread anywhere, damages no file.
    Closing it writes what is left.
    """

    def __init__(self, file: Path | None, folder: Path | None) -> None:
        self._file = RecordedFile(file) if file else None
        self._alarms = AroundAlarms(partial(of_alarm, folder)) if folder else None
        self._told: list[_Told] = []
        self._lots: Queue[_Lot | None] = Queue(MOST_LOTS)
        self._thread = threading.Thread(target=self._write_all, name="Recorder", daemon=True)
        self._records = bool(file or folder)

    def taken(self, products: list[GravityDataProduct]) -> None:
        """Record what was taken from the inbox."""
        if self._records:
            told, self._told = self._told, []
            self._lots.put(_Lot(told, products, _now()))

    def told(self, product: GravityDataProduct, alarm_at: int | None) -> None:
        """Record a finding; `alarm_at`: its time in microseconds since the epoch, if there is an alarm."""
        if self._records:
            self._told.append(_Told(_now(), product, alarm_at))

    def __enter__(self) -> Self:
        if self._records:
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._records:
            self.taken([])
            self._lots.put(None)
            self._thread.join()

    def _write_all(self) -> None:
        lot = self._lots.get()
        try:
            try:
                while lot:
                    self._write(lot)
                    lot = self._lots.get()
            finally:
                for output in (self._file, self._alarms):
                    if output:
                        output.close()
        except Exception:
            log.exception("nothing is recorded any more; detection goes on")
        while lot:  # else the detector would wait until somebody takes it
            lot = self._lots.get()

    def _write(self, lot: _Lot) -> None:
        for time_told, product, alarm_at in lot.told:
            product.timestamp = time_told  # Gravity sets that of a copy
            message = Message(time_told, product.serializeToString())
            if self._file:
                self._file.add(message)
            if self._alarms:
                self._alarms.told(message, alarm_at)
        messages = [Message(p.receivedTimestamp or lot.time, p.serializeToString()) for p in lot.taken]
        if self._file:
            for message in messages:
                self._file.add(message)
        if self._alarms:
            self._alarms.taken(messages, lot.time)


def _now() -> int:
    return time.time_ns() // 1000
