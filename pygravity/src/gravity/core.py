"""What a node has running: its threads, sockets and registrations, and what it does by itself.

A core does not know its node, so that a forgotten node can be collected. Being collected closes sockets but
withdraws no registration, as in the reference; the end of the program and `GravityNode.close` withdraw them.
"""

from __future__ import annotations

import atexit
import contextlib
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from google.protobuf.message import Message

from . import codes, wire
from .beating import Ears, Heart, Listener
from .config import Parameters
from .directory_client import DirectoryClient, NoDirectory
from .discovery import Discovery
from .GravityConfigParamPB_pb2 import GravityConfigParamPB
from .GravityDataProductPB_pb2 import GravityDataProductPB
from .GravityLogMessagePB_pb2 import GravityLogMessagePB
from .io import TCP, Loop, Options, Transport, TransportError, now_us
from .log import library_log
from .metrics import Metrics
from .publication import Publication
from .publishing import Publishing
from .requesting import Requesting
from .ServiceDirectoryPB_pb2 import ConfigeResponsePB, ConfigRequestPB
from .serving import Offer, Provider, Serving
from .subscribing import Key, Subscriber, Subscribing
from .wire import REGISTERED_PUBLISHERS, Kind, MalformedFrame, Registration, Unregistration

REREGISTRATION_TRIES = 4
CONFIG_SERVICE, CONFIG_TIMEOUT = "ConfigService", 4.0
DIRECTORY_TRIES, DIRECTORY_PAUSE = 5, 0.5  # of looking for the directory's own data product

_REPLY_CODES = {
    wire.DirectoryCode.SUCCESS: codes.SUCCESS,
    wire.DirectoryCode.DUPLICATE_REGISTRATION: codes.DUPLICATE,
    wire.DirectoryCode.REGISTRATION_CONFLICT: codes.REGISTRATION_CONFLICT,
    wire.DirectoryCode.NOT_REGISTERED: codes.LINK_ERROR,  # sic: the reference's mapping
}

T = TypeVar("T")


def socket_options(parameters: Parameters) -> Options:
    """Return what a configuration says about sockets; negative queue lengths are ignored, with a warning."""

    def length(key: str, default: int) -> int:
        value = parameters.integer(key, default)
        if value < 0:
            library_log.warning("%s = %d is negative: ignored", key, value)
        return value if value >= 0 else default

    keep_alive = ("TcpKeepAliveTime", 7200), ("TcpKeepAliveProbes", 9), ("TcpKeepAliveIntvl", 75)
    idle, probes, interval = (parameters.integer(key, default) for key, default in keep_alive)
    return Options(
        publish_hwm=length("PublishHWM", 1000),
        subscribe_hwm=length("SubscribeHWM", 1000),
        min_port=parameters.integer("MinPort", 24000),
        max_port=parameters.integer("MaxPort", 24999),
        keep_alive=(idle, probes, interval) if parameters.yes("TcpKeepAliveEnabled") else None,
    )


