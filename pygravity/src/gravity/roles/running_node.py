"""A running node: its roles and their threads and sockets, from start to end.

A RunningNode holds no reference to its GravityNode, so that an unused one can be collected. As in Gravity, collection
closes sockets but does not unregister anything; `GravityNode.close` and the end of the program do.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from dataclasses import replace

from ..GravityDataProductPB_pb2 import GravityDataProductPB
from ..io import Loop, Options, Transport, TransportError, cluster_key
from ..log import library_log
from ..protocol import codes
from ..protocol.codes import TCP
from ..protocol.config import Parameters
from ..protocol.directory_messages import Publisher
from ..protocol.envelope import MalformedFrame, checked_text, fill, parse
from ..protocol.names import HEARTBEAT_SUFFIX, REGISTERED_PUBLISHERS
from ..protocol.ServiceDirectoryPB_pb2 import ConfigeResponsePB, ConfigRequestPB
from .diagnostics import Diagnostics
from .directory_client import DirectoryClient, DirectoryRefuses, NoDirectory
from .directory_watch import DirectoryWatch
from .discovery import Discovery
from .heartbeats import HeartbeatListeners, HeartbeatSender, Listener
from .metrics import Metrics
from .provider import ProviderRole
from .publisher import PublisherRole
from .registrar import Registrar
from .requestor import RequestorRole
from .subscriber import Key, Subscriber, SubscriberRole

CONFIG_SERVICE, CONFIG_TIMEOUT = "ConfigService", 4.0
DIRECTORY_TRIES, DIRECTORY_PAUSE = 5, 0.5  # for looking up the directory's own data product; seconds


class RunningNode:
    """The running part of a node. Methods are thread-safe; those that return an int return `codes`."""

    def __init__(self, component_id: str, parameters: Parameters) -> None:
        """Raises ValueError if ServiceDirectoryURL or CurveKeyFile is wrong, TransportError if a host is unknown."""
        self.component_id = component_id
        self.parameters = parameters
        self.domain = ""
        self._transport = Transport(Options.from_parameters(parameters), cluster_key(parameters))
        self._loops: dict[str, Loop] = {}
        self._loops_lock = threading.Lock()
        self._heart_lock = threading.Lock()
        self._ended = False  # no loop may run
        self._joined = False
        self._heartbeat: HeartbeatSender | None = None
        self._watch: DirectoryWatch | None = None

        url, domain = parameters.text("ServiceDirectoryURL"), parameters.text("Domain")
        self._discovery: Discovery | None = None
        try:
            self.directory = DirectoryClient(self._transport, url)
            if domain and not url:
                port = parameters.integer("ServiceDirectoryBroadcastPort", 8276)
                self._discovery = Discovery(self._loop("discovery"), domain, port, self._move)
        except (ValueError, TransportError):
            self._end()
            self._transport.close()
            raise
        self.metrics = Metrics() if parameters.yes("GravityMetricsEnabled") else None
        self.publisher_role = PublisherRole(lambda: self._loop("publications"), self.metrics)
        self.subscriber_role = SubscriberRole(
            self._transport,
            lambda: self._loop("subscriptions"),
            component_id,
            lambda: self.domain,
            lambda: self.directory.ip,
            self.directory.report_stale,
            self.metrics,
        )
        self.registrar = Registrar(
            component_id,
            lambda: self.domain,
            self._transport,
            self.directory,
            self.publisher_role,
            ProviderRole(lambda: self._loop("services")),
        )
        self.requestor_role = RequestorRole(self._transport, lambda: self._loop("requests"), self.directory)
        self.diagnostics = Diagnostics(component_id, parameters, self.directory, self.registrar, self.publisher_role)
        self._heartbeat_listeners = HeartbeatListeners(lambda: self._loop("heartbeats"))
        _running.add(self)

    # ---- joining -----------------------------------------------------------------------------------------

    def join(self) -> int:
        """Connect to the Service Directory; the first time, start what is configured. Raises DirectoryRefuses."""
        if self._discovery and not self._discovery.found(
            self.parameters.integer("ServiceDirectoryBroadcastTimeout", 10)
        ):
            return codes.FAILURE
        try:
            self.domain = self.directory.domain()
        except DirectoryRefuses:
            raise
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.REQUEST_TIMEOUT
        if not self._joined:
            self._joined = True
            self._begin()
        return codes.SUCCESS

    def _begin(self) -> None:
        lost = self._discovery.forget if self._discovery else lambda: None
        self._watch = DirectoryWatch(self.directory, self.domain, self.registrar.is_listed, self._renew, lost)
        self.diagnostics.begin()
        if self.metrics:
            self.diagnostics.begin_metrics(self.metrics, self._loop("publications"))
        if not self.parameters.yes("NoConfigServer") and self.component_id != "ConfigServer":
            self._ask_config_server()
        seconds = self.parameters.number("GravityHeartbeatPeriodSecs", -1)
        if seconds > 0:
            self.start_heartbeat(round(seconds * 1e6))

    def _ask_config_server(self) -> None:
        """Add the ConfigServer's parameters for this component that are not set locally."""
        product = GravityDataProductPB(dataProductID="ConfigRequestPB", componentID=self.component_id)
        product.domain = self.domain
        fill(product, ConfigRequestPB(componentID=self.component_id))
        response = self.requestor_role.request(CONFIG_SERVICE, self.domain, product, CONFIG_TIMEOUT)
        if response is None:
            return
        try:
            message = checked_text(parse(ConfigeResponsePB, response.data))
        except MalformedFrame as error:
            library_log.warning("cannot use the ConfigServer's response: %s", error)
            return
        self.parameters.add_missing(dict(zip(message.key, message.value, strict=False)))
        own, ports = self._transport.options, Options.from_parameters(self.parameters)
        self._transport.options = replace(own, min_port=ports.min_port, max_port=ports.max_port)

    def _move(self, url: str) -> None:
        """Switch to a Service Directory that has started at another address; runs in the discovery thread.

        With a key, raises TransportError unless it has this key and the domain: anybody can broadcast, but must not
        lead the node away.
        """
        if self._transport.encrypted:
            try:
                domain = DirectoryClient(self._transport, url).domain(attempts=1)
            except NoDirectory as error:
                raise TransportError(str(error)) from None
            if domain != self.parameters.text("Domain"):
                raise TransportError(f"the Service Directory at {url} is that of domain {domain}")
        self.directory.move(url)
        if self._watch:
            self._watch.restarted()

    def _renew(self, updates: Publisher) -> bool:
        """Repeat all registrations and lookups at a restarted directory; return False if it stops answering.

        Runs in the watch's thread.
        """
        try:
            if not self.registrar.register_again():
                return False
            keys = self.subscriber_role.keys()
            publishers = {key: self.directory.publishers(key.id, key.domain) for key in keys}
        except NoDirectory:
            return False
        self.subscriber_role.renew(publishers, updates)
        return True

    # ---- subscriptions -----------------------------------------------------------------------------------

    def subscribe(self, key: Key, filter_text: str, subscriber: Subscriber, *, wants_cached: bool) -> int:
        """Deliver a data product to a subscriber, holding only a weak reference to it."""
        try:
            publishers = self.directory.publishers(key.id, key.domain)
            updates = self._updates()
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.NO_SERVICE_DIRECTORY
        if updates is None:
            return codes.NO_SERVICE_DIRECTORY
        self.subscriber_role.subscribe(key, filter_text, subscriber, publishers, updates, wants_cached=wants_cached)
        return codes.SUCCESS

    def _updates(self) -> Publisher | None:
        """Return the publisher of the directory's updates, or None; it appears shortly after the start."""
        for attempt in range(DIRECTORY_TRIES):
            if attempt:
                time.sleep(DIRECTORY_PAUSE)
            if found := self.directory.publishers(REGISTERED_PUBLISHERS, self.domain):
                return found[0]
        return None

    @property
    def wants_cached(self) -> bool:
        """Whether subscriptions start with publishers' last messages by default."""
        return self.parameters.yes("ReceiveLastSentDataproduct", True)

    # ---- heartbeats --------------------------------------------------------------------------------------

    def start_heartbeat(self, interval: int) -> int:
        """Publish a heartbeat every `interval` microseconds."""
        with self._heart_lock:
            if self._heartbeat or interval < 0:
                return codes.FAILURE
            id = self.component_id + HEARTBEAT_SUFFIX
            self.registrar.register(id, TCP, cache=False, anonymous=True)
            self._heartbeat = HeartbeatSender(self._loop("publications"), self.publisher_role, id, interval)
            return codes.SUCCESS

    def stop_heartbeat(self) -> int:
        """Stop publishing heartbeats."""
        with self._heart_lock:
            heartbeat, self._heartbeat = self._heartbeat, None
            if heartbeat:
                heartbeat.stop()
                self.registrar.unregister(heartbeat.product_id)
            return codes.SUCCESS

    def listen(self, component_id: str, domain: str, interval: int, listener: Listener) -> int:
        """Report another component's heartbeats to `listener` every `interval` microseconds."""
        self.stop_listening(component_id)
        subscriber = self._heartbeat_listeners.add(component_id, domain, interval, listener)
        key = Key(domain, component_id + HEARTBEAT_SUFFIX)
        return self.subscribe(key, "", subscriber, wants_cached=self.wants_cached)

    def stop_listening(self, component_id: str) -> int:
        """Stop reporting a component's heartbeats."""
        if subscriber := self._heartbeat_listeners.remove(component_id):
            key = Key(subscriber.domain, component_id + HEARTBEAT_SUFFIX)
            self.subscriber_role.unsubscribe(key, "", subscriber)
        return codes.SUCCESS

    # ---- the end -------------------------------------------------------------------------------------------

    def close(self, *, unregister: bool = False) -> None:
        """Stop the threads and close the sockets; with `unregister`, unregister everything first.

        Calls in other threads return an error code soon.
        """
        if not self.registrar.close():
            return
        _running.discard(self)
        if unregister and self._joined:
            self.registrar.unregister_all()
        self._transport.end_requests()  # one in a callback would block its loop
        if self._watch:
            self._watch.close()
        self._end()
        self.publisher_role.close()
        self._transport.close()

    def _end(self) -> None:
        with self._loops_lock:
            self._ended = True
            loops = list(self._loops.values())
        for loop in loops:
            loop.stop()

    def _loop(self, role: str) -> Loop:
        with self._loops_lock:
            if role not in self._loops:
                self._loops[role] = Loop(f"gravity-{role}")
                if self._ended:  # a call in another thread came too late; do not run its functions
                    self._loops[role].stop()
            return self._loops[role]


_running: weakref.WeakSet[RunningNode] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for core in list(_running):
        with contextlib.suppress(Exception):  # errors at exit cannot be handled
            core.close(unregister=True)
