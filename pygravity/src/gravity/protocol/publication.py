"""The publisher's side of a data product: stamps messages and replays the last ones to late subscribers."""

from __future__ import annotations

from ..GravityDataProductPB_pb2 import GravityDataProductPB
from .envelope import checked_size, decode_data_product, encode
from .limits import MOST_FILTERS

Frames = tuple[bytes, bytes]  # filter text, data product


class Publication:
    """A registered data product: its identity, last timestamp and cache."""

    def __init__(
        self,
        id: str,
        url: str,
        registered: int,
        *,
        origin: tuple[str, str] | None,
        cache: bool,
        relay_ip: str | None = None,
    ) -> None:
        """`registered`: time of registration in microseconds since the epoch.

        `origin`: component id and domain to stamp on messages, or None to stamp neither. `cache`: whether to keep the
        last message per filter text for late subscribers. `relay_ip`: of a relay, the host that it serves, "" for
        all; None if this is not a relay.
        """
        self.id = id
        self.url = url
        self.registered = registered
        self.registration_time = registered // 1_000_000
        self.relay_ip = relay_ip
        self._origin = origin
        self._cache: dict[bytes, tuple[int, bytes]] | None = {} if cache else None
        self._last_stamp = 0

    def frames(
        self, product: GravityDataProductPB, filter_text: str, timestamp: int, now: int, largest: int
    ) -> Frames:
        """Stamp `product` and return its frames; times in microseconds since the epoch, `timestamp` 0 means `now`.

        Raises TooLarge if a frame has more than `largest` bytes.
        Subscribers drop messages that are not newer than the previous one, which removes replayed duplicates.
        Therefore automatic timestamps always increase, even if the clock does not.
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
        topic = checked_size(filter_text.encode(), largest)
        frame = checked_size(product.SerializeToString(), largest)
        if self._cache is not None:
            self._cache.pop(topic, None)
            self._cache[topic] = (timestamp, frame)  # at the end: the first has been unused for the longest time
            if len(self._cache) > MOST_FILTERS:
                del self._cache[next(iter(self._cache))]
        return topic, frame

    def replay(self) -> list[Frames]:
        """Return the last message of each filter text, oldest first, marked as cached."""
        replayed = []
        for topic, (_, frame) in sorted((self._cache or {}).items(), key=lambda item: item[1][0]):
            product = decode_data_product(frame)
            product.is_cached_dataproduct = True
            replayed.append((topic, encode(product)))
        return replayed
