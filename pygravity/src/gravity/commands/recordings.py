"""What the subcommands that read recordings share."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from .common import CommandError, warn
from gravity_recording import Recorded, Recording, RecordingError, open_recording
from gravity_recording.split import files


@contextmanager
def opened(paths: Sequence[Path], *, warns: bool = True) -> Iterator[list[Recording]]:
    """Yield recordings, or all in folders, in order of their first messages; raise CommandError.

    `warns`: whether to warn of damage.
    """
    with ExitStack() as stack:
        recordings = []
        for path in paths:
            try:
                found = [stack.enter_context(open_recording(file)) for file in files(path)]
            except OSError as error:
                raise CommandError(f"cannot read {error.filename or path}: {error.strerror}") from None
            except RecordingError as error:
                raise CommandError(str(error)) from None
            if not found:
                raise CommandError(f"{path} holds no recordings (.mcap, .bin)")
            recordings += found
        for recording in recordings:
            if recording.damage and warns:
                warn(f"{recording.damage}; what comes before is read")
        yield sorted(recordings, key=begin_of)


def begin_of(recording: Recording) -> int:
    """Return the receipt of the first message, in microseconds since the epoch; 0 if there is none."""
    return min((product.first for product in recording.products.values()), default=0)


def end_of(recording: Recording, ids: Collection[str] | None = None) -> int:
    """Return the receipt of the last message, of `ids` only if given; in microseconds since the epoch, 0 if none."""
    products = recording.products.items()
    return max((product.last for id, product in products if ids is None or id in ids), default=0)


def messages_of(
    recordings: Sequence[Recording], ids: Collection[str] | None = None, start: int | None = None
) -> Iterator[Recorded]:
    """Yield the messages of one recording after the other, as Recording.messages does; warn of new damage."""
    for recording in recordings:
        known = recording.damage
        yield from recording.messages(ids, start)
        if recording.damage is not known:
            warn(f"{recording.damage}; what comes before has been read")


def ids_of(recordings: Sequence[Recording], wanted: Sequence[str]) -> list[str]:
    """Return the ids of the wanted data products that there are, of all if `wanted` is empty; warn of the others."""
    there = list(dict.fromkeys(id for recording in recordings for id in recording.products))
    for id in wanted:
        if id not in there:
            warn(f"{', '.join(str(recording.path) for recording in recordings)}: there are no messages of {id}")
    return [id for id in there if not wanted or id in wanted]
