"""Sends a node's heartbeats and listens to those of other components."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Protocol

from ..GravityDataProduct import GravityDataProduct
from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..io import Loop
from ..protocol.heartbeat_monitor import PAYLOAD, HeartbeatMonitor, Received
from .publisher import PublisherRole


class Listener(Protocol):
    """The callbacks for another component's heartbeats."""

    def MissedHeartbeat(
        self, componentID: str, microsecond_to_last_heartbeat: int, interval_in_microseconds: int
    ) -> None:
        """Handle an interval without a heartbeat."""

    def ReceivedHeartbeat(self, componentID: str, interval_in_microseconds: int) -> None:
        """Handle an interval with a heartbeat."""


class HeartbeatSender:
    """Publishes a node's heartbeat immediately and then periodically, until stopped."""

    def __init__(self, loop: Loop, publisher_role: PublisherRole, product_id: str, interval: int) -> None:
        """`interval` in microseconds."""
        self.product_id = product_id
        self._loop = loop
        self._publisher_role = publisher_role
        self._interval = interval / 1e6
        self._stopped = False
        loop.call(lambda: self._beat(time.monotonic()))

    def stop(self) -> None:
        """Stop publishing."""
        self._stopped = True

    def _beat(self, due: float) -> None:
        if not self._stopped:
            product = GravityDataProductPB(dataProductID=self.product_id, data=PAYLOAD)
            self._publisher_role.publish(product, "", 0)
            due = max(due + self._interval, time.monotonic())
            self._loop.call_at(due, lambda: self._beat(due))


class HeartbeatSubscriber:
    """Subscribes to the heartbeats of a component and records them."""

    def __init__(self, component_id: str, domain: str, monitor: HeartbeatMonitor, listener: Listener) -> None:
        self.component_id = component_id
        self.domain = domain
        self.monitor = monitor
        self.listener = listener

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Record heartbeats."""
        self.monitor.beat()


class HeartbeatListeners:
    """The heartbeat listeners of a node, one per component."""

    def __init__(self, loop: Callable[[], Loop]) -> None:
        self._loop = loop
        self._heard: dict[str, HeartbeatSubscriber] = {}

    def add(self, component_id: str, domain: str, interval: int, listener: Listener) -> HeartbeatSubscriber:
        """Report to `listener` every `interval` microseconds, replacing the component's previous listener.

        Returns the subscriber, which the caller must subscribe to the heartbeats.
        """
        heard = self._heard[component_id] = HeartbeatSubscriber(
            component_id, domain, HeartbeatMonitor(interval, _now()), listener
        )
        self._loop().call(lambda: self._schedule(heard))
        return heard

    def remove(self, component_id: str) -> HeartbeatSubscriber | None:
        """Stop reporting; return the subscriber to unsubscribe, or None if there is none."""
        return self._heard.pop(component_id, None)

    def _schedule(self, heard: HeartbeatSubscriber) -> None:
        self._loop().call_at(heard.monitor.due / 1e6, lambda: self._check(heard))

    def _check(self, heard: HeartbeatSubscriber) -> None:
        if self._heard.get(heard.component_id) is not heard:
            return  # removed, or replaced
        report = heard.monitor.check(_now())
        try:
            if isinstance(report, Received):
                heard.listener.ReceivedHeartbeat(heard.component_id, heard.monitor.interval)
            elif report:
                heard.listener.MissedHeartbeat(heard.component_id, report.since_last, heard.monitor.interval)
        except Exception:
            logging.exception("Exception caught calling heartbeat listener of %s", heard.component_id)
        self._schedule(heard)


def _now() -> int:
    return time.monotonic_ns() // 1000
