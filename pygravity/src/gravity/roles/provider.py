"""A node's services at work: requests reach the provider, one at a time, and its answers go back."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..GravityDataProduct import GravityDataProduct
from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..io import Loop, Responder
from ..log import library_log
from ..protocol.envelope import MalformedFrame, decode_data_product, encode


class Provider(Protocol):
    """What answers a service's requests."""

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        """Return the answer to a request."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A registered service; `registered`: when, in microseconds since the epoch."""

    id: str
    url: str
    registered: int
    provider: Provider
    component_id: str
    domain: str

    @property
    def registration_time(self) -> int:
        """When it was registered, in seconds since the epoch."""
        return self.registered // 1_000_000


class ProviderRole:
    """The services that a node provides."""

    def __init__(self, loop: Callable[[], Loop]) -> None:
        self._loop = loop
        self._open: dict[str, tuple[Offer, Responder]] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._open

    def offers(self) -> list[Offer]:
        """Return what the node provides."""
        return [offer for offer, _ in self._open.values()]

    def add(self, offer: Offer, responder: Responder) -> None:
        """Begin to answer requests to a registered service."""
        self._open[offer.id] = offer, responder
        loop = self._loop()
        loop.call(lambda: loop.watch(responder, lambda: responder.serve(lambda frame: answer(offer, frame))))

    def remove(self, id: str) -> Offer:
        """Stop answering."""
        offer, responder = self._open.pop(id)
        loop = self._loop()
        loop.call(lambda: loop.unwatch(responder))
        return offer


def answer(offer: Offer, frame: bytes) -> bytes:
    """Return the frame that answers the request in `frame`.

    A request for an earlier registration, or a provider that fails, gets an answer without data: the
    requestor would wait for ever otherwise.
    """
    try:
        request = decode_data_product(frame)
    except MalformedFrame as error:
        library_log.warning("a malformed request to %s: %s", offer.id, error)
        request = GravityDataProductPB()
    if request.registration_time in (0, offer.registration_time):
        response = _ask(offer, request)
    else:
        library_log.warning("a request to %s means an earlier registration: refused", offer.id)
        return encode(GravityDataProductPB(dataProductID=offer.id))
    response.componentID = offer.component_id
    response.domain = offer.domain
    response.registration_time = offer.registration_time
    return encode(response)


def _ask(offer: Offer, request: GravityDataProductPB) -> GravityDataProductPB:
    try:
        response = offer.provider.request(offer.id, GravityDataProduct._wrap(request))
        return decode_data_product(response.serializeToString())
    except Exception:
        logging.exception("Exception caught calling provider request of %s", offer.id)
        return GravityDataProductPB(dataProductID=offer.id)