class Core:
    """The running part of a node. Its methods may be called from any thread and return `codes`."""

    def __init__(self, component_id: str, parameters: Parameters) -> None:
        """Raises ValueError if ServiceDirectoryURL is no address, TransportError if its host is unknown."""
        self.component_id = component_id
        self.parameters = parameters
        self.domain = ""
        self._transport = Transport(socket_options(parameters))
        self._loops: dict[str, Loop] = {}
        self._lock = threading.RLock()  # of registrations
        self._loops_lock = threading.Lock()
        self._closed = False  # nothing new is registered
        self._ended = False  # no loop runs
        self._joined = False
        self._heart: Heart | None = None
        self._settings: dict[str, str] = {}

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
        self.publishing = Publishing(lambda: self._loop("publications"), self.metrics)
        self.subscribing = Subscribing(
            self._transport,
            lambda: self._loop("subscriptions"),
            component_id,
            lambda: self.directory.ip,
            self.directory.report_stale,
            self.metrics,
        )
        self._serving = Serving(lambda: self._loop("services"))
        self.requesting = Requesting(self._transport, lambda: self._loop("requests"), self.directory.report_stale)
        self._ears = Ears(lambda: self._loop("heartbeats"))
        _running.add(self)

    # ---- joining -----------------------------------------------------------------------------------------

    def join(self) -> int:
        """Find the Service Directory; the first time, begin what the configuration asks for."""
        if self._discovery and not self._discovery.found(
            self.parameters.integer("ServiceDirectoryBroadcastTimeout", 10)
        ):
            return codes.FAILURE
        try:
            self.domain = self.directory.domain()
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.REQUEST_TIMEOUT
        if not self._joined:
            self._joined = True
            self._begin()
        return codes.SUCCESS

    def _begin(self) -> None:
        if self.parameters.yes("GravitySettingsPublishEnabled"):
            self.register(wire.SETTINGS_PRODUCT, TCP, cache=False)
        if self.metrics:
            self.register(wire.METRICS_PRODUCT, TCP, cache=False, anonymous=True)
            period = self.parameters.integer("GravityMetricsSamplePeriodSeconds", 10)
            samples = self.parameters.integer("GravityMetricsSamplesPerPublish", 6)
            self._sample_metrics(self.metrics, max(1, period), max(1, samples))
        if not self.parameters.yes("NoConfigServer") and self.component_id != "ConfigServer":
            self._ask_config_server()
        seconds = self.parameters.number("GravityHeartbeatPeriodSecs", -1)
        if seconds > 0:
            self.start_heartbeat(round(seconds * 1e6))

    def _ask_config_server(self) -> None:
        """Take over the parameters that the ConfigServer has for this component and that are not set here."""
        product = GravityDataProductPB(dataProductID="ConfigRequestPB", componentID=self.component_id)
        product.domain = self.domain
        wire.fill(product, ConfigRequestPB(componentID=self.component_id))
        try:
            service = self.directory.service(CONFIG_SERVICE, self.domain)
            response = self.requesting.ask(service, product, CONFIG_TIMEOUT) if service.url else None
            if response is not None:
                message = wire.checked_text(wire.parse(ConfigeResponsePB, response.data))
                self.parameters.add_missing(dict(zip(message.key, message.value, strict=False)))
                own, ports = self._transport.options, socket_options(self.parameters)
                self._transport.options = replace(own, min_port=ports.min_port, max_port=ports.max_port)
        except (NoDirectory, MalformedFrame) as error:
            library_log.warning("no configuration from a ConfigServer: %s", error)

    # ---- registrations -----------------------------------------------------------------------------------

    def register(self, id: str, transport: int, *, cache: bool, anonymous: bool = False) -> int:
        """Bind an address for a data product and offer it; `anonymous` messages carry no component and domain."""
        with self._lock:
            if self._closed:
                return codes.NOT_INITIALIZED
            if id in self.publishing:
                library_log.warning("%s is registered already", id)
                return codes.SUCCESS
            sender = self._transport.sender(transport, id, self.directory.ip)
            if sender is None:
                return codes.NO_PORTS_AVAILABLE
            now = now_us()
            registration = Registration(id, sender.url, Kind.DATA, self.component_id, now, is_relay=False)
            code = self._offer(registration)
            if code != codes.SUCCESS:
                sender.close()
                return code
            origin = None if anonymous else (self.component_id, self.domain)
            self.publishing.add(Publication(id, sender.url, now, origin=origin, cache=cache), sender)
            return codes.SUCCESS

    def unregister(self, id: str, *, patiently: bool = True) -> int:
        """Close a data product's address and withdraw it."""
        with self._lock:
            if id not in self.publishing:
                return codes.REGISTRATION_CONFLICT
            p = self.publishing.remove(id)
            return self._withdraw(Unregistration(id, p.url, Kind.DATA, p.registration_time), patiently)

    def register_service(self, id: str, transport: int, provider: Provider) -> int:
        """Bind an address for a service and offer it."""
        with self._lock:
            if self._closed:
                return codes.NOT_INITIALIZED
            if id in self._serving:
                library_log.warning("the service %s is registered already", id)
                return codes.SUCCESS
            responder = self._transport.responder(transport, id, self.directory.ip)
            if responder is None:
                return codes.NO_PORTS_AVAILABLE
            now = now_us()
            code = self._offer(Registration(id, responder.url, Kind.SERVICE, self.component_id, now))
            if code != codes.SUCCESS:
                responder.socket.close()
                return code
            self._serving.add(Offer(id, responder.url, now, provider, self.component_id, self.domain), responder)
            return codes.SUCCESS

    def unregister_service(self, id: str, *, patiently: bool = True) -> int:
        """Close a service's address and withdraw it."""
        with self._lock:
            if id not in self._serving:
                return codes.NOT_REGISTERED
            o = self._serving.remove(id)
            return self._withdraw(Unregistration(id, o.url, Kind.SERVICE, o.registration_time), patiently)

    def _offer(self, registration: Registration) -> int:
        try:
            return _REPLY_CODES[self.directory.register(registration)]
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.REQUEST_TIMEOUT

    def _withdraw(self, unregistration: Unregistration, patiently: bool) -> int:
        try:
            self.directory.unregister(unregistration, patiently=patiently)
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.REQUEST_TIMEOUT
        return codes.SUCCESS

    def _move(self, url: str) -> None:
        """Follow the Service Directory to its new start: offer everything again, as it was, and look up anew.

        Runs in the discovery thread.
        """
        self.directory.move(url)
        if not self._joined:
            return
        with self._lock:
            products, services = self.publishing.publications(), self._serving.offers()
        id, known = self.component_id, self.subscribing.keys
        for p in products:
            self._insist(Registration(p.id, p.url, Kind.DATA, id, p.registered))
        for o in services:
            self._insist(Registration(o.id, o.url, Kind.SERVICE, id, o.registered))
        for key in known():
            with contextlib.suppress(NoDirectory):
                publishers = self.directory.publishers(key.id, key.domain)
                if updates_url := self.updates_url():
                    self.subscribing.refresh(key, publishers, updates_url)

    def _insist(self, registration: Registration) -> None:
        for _ in range(REREGISTRATION_TRIES):
            if self._offer(registration) == codes.SUCCESS:
                return

    # ---- subscriptions -----------------------------------------------------------------------------------

    def subscribe(self, key: Key, filter_text: str, subscriber: Subscriber, *, wants_cached: bool) -> int:
        """Deliver a data product to a subscriber, which is held weakly."""
        try:
            publishers = self.directory.publishers(key.id, key.domain)
            updates_url = self.updates_url()
        except NoDirectory as error:
            library_log.warning("%s", error)
            return codes.NO_SERVICE_DIRECTORY
        if updates_url is None:
            return codes.NO_SERVICE_DIRECTORY
        self.subscribing.subscribe(key, filter_text, subscriber, publishers, updates_url, wants_cached=wants_cached)
        return codes.SUCCESS

    def updates_url(self) -> str | None:
        """Return where the directory publishes its lists, None if nowhere; it needs a moment after its start."""
        for attempt in range(DIRECTORY_TRIES):
            if attempt:
                time.sleep(DIRECTORY_PAUSE)
            if found := self.directory.publishers(REGISTERED_PUBLISHERS, self.domain):
                return found[0].url
        return None

    # ---- heartbeats, settings, log, metrics ----------------------------------------------------------------

    def start_heartbeat(self, interval: int) -> int:
        """Publish a heartbeat every `interval` microseconds."""
        with self._lock:
            if self._heart or interval < 0:
                return codes.FAILURE
            id = self.component_id + wire.HEARTBEAT_SUFFIX
            self.register(id, TCP, cache=False, anonymous=True)
            self._heart = Heart(self._loop("publications"), self.publishing, id, interval)
            return codes.SUCCESS

    def stop_heartbeat(self) -> int:
        """Publish no more heartbeats."""
        with self._lock:
            heart, self._heart = self._heart, None
            if heart:
                heart.stop()
                self.unregister(heart.product_id)
            return codes.SUCCESS

    def listen(self, component_id: str, domain: str, interval: int, listener: Listener) -> int:
        """Report another component's heartbeats to `listener` every `interval` microseconds."""
        self.stop_listening(component_id)
        subscriber = self._ears.add(component_id, domain, interval, listener)
        key = Key(domain, component_id + wire.HEARTBEAT_SUFFIX)
        return self.subscribe(key, "", subscriber, wants_cached=self.wants_cached)

    def stop_listening(self, component_id: str) -> int:
        """Report a component's heartbeats no more."""
        if subscriber := self._ears.remove(component_id):
            key = Key(subscriber.domain, component_id + wire.HEARTBEAT_SUFFIX)
            self.subscribing.unsubscribe(key, "", subscriber)
        return codes.SUCCESS

    @property
    def wants_cached(self) -> bool:
        """Whether new subscriptions begin with publishers' last messages, unless they say otherwise."""
        return self.parameters.yes("ReceiveLastSentDataproduct", True)

    def tell_setting(self, key: str, default: str) -> None:
        """Publish the text of a parameter that the application has read, if that is configured and it is news."""
        value = self.parameters.text(key, default)
        if wire.SETTINGS_PRODUCT in self.publishing and self._settings.get(key) != value:
            self._settings[key] = value
            message = GravityConfigParamPB(key=key, value=value, is_default=not self.parameters.is_set(key))
            self._publish_own(wire.SETTINGS_PRODUCT, message, self.component_id)

    def log_to_network(self, level: str, line: str) -> None:
        """Publish a line of the application's log; dropped as long as the directory takes no registration."""
        if not self._joined or self._closed:
            return
        if wire.LOG_PRODUCT not in self.publishing:
            self.register(wire.LOG_PRODUCT, TCP, cache=False)
        self._publish_own(wire.LOG_PRODUCT, GravityLogMessagePB(level=level, message=line))

    def _sample_metrics(self, metrics: Metrics, period: int, samples: int) -> None:
        loop = self._loop("publications")

        def sample(due: float) -> None:
            metrics.sample(now_us())
            if metrics.samples >= samples:
                message = metrics.take(self.component_id, self.directory.ip)
                self._publish_own(wire.METRICS_PRODUCT, message, self.component_id)
            loop.call_at(due + period, lambda: sample(due + period))

        first = time.monotonic() + period
        metrics.begin(now_us())
        loop.call(lambda: loop.call_at(first, lambda: sample(first)))

    def _publish_own(self, id: str, message: Message, filter_text: str = "") -> None:
        self.publishing.publish(wire.fill(GravityDataProductPB(dataProductID=id), message), filter_text, 0)

    # ---- the end -------------------------------------------------------------------------------------------

    def close(self, *, withdraw: bool = False) -> None:
        """Stop the threads and close the sockets; with `withdraw`, take registrations back first.

        Calls in other threads end soon, with an error's code.
        """
        with self._lock:
            if self._closed:
                return
            self._closed = True
        _running.discard(self)
        if withdraw and self._joined:
            self._withdraw_all()
        self._transport.end_requests()  # one in a callback would hold its loop up
        self._end()
        self.publishing.close()
        self._transport.close()

    def _end(self) -> None:
        with self._loops_lock:
            self._ended = True
            loops = list(self._loops.values())
        for loop in loops:
            loop.stop()

    def _withdraw_all(self) -> None:
        """Withdraw everything, until the directory once fails to answer at once."""
        withdrawals: list[Callable[[], int]] = [
            *(lambda id=p.id: self.unregister(id, patiently=False) for p in self.publishing.publications()),
            *(lambda id=o.id: self.unregister_service(id, patiently=False) for o in self._serving.offers()),
        ]
        for withdrawal in withdrawals:
            if withdrawal() == codes.REQUEST_TIMEOUT:
                return

    def _loop(self, role: str) -> Loop:
        with self._loops_lock:
            if role not in self._loops:
                self._loops[role] = Loop(f"gravity-{role}")
                if self._ended:  # a call in another thread has come too late: what it hands over is not done
                    self._loops[role].stop()
            return self._loops[role]


_running: weakref.WeakSet[Core] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for core in list(_running):
        with contextlib.suppress(Exception):  # at the end of the program there is nobody left to tell
            core.close(withdraw=True)
