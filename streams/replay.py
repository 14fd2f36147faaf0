"""Recorded data products, as a publisher publishes them again."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Iterable, Iterator

from node.errors import UserError
from node.membership import product_of

from streams.points import END_TYPE, BadPoint, Point, end_message, ended_streams

from gravity import GravityDataProduct
from gravity_recording import Recorded, Recording, RecordingError, open_recording

log = logging.getLogger(__name__)

PointsIn = Callable[[GravityDataProduct], Iterable[Point]]


def opened(name: str) -> Recording:
    """Return the recording in a file; raise UserError if there is none."""
    try:
        return open_recording(name)
    except OSError as error:
        raise UserError(f"cannot read {name} ({error.strerror}); check the name given to --replay") from None
    except RecordingError as error:
        raise UserError(f"{error}; check the name given to --replay") from None


def messages(recording: Recording, channels: Collection[str]) -> Iterator[tuple[int, Recorded]]:
    """Return the messages of these data products, each with its receipt (microseconds since the epoch).

    Damage is logged, and ends them. Raises UserError if there are none.
    """
    if not any(channel in recording.products for channel in channels):
        found = f"only of {', '.join(recording.products)}; set subscription_name, or streams, in Gravity.ini"
        raise UserError(
            f"{recording.path} holds no messages of {', '.join(channels)}, "
            + (found if recording.products else "nor any others")
        )
    return _messages(recording, channels)


def _messages(recording: Recording, channels: Collection[str]) -> Iterator[tuple[int, Recorded]]:
    known = recording.damage
    if known:
        log.warning("%s; it is replayed up to there", known)
    for message in recording.messages(ids=channels):
        yield message.received, message
    if recording.damage is not known:
        log.warning("%s; it was replayed up to there", recording.damage)


def products(recorded: Iterable[tuple[int, Recorded]], points_in: PointsIn) -> Iterator[GravityDataProduct]:
    """Yield data products to publish: those recorded, and at the end such as end the streams that have not ended.

    Their timestamps are those of the recorded publication, but increase: subscribers drop what is older than what
    came before, as messages of several publishers may be. `points_in`: returns the points in a data product, or
    raises BadPoint.
    """
    live: dict[str, str] = {}  # streams that have not ended, and their data products
    count = newest = 0
    for _, message in recorded:
        old = GravityDataProduct(data=message.product)
        is_end = old.typeName == END_TYPE
        if is_end and old.isCachedDataproduct:  # it came from a cache; published again, it would count
            continue
        with contextlib.suppress(BadPoint):
            if is_end:
                for stream in ended_streams(old.data):
                    live.pop(stream, None)
            else:
                live.update((point.name, message.id) for point in points_in(old))
        product = GravityDataProduct(message.id)
        product.data, product.typeName, product.protocol = old.data, old.typeName, old.protocol
        product.timestamp = newest = max(old.timestamp, newest + 1)
        yield product
        count += 1
    for channel in sorted(set(live.values())):
        product = product_of(channel, end_message(tuple(sorted(s for s in live if live[s] == channel))))
        product.timestamp = newest + 1
        yield product
    log.info("the recording ended: %d messages published", count)
