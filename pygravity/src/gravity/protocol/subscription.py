"""A subscription as its node holds it: which publishers to listen to and which of their messages to accept.

Pure: the caller opens and closes the connections that `update` names, and hands the messages to `accept`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..GravityDataProductPB_pb2 import GravityDataProductPB
from .directory_messages import Publisher
from .envelope import MalformedFrame, decode_data_product


@dataclass(slots=True)
class _Source:
    """One publisher, and the last message accepted from it."""

    publisher: Publisher
    frame: bytes = b""
    timestamp: int = -1  # the message's own; -1 before the first one
    received: int = 0

    @property
    def last(self) -> GravityDataProductPB | None:
        """The last message, a new object each time: those delivered are in applications' hands."""
        if self.timestamp < 0:
            return None
        product = decode_data_product(self.frame)
        product.received_timestamp = self.received
        return product

    def repeats(self, product: GravityDataProductPB) -> bool:
        """Return whether `product` says the same as the last message."""
        last = self.last
        return last is not None and _same_content(last, product)


class Subscription:
    """One (domain, data product, filter) and the publishers that serve it."""

    def __init__(self, *, wants_cached: bool) -> None:
        self.wants_cached = wants_cached
        self._sources: dict[str, _Source] = {}

    def update(self, publishers: Iterable[Publisher]) -> tuple[list[Publisher], list[Publisher]]:
        """Take the current list of publishers; return the connections to close and to open, in this order."""
        wanted = {p.url: p for p in publishers}
        close = [
            source.publisher
            for url, source in self._sources.items()
            if url not in wanted or wanted[url].registration_time != source.publisher.registration_time
        ]
        for publisher in close:
            del self._sources[publisher.url]
        opened = [p for url, p in wanted.items() if url not in self._sources]
        for publisher in opened:
            self._sources[publisher.url] = _Source(publisher)
        return close, opened

    def accept(
        self, url: str, frames: Iterable[bytes], now: int
    ) -> tuple[list[GravityDataProductPB], list[MalformedFrame], bool]:
        """Return which of `frames`, received from the publisher at `url` in this order, to deliver.

        Beside them, why frames were dropped, and whether one was stale: not from the registered publisher, whose
        port has a new owner; nothing after it is looked at. Not delivered are duplicates, older ones than the
        last, and cached ones that nobody asked for. What is delivered is stamped with `now`, microseconds since
        the epoch.
        """
        source = self._sources[url]
        registration_time = source.publisher.registration_time
        products: list[GravityDataProductPB] = []
        malformed: list[MalformedFrame] = []
        for frame in frames:
            try:
                product = decode_data_product(frame)
            except MalformedFrame as error:
                malformed.append(error)
                continue
            if product.registration_time != registration_time:
                return products, malformed, True
            timestamp = product.timestamp
            if timestamp <= source.timestamp and (timestamp < source.timestamp or source.repeats(product)):
                continue
            if source.timestamp < 0 and product.is_relayed_dataproduct and self._seen_elsewhere(url, product):
                continue
            source.frame, source.timestamp, source.received = frame, timestamp, now
            if self.wants_cached or not product.is_cached_dataproduct:
                product.received_timestamp = now
                products.append(product)
        return products, malformed, False

    def drop(self, url: str) -> Publisher:
        """Forget the publisher at `url` and return it; the next update may bring it back."""
        return self._sources.pop(url).publisher

    def last_products(self) -> list[GravityDataProductPB]:
        """Return the last message of each publisher, oldest first: what a further subscriber starts with."""
        return [s.last for s in sorted(self._sources.values(), key=lambda s: s.timestamp) if s.last]

    def _seen_elsewhere(self, url: str, product: GravityDataProductPB) -> bool:
        others = [s.last for other_url, s in self._sources.items() if other_url != url]
        return any(
            last is not None
            and last.timestamp == product.timestamp
            and last.componentID == product.componentID
            and _same_content(last, product)
            for last in others
        )


def choose_publishers(publishers: list[Publisher], component_id: str, ip: str) -> list[Publisher]:
    """Return those of a data product's publishers that a node with this id and address should listen to.

    The node that relays the product listens to the origins; a node beside a relay listens to that relay alone;
    a relay without an address serves everybody; relays for other addresses are none of our business.
    """
    origins = [p for p in publishers if not p.is_relay]
    relays = [p for p in publishers if p.is_relay]
    if any(p.component_id == component_id for p in relays):
        return origins
    usable = [p for address in (ip, "") for p in relays if p.ip_address == address]
    return usable[:1] or origins


def _same_content(a: GravityDataProductPB, b: GravityDataProductPB) -> bool:
    return a.dataProductID == b.dataProductID and a.data == b.data
