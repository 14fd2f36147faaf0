"""The subscriber's side of a data product: which publishers to connect to and which messages to accept.

The caller opens and closes the connections returned by `update` and passes received messages to `accept`.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ..GravityDataProductPB_pb2 import GravityDataProductPB
from .directory_messages import Publisher
from .envelope import MalformedFrame, decode_data_product

LARGEST_DISORDER = 10_000_000  # microseconds: a message that is older by more shows that a clock was set back


@dataclass(slots=True)
class _Source:
    """A publisher and the last message accepted from it."""

    publisher: Publisher
    frame: bytes = b""
    timestamp: int = -1  # of the last message; -1 before the first
    received: int = 0

    @property
    def last(self) -> GravityDataProductPB | None:
        """The last message; a new object each time, since applications may modify delivered ones."""
        if self.timestamp < 0:
            return None
        product = decode_data_product(self.frame)
        product.received_timestamp = self.received
        return product

    def precedes(self, product: GravityDataProductPB) -> bool:
        """Return whether `product`, not newer than the last message by its timestamp, repeats it or an older one.

        Only cached and relayed messages repeat old ones; others that are much older show that a clock was set back.
        """
        last = self.last
        if last is None or last.timestamp == product.timestamp:
            return last is not None and _same_content(last, product)
        repeated = product.is_cached_dataproduct or product.is_relayed_dataproduct
        return repeated or last.timestamp - product.timestamp <= LARGEST_DISORDER


class Subscription:
    """The publishers of one (domain, data product, filter)."""

    def __init__(self, id: str, domain: str, *, wants_cached: bool) -> None:
        self._id = id
        self._domain = domain
        self.wants_cached = wants_cached
        self._sources: dict[str, _Source] = {}

    def update(self, publishers: Iterable[Publisher]) -> tuple[list[Publisher], list[Publisher]]:
        """Set the current publishers; return the connections to close and those to open, in this order."""
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
        """Return (messages to deliver, errors of malformed frames, whether the publisher is stale).

        `frames` are in the order in which the publisher at `url` sent them. It is stale if a frame does not come from
        the registered publisher, because another process now owns its port, perhaps one of another cluster; later
        frames are then ignored.
        Duplicates, messages older than the last and unwanted cached messages are not delivered, except after a
        publisher's clock was set back. Delivered messages are stamped with `now`, in microseconds since the epoch.
        """
        source = self._sources[url]
        publisher, id = source.publisher, self._id
        origin = publisher.registration_time, publisher.component_id, self._domain
        products: list[GravityDataProductPB] = []
        malformed: list[MalformedFrame] = []
        for frame in frames:
            try:
                product = decode_data_product(frame)
            except MalformedFrame as error:
                malformed.append(error)
                continue
            if product.dataProductID != id or (
                (product.registration_time, product.componentID, product.domain) != origin
                and not is_from(publisher, product, self._domain)
            ):
                return products, malformed, True
            timestamp = product.timestamp
            if timestamp <= source.timestamp and source.precedes(product):
                continue
            if source.timestamp < 0 and product.is_relayed_dataproduct and self._seen_elsewhere(url, product):
                continue
            source.frame, source.timestamp, source.received = frame, timestamp, now
            if self.wants_cached or not product.is_cached_dataproduct:
                product.received_timestamp = now
                products.append(product)
        return products, malformed, False

    def drop(self, url: str) -> Publisher:
        """Remove the publisher at `url` and return it; the next update may add it again."""
        return self._sources.pop(url).publisher

    def last_products(self) -> list[GravityDataProductPB]:
        """Return the last message of each publisher, oldest first, for an additional subscriber to start with."""
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


def is_from(publisher: Publisher, product: GravityDataProductPB, domain: str) -> bool:
    """Return whether `product` comes from `publisher` of this domain, rather than from a later owner of its port.

    A relay passes on the sender's component and domain; heartbeats and metrics have neither.
    """
    if product.registration_time != publisher.registration_time:
        return False
    component_id = product.componentID
    if not component_id or product.is_relayed_dataproduct or not publisher.component_id:
        return True
    return component_id == publisher.component_id and product.domain == domain


def choose_publishers(publishers: list[Publisher], component_id: str, ip: str) -> list[Publisher]:
    """Return the publishers of a data product to which a node with this id and address should connect.

    A node that relays the product connects to the origins; a node on the host of a relay connects to that relay only.
    A relay without an address serves all hosts; relays for other addresses are ignored.
    """
    origins = [p for p in publishers if not p.is_relay]
    relays = [p for p in publishers if p.is_relay]
    if any(p.component_id == component_id for p in relays):
        return origins
    usable = [p for address in (ip, "") for p in relays if p.ip_address == address]
    return usable[:1] or origins


def _same_content(a: GravityDataProductPB, b: GravityDataProductPB) -> bool:
    return a.dataProductID == b.dataProductID and a.data == b.data
