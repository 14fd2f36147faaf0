"""The files that a run is recorded in: checked before there is anything to write, and made when there is."""

from __future__ import annotations

import contextlib
import logging
import os
import tempfile
from argparse import ArgumentParser, ArgumentTypeError
from datetime import datetime
from itertools import count
from pathlib import Path

from node.errors import UserError

from recording.recent import Message

from gravity_recording import RecordingWriter

log = logging.getLogger(__name__)


def add_options(parser: ArgumentParser) -> None:
    """Add the options that say where to record."""
    parser.add_argument(
        "--record", metavar="FILE", type=_path,
        help="record what is received and found in FILE (MCAP), for --replay or Foxglove",
    )  # fmt: skip
    parser.add_argument(
        "--record-alarms", metavar="FOLDER", type=_path,
        help="record each alarm in a file in FOLDER, from a minute before it until a minute after it",
    )  # fmt: skip


def _path(text: str) -> Path:
    if not text:
        raise ArgumentTypeError("a name is missing")
    return Path(text)


def check(file: Path | None, folder: Path | None, report: Path | None = None) -> None:
    """Make `folder`; raise UserError if `file` exists, or is the `report`, or one of them could not be written to."""
    if file and os.path.lexists(file):
        raise UserError(f"{file} exists; record to another file, or remove it")
    if file and report and file.resolve() == report.resolve():
        raise UserError(f"--record and --report both name {file}; choose another file for one of them")
    if folder and os.path.lexists(folder) and not folder.is_dir():
        raise UserError(f"{folder} is not a folder; choose another one for --record-alarms")
    for where in filter(None, (file and file.parent, folder)):
        try:
            if where is folder:
                where.mkdir(parents=True, exist_ok=True)
            tempfile.TemporaryFile(dir=where).close()
        except OSError as error:
            raise UserError(f"cannot record in {where.resolve()} ({error.strerror}); choose another folder") from None


def of_alarm(folder: Path, time: int) -> RecordedFile:
    """Return a new file for the alarm that starts at a time, in microseconds since the epoch."""
    name = f"alarm_{datetime.fromtimestamp(time // 1_000_000):%Y%m%d_%H%M%S}"
    names = (f"{name}.mcap" if number == 1 else f"{name}_{number}.mcap" for number in count(1))
    path = next(path for path in map(folder.joinpath, names) if not os.path.lexists(path))
    log.info("keeping what surrounds the alarm in %s", path)
    return RecordedFile(path)


class RecordedFile:
    """A recording, made with its first message. If it cannot be written, a warning says so, and all else goes on."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: RecordingWriter | None = None
        self._failed = False

    def add(self, message: Message) -> None:
        """Write a message."""
        if self._failed:
            return
        try:
            self._writer = self._writer or RecordingWriter(self._path)
            self._writer.add(message.product, message.received)
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Write what is left, and the index."""
        if not self._writer or self._failed:
            return
        try:
            self._writer.close()
        except OSError as error:
            self._fail(error)
        else:
            log.info("recorded in %s; number of messages: %d", self._path, self._writer.counts.total())

    def _fail(self, error: OSError) -> None:
        self._failed = True
        log.warning("the recording %s ends early (%s); detection goes on", self._path, error.strerror)
        if self._writer:
            with contextlib.suppress(OSError):  # the same
                self._writer.close()
