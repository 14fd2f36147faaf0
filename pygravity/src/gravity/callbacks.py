"""Base classes of what a node calls back: override the methods. No base class needs its `__init__` called.

A node calls back in threads of its own: one for subscriptions, one for services, one for answers to requests
and one for heartbeats. A callback may call any method of the node. An exception is logged, with its
traceback, and the node goes on.
"""

from __future__ import annotations

from .GravityDataProduct import GravityDataProduct
from .log import library_log


class GravitySubscriber:
    """Receives data products."""

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Take the data products that have arrived since the last call, in the order of publication."""


class GravityRequestor:
    """Receives the answers to asynchronous requests."""

    def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
        """Take the answer to a request."""

    def requestTimeout(self, serviceID: str, requestID: str) -> None:
        """Take note that no answer has come in time."""
        library_log.warning("the request %r to %s has timed out", requestID, serviceID)


class GravityServiceProvider:
    """Answers the requests to a service."""

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        """Return the answer to a request; without an override, one without data."""
        return GravityDataProduct(serviceID)


class GravityHeartbeatListener:
    """Hears whether another component is alive. All times are in microseconds."""

    def MissedHeartbeat(
        self, componentID: str, microsecond_to_last_heartbeat: int, interval_in_microseconds: int
    ) -> None:
        """Take note that no heartbeat has come for an interval; -1 for the time since the last if there was none."""

    def ReceivedHeartbeat(self, componentID: str, interval_in_microseconds: int) -> None:
        """Take note that a heartbeat has come within the last interval."""
