"""A data product as its publisher holds it: what a message is stamped with, and what a latecomer is sent.

Pure: the time is an argument, frames are returned and not sent.
"""

from __future__ import annotations

from ..GravityDataProductPB_pb2 import GravityDataProductPB
from .envelope import decode_data_product, encode

Frames = tuple[bytes, bytes]  # filter text, data product


class Publication:
    """One registered data product: its identity, its clock and its cache."""

    def __init__(self, id: str, url: str, registered: int, *, origin: tuple[str, str] | None, cache: bool) -> None:
        """`registered`: when, in microseconds since the epoch; `cache`: whether latecomers get the last message.

        `origin`: the component and domain that messages carry, None for a message that carries neither.
        """
        self.id = id
        self.url = url
        self.registered = registered
        self.registration_time = registered // 1_000_000
        self._origin = origin
        self._cache: dict[bytes, tuple[int, bytes]] | None = {} if cache else None
        self._last_stamp = 0

    def frames(self, product: GravityDataProductPB, filter_text: str, timestamp: int, now: int) -> Frames:
        """Stamp `product` and return what goes on the wire; times in microseconds, `timestamp` 0 means now.

        Subscribers drop what is not newer than the message before, so that replays do not reach them twice.
        Hence automatic stamps always grow, even when the clock does not.
        """
        if product.is_relayed_dataproduct:
            timestamp = product.timestamp
        else:
            if not timestamp:
                timestamp = self._last_stamp = now if now > self._last_stamp else self._last_stamp + 1
            product.timestamp = timestamp
            if self._origin:
                product.componentID, product.domain = self._origin
        product.registration_time = self.registration_time
        topic, frame = filter_text.encode(), product.SerializeToString()
        if self._cache is not None:
            self._cache[topic] = (timestamp, frame)
        return topic, frame

    def replay(self) -> list[Frames]:
        """Return the last message of each filter text, oldest first, marked as cached."""
        replayed = []
        for topic, (_, frame) in sorted((self._cache or {}).items(), key=lambda item: item[1][0]):
            product = decode_data_product(frame)
            product.is_cached_dataproduct = True
            replayed.append((topic, encode(product)))
        return replayed
