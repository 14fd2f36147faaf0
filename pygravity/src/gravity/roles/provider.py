"""The service provider's role: passes requests to providers, one at a time, and returns their responses."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..GravityDataProduct import GravityDataProduct
from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..io import Loop, Responder
from ..log import library_log
from ..protocol.envelope import MalformedFrame, TooLarge, checked_size, decode_data_product, encode


class Provider(Protocol):
    """The callback for a service's requests."""

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        """Return the response to a request."""


@dataclass(frozen=True, slots=True)
class RegisteredService:
    """A service; `registered`: time of registration in microseconds since the epoch."""

    id: str
    url: str
    registered: int
    provider: Provider
    component_id: str
    domain: str

    @property
    def registration_time(self) -> int:
        """Time of registration in seconds since the epoch."""
        return self.registered // 1_000_000


class ProviderRole:
    """The services of a node."""

    def __init__(self, loop: Callable[[], Loop]) -> None:
        self._loop = loop
        self._open: dict[str, tuple[RegisteredService, Responder]] = {}

    def __contains__(self, id: str) -> bool:
        return id in self._open

    def services(self) -> list[RegisteredService]:
        """Return the registered services."""
        return [service for service, _ in self._open.values()]

    def add(self, service: RegisteredService, responder: Responder) -> None:
        """Start answering requests to a service."""
        self._open[service.id] = service, responder
        loop = self._loop()
        largest = responder.largest
        loop.call(
            lambda: loop.watch(responder, lambda: responder.serve(lambda frame: answer(service, frame, largest)))
        )

    def remove(self, id: str) -> RegisteredService:
        """Stop answering requests to a service, and return it."""
        service, responder = self._open.pop(id)
        loop = self._loop()
        loop.call(lambda: loop.unwatch(responder))
        return service


def answer(service: RegisteredService, frame: bytes, largest: int) -> bytes:
    """Return the response frame to a request frame.

    If the request is for an earlier registration, the provider fails, or its response has more than `largest` bytes,
    the response has no data; without it, the requestor would wait forever.
    """
    try:
        request = decode_data_product(frame)
    except MalformedFrame as error:
        library_log.warning("malformed request to %s: %s", service.id, error)
        request = GravityDataProductPB()
    if request.registration_time in (0, service.registration_time):
        response = _ask(service, request)
    else:
        library_log.warning("refused a request for an earlier registration of %s", service.id)
        return encode(GravityDataProductPB(dataProductID=service.id))
    try:
        return checked_size(_stamped(service, response), largest)
    except TooLarge as error:
        library_log.error("dropped a response of %s: %s", service.id, error)
        return _stamped(service, GravityDataProductPB(dataProductID=service.id))


def _stamped(service: RegisteredService, response: GravityDataProductPB) -> bytes:
    response.componentID = service.component_id
    response.domain = service.domain
    response.registration_time = service.registration_time
    return encode(response)


def _ask(service: RegisteredService, request: GravityDataProductPB) -> GravityDataProductPB:
    try:
        response = service.provider.request(service.id, GravityDataProduct._wrap(request))
        return decode_data_product(response.serializeToString())
    except Exception:
        logging.exception("Exception caught calling provider request of %s", service.id)
        return GravityDataProductPB(dataProductID=service.id)
