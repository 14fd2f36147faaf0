"""The requestor's role: synchronous requests in the caller's thread, asynchronous ones in a loop."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from ..GravityDataProduct import GravityDataProduct
from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..io import Loop, Requester, Transport, TransportError
from ..log import library_log
from ..protocol import codes
from ..protocol.directory_messages import Kind, Service, Unregistration
from ..protocol.envelope import MalformedFrame, TooLarge, checked_size, decode_data_product, encode
from .directory_client import DirectoryClient, NoDirectory

FUTURE_REQUEST = b"FUTURE_REQUEST"  # sent to the address of a future response


class Requestor(Protocol):
    """The callbacks for asynchronous requests."""

    def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
        """Process a response."""

    def requestTimeout(self, serviceID: str, requestID: str) -> None:
        """Handle a timeout."""


@dataclass(slots=True)
class _Pending:
    """An asynchronous request, which keeps its requestor alive until the callback."""

    service_id: str
    request_id: str
    requestor: Requestor | None  # None after the callback
    service: Service
    deadline: float | None  # of time.monotonic()
    requester: Requester | None = None
    following_future: bool = False


class RequestorRole:
    """The requests of a node."""

    def __init__(self, transport: Transport, loop: Callable[[], Loop], directory: DirectoryClient) -> None:
        self._transport = transport
        self._loop = loop
        self._directory = directory

    def request(
        self, service_id: str, domain: str, product: GravityDataProductPB, timeout: float | None
    ) -> GravityDataProductPB | None:
        """Return a service's response, or None if there is no valid one within `timeout` seconds (None: no limit)."""
        service = self._find(service_id, domain)
        if not isinstance(service, Service):
            return None
        deadline = None if timeout is None else time.monotonic() + timeout
        try:
            frame = self._frame(product)
            response = self._exchange(service.url, frame, deadline)
            if response is None:
                return None
            if response.registration_time != service.registration_time:
                library_log.warning("dropped the response of %s: not from the registered provider", service.url)
                return None
            if response.future_response:
                return self._exchange(response.future_socket_url, frame, deadline)
        except (TransportError, MalformedFrame, TooLarge) as error:
            library_log.warning("no response from %s: %s", service.url, error)
            return None
        return response

    def request_async(
        self,
        service_id: str,
        domain: str,
        product: GravityDataProductPB,
        requestor: Requestor,
        request_id: str,
        timeout: float | None,
    ) -> int:
        """Send a request; `requestor` gets the response, or a timeout after `timeout` seconds (None: no limit).

        Returns one of `codes`; there is no callback unless it is SUCCESS.
        """
        service = self._find(service_id, domain)
        if not isinstance(service, Service):
            return service
        product.registration_time = service.registration_time
        try:
            frame = self._frame(product)
        except TooLarge as error:
            library_log.error("dropped a request to %s: %s", service_id, error)
            return codes.INVALID_PARAMETER
        deadline = None if timeout is None else time.monotonic() + timeout
        pending = _Pending(service_id, request_id, requestor, service, deadline)
        del requestor
        self._loop().call(lambda: self._start(pending, service.url, frame))
        return codes.SUCCESS

    def _find(self, service_id: str, domain: str) -> Service | int:
        """Return a service's address, or the code of the error."""
        try:
            service = self._directory.service(service_id, domain)
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.NO_SERVICE_DIRECTORY
        return service if service.url else codes.NO_SUCH_SERVICE

    def _frame(self, product: GravityDataProductPB) -> bytes:
        return checked_size(encode(product), self._transport.options.max_message_size)

    def _exchange(self, url: str, frame: bytes, deadline: float | None) -> GravityDataProductPB | None:
        remaining = None if deadline is None else max(0.001, deadline - time.monotonic())
        reply = self._transport.request(url, frame, remaining)
        return None if reply is None else decode_data_product(reply)

    def _start(self, pending: _Pending, url: str, frame: bytes) -> None:
        if pending.deadline is not None and not pending.following_future:
            self._loop().call_at(pending.deadline, lambda: self._expire(pending))
        try:
            requester = pending.requester = self._transport.requester(url, frame)
        except TransportError as error:
            library_log.warning("cannot send a request to %s: %s", url, error)
            return
        self._loop().watch(requester, lambda: self._receive(pending))

    def _receive(self, pending: _Pending) -> None:
        requester, pending.requester = pending.requester, None
        if requester is None:
            return
        frame = requester.receive()
        self._loop().unwatch(requester)
        try:
            response = decode_data_product(frame)
        except MalformedFrame as error:
            library_log.warning("dropped the response of %s: %s", pending.service_id, error)
            return
        if not self._is_from_provider(pending, response):
            return
        if response.future_response:
            pending.following_future = True
            self._start(pending, response.future_socket_url, FUTURE_REQUEST)
            return
        product = GravityDataProduct._wrap(response)
        self._call(pending, lambda r: r.requestFilled(pending.service_id, pending.request_id, product))

    def _is_from_provider(self, pending: _Pending, response: GravityDataProductPB) -> bool:
        """Return whether a response is from the registered provider; if not, report that one as stale."""
        found, meant = response.registration_time, pending.service.registration_time
        if found == meant or (pending.following_future and not found):
            return True
        library_log.warning("dropped the response of %s: not from the registered provider", pending.service_id)
        if found:
            self._directory.report_stale(Unregistration(pending.service_id, pending.service.url, Kind.SERVICE, meant))
        return False

    def _expire(self, pending: _Pending) -> None:
        if pending.requester:
            self._loop().unwatch(pending.requester)
            pending.requester = None
        self._call(pending, lambda r: r.requestTimeout(pending.service_id, pending.request_id))

    def _call(self, pending: _Pending, callback: Callable[[Requestor], None]) -> None:
        requestor, pending.requestor = pending.requestor, None
        if requestor is None:
            return  # already called
        try:
            callback(requestor)
        except Exception:
            logging.exception("Exception caught calling client of %s", pending.service_id)
