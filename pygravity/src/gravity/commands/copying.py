"""Copies recordings from format to format."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path

from google.protobuf.descriptor import Descriptor

from .recordings import messages_of
from gravity_recording import Compression, Recording, RecordingWriter
from gravity_recording.archive import MARK, record
from gravity_recording.schemas import find

RECORDINGS = (".mcap", ".bin")


class _Types:
    """The message types that any of several recordings describes."""

    def __init__(self, recordings: Sequence[Recording]) -> None:
        self._places = [recording.types for recording in recordings]

    def FindMessageTypeByName(self, full_name: str) -> Descriptor:
        descriptor = find(full_name, *self._places)
        if descriptor is None:
            raise KeyError(full_name)
        return descriptor


def copy(
    recordings: Sequence[Recording],
    ids: Collection[str] | None,
    path: Path,
    suffix: str,
    compression: Compression,
) -> int:
    """Write the messages of recordings to a new file, .mcap or .bin by `suffix`, and return their number.

    Raises OSError.
    """
    count = 0
    if suffix == ".bin":
        with path.open("wb") as file:
            file.write(MARK)
            for message in messages_of(recordings, ids):
                file.write(record(message.product))
                count += 1
        return count
    with RecordingWriter(path, _Types(recordings), compression, overwrite=True) as writer:
        for message in messages_of(recordings, ids):
            writer.add(message.product)
            count += 1
    return count
