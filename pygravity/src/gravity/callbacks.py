"""Base classes for callbacks: override their methods. Calling a base class's `__init__` is optional.

A node runs callbacks in its own threads: one each for subscriptions, services, responses and heartbeats. A callback
may call any method of the node. If it raises an exception, the traceback is logged and the node carries on.

The methods whose names end in Binary take serialized data products and call the others. Gravity's own node calls
them; this one does not, but programs may, for example to test a callback without a network.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable

from .GravityDataProduct import GravityDataProduct
from .log import library_log
from .swig import SwigObject


class GravitySubscriber(SwigObject):
    """Receives data products."""

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Process the data products that have arrived since the last call, in the order of publication."""

    def subscriptionFilledBinary(self, dataProducts: Iterable[bytes]) -> None:
        """Pass on serialized data products; those that cannot be parsed are logged and skipped."""
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


class GravityRequestor(SwigObject):
    """Receives the responses to asynchronous requests."""

    def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
        """Process the response to a request."""

    def requestFilledBinary(self, serviceID: str, requestID: str, response: bytes) -> None:
        """Pass on a serialized response; errors are logged."""
        try:
            self.requestFilled(serviceID, requestID, GravityDataProduct(data=response))
        except Exception:
            logging.exception("Exception caught calling client requestFilled")

    def requestTimeout(self, serviceID: str, requestID: str) -> None:
        """Handle a request that got no response in time."""
        library_log.warning("request %r to %s timed out", requestID, serviceID)


class GravityServiceProvider(SwigObject):
    """Responds to the requests to a service."""

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        """Return the response to a request; by default, one without data."""
        return GravityDataProduct(serviceID)

    def requestBinary(self, serviceID: str, dataProduct: bytes) -> bytes:
        """Return the serialized response to a serialized request."""
        return self.request(serviceID, GravityDataProduct(data=dataProduct)).serializeToString()


class GravityHeartbeatListener(SwigObject):
    """Is notified whether another component is alive. All times are in microseconds."""

    def MissedHeartbeat(
        self, componentID: str, microsecond_to_last_heartbeat: int, interval_in_microseconds: int
    ) -> None:
        """Handle an interval without a heartbeat; the time since the last one is -1 if there has been none."""

    def ReceivedHeartbeat(self, componentID: str, interval_in_microseconds: int) -> None:
        """Handle an interval with a heartbeat."""
