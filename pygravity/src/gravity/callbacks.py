"""Base classes for callback objects: override the methods. Calling a base class's `__init__` is optional.

A node calls back in threads of its own: one each for subscriptions, services, answers to requests, and heartbeats. A
callback may call any method of the node. If it raises an exception, that is logged with its traceback, and the node
goes on.

The methods whose names end in Binary take serialized data products and call the others. The reference's node calls
these; ours does not, but programs may, for example to test a callback object without a network.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .GravityDataProduct import GravityDataProduct
from .log import library_log
from .ownership import Owned


class GravitySubscriber(Owned):
    """Receives data products."""

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Take the data products that have arrived since the last call, in the order of publication."""

    def subscriptionFilledBinary(self, dataProducts: Iterable[bytes]) -> None:
        """Pass serialized data products on; malformed ones are logged and skipped."""
        products = []
        for data in dataProducts:
            try:
                products.append(GravityDataProduct(data=data))
            except AttributeError:
                logging.exception("Error creating GDP from byte array")
        try:
            self.subscriptionFilled(products)
        except Exception:
            logging.exception("Exception caught calling client subscriptionFilled")


class GravityRequestor(Owned):
    """Receives the answers to asynchronous requests."""

    def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
        """Called with the answer to a request."""

    def requestFilledBinary(self, serviceID: str, requestID: str, response: bytes) -> None:
        """Pass a serialized answer on; if it is malformed, that is logged."""
        try:
            self.requestFilled(serviceID, requestID, GravityDataProduct(data=response))
        except Exception:
            logging.exception("Exception caught calling client requestFilled")

    def requestTimeout(self, serviceID: str, requestID: str) -> None:
        """Called when no answer has come in time."""
        library_log.warning("the request %r to %s timed out", requestID, serviceID)


class GravityServiceProvider(Owned):
    """Answers the requests to a service."""

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        """Return the answer to a request; by default, one without data."""
        return GravityDataProduct(serviceID)

    def requestBinary(self, serviceID: str, dataProduct: bytes) -> bytes:
        """Return the serialized answer to a serialized request."""
        return self.request(serviceID, GravityDataProduct(data=dataProduct)).serializeToString()


class GravityHeartbeatListener(Owned):
    """Receives reports on whether another component is alive. All times are in microseconds."""

    def MissedHeartbeat(
        self, componentID: str, microsecond_to_last_heartbeat: int, interval_in_microseconds: int
    ) -> None:
        """Called when no heartbeat has come for an interval; the time since the last one is -1 if there was none."""

    def ReceivedHeartbeat(self, componentID: str, interval_in_microseconds: int) -> None:
        """Called when a heartbeat has come within the last interval."""
