"""Base classes of what a node calls back: override the methods. No base class needs its `__init__` called.

A node calls back in threads of its own: one for subscriptions, one for services, one for answers to requests
and one for heartbeats. A callback may call any method of the node. An exception is logged, with its
traceback, and the node goes on.

The methods whose names end in Binary take serialized data products and call the others. The reference's node
calls these; ours has no need to, but programs may, say to test a callback object without a network.
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
        """Take the data products that have arrived since the last call, in the order of publication."""

    def subscriptionFilledBinary(self, dataProducts: Iterable[bytes]) -> None:
        """Hand serialized data products on; what is none is logged and left out."""
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
    """Receives the answers to asynchronous requests."""

    def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
        """Take the answer to a request."""

    def requestFilledBinary(self, serviceID: str, requestID: str, response: bytes) -> None:
        """Hand a serialized answer on; an error is logged."""
        try:
            self.requestFilled(serviceID, requestID, GravityDataProduct(data=response))
        except Exception:
            logging.exception("Exception caught calling client requestFilled")

    def requestTimeout(self, serviceID: str, requestID: str) -> None:
        """Take note that no answer has come in time."""
        library_log.warning("the request %r to %s has timed out", requestID, serviceID)


class GravityServiceProvider(SwigObject):
    """Answers the requests to a service."""

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        """Return the answer to a request; without an override, one without data."""
        return GravityDataProduct(serviceID)

    def requestBinary(self, serviceID: str, dataProduct: bytes) -> bytes:
        """Return the serialized answer to a serialized request."""
        return self.request(serviceID, GravityDataProduct(data=dataProduct)).serializeToString()


class GravityHeartbeatListener(SwigObject):
    """Hears whether another component is alive. All times are in microseconds."""

    def MissedHeartbeat(
        self, componentID: str, microsecond_to_last_heartbeat: int, interval_in_microseconds: int
    ) -> None:
        """Take note that no heartbeat has come for an interval; -1 for the time since the last if there was none."""

    def ReceivedHeartbeat(self, componentID: str, interval_in_microseconds: int) -> None:
        """Take note that a heartbeat has come within the last interval."""
