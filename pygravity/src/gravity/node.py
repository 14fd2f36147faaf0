"""GravityNode: the face of a node. It reads the configuration, knows the return codes and delegates the rest."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
import time
import weakref
from pathlib import Path
from types import TracebackType

from . import config, gravity, log, wire
from .directory_client import DirectoryClient, NoDirectory
from .GravityDataProduct import GravityDataProduct
from .io import Loop, Options, Transport, TransportError, now_us
from .publication import Publication
from .publishing import Publishing
from .subscribing import Key, Subscriber, Subscribing
from .wire import REGISTERED_PUBLISHERS, Kind, Registration, Unregistration

_RESERVED = {
    REGISTERED_PUBLISHERS,
    wire.DOMAIN_DETAILS,
    wire.DOMAIN_UPDATE,
    wire.DIRECTORY_SERVICE,
    wire.METRICS_PRODUCT,
    wire.SETTINGS_PRODUCT,
    wire.LOG_PRODUCT,
}
_REPLY_CODES = {
    wire.DirectoryCode.SUCCESS: gravity.SUCCESS,
    wire.DirectoryCode.DUPLICATE_REGISTRATION: gravity.DUPLICATE,
    wire.DirectoryCode.REGISTRATION_CONFLICT: gravity.REGISTRATION_CONFLICT,
    wire.DirectoryCode.NOT_REGISTERED: gravity.LINK_ERROR,  # sic: the reference's mapping
}
_CODE_NAMES = {
    value: name for name, value in vars(gravity).items() if isinstance(value, int) and -13 <= value < 0
} | {0: "SUCCESS"}
_DIRECTORY_RETRIES, _DIRECTORY_PAUSE = 5, 0.5  # of looking for the directory's own data product


class GravitySubscriber:
    """Base class of what receives data products: override `subscriptionFilled`."""

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Take the data products that have arrived since the last call, in the order of publication.

        Called in the node's subscription thread; an exception is logged and the node goes on.
        """


class GravityNode:
    """One component of a Gravity system: it finds the others through the Service Directory.

    Methods that return an int return one of `gravity`'s codes, SUCCESS (0) if all is well, and
    NOT_INITIALIZED before `init`. All methods may be called from any thread, callbacks included.
    As a context manager, or by `close`, a node withdraws what it registered.
    """

    def __init__(self, componentID: str | None = None) -> None:
        """Make a node; with a `componentID`, initialise it too."""
        self._component_id = ""
        self._parameters: dict[str, str] = {}
        self._domain = ""
        self._core: _Core | None = None
        self._held: dict[tuple[int, str, str], tuple[Subscriber, set[str]]] = {}
        self._lock = threading.RLock()
        if componentID is not None:
            self.init(componentID)

    def __enter__(self) -> GravityNode:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- life ------------------------------------------------------------------------------------------

    def init(self, componentID: str | None = None) -> int:
        """Read Gravity.ini and find the Service Directory; may be called again until it succeeds.

        Without `componentID`, GravityComponentID of `[general]` is taken, else "GravityNode". The files are
        read once. Returns REQUEST_TIMEOUT if no Service Directory answers (after nine seconds),
        NO_SERVICE_DIRECTORY if its host is unknown, or INVALID_PARAMETER if the configuration is
        malformed; the last two say more on standard error.
        """
        with self._lock:
            if self._core is None:
                try:
                    self._core = self._configure(componentID)
                except (ValueError, TransportError) as error:
                    print(f"Gravity: {error}", file=sys.stderr)
                    malformed = isinstance(error, ValueError)
                    return gravity.INVALID_PARAMETER if malformed else gravity.NO_SERVICE_DIRECTORY
            try:
                self._domain = self._core.directory.domain()
            except NoDirectory as error:
                log.library_log.warning("%s", error)
                return gravity.REQUEST_TIMEOUT
            return gravity.SUCCESS

    def close(self) -> None:
        """Withdraw what was registered, if the Service Directory answers at once, and free threads and sockets."""
        with self._lock:
            core, self._core = self._core, None
            self._held.clear()
        if core:
            core.close(withdraw=True)

    def waitForExit(self) -> None:
        """Keep the program alive until Ctrl-C (KeyboardInterrupt)."""
        while True:
            time.sleep(10)

    # ---- publish / subscribe -----------------------------------------------------------------------------

    def registerDataProduct(self, dataProductID: str, transportType: int, cacheLastValue: bool | None = None) -> int:
        """Offer a data product under a fresh address; only then can it be published.

        `cacheLastValue`: whether a new subscriber is sent the last message, by default as
        CacheLastSentDataproduct says. Registering it again changes nothing and returns SUCCESS.
        """
        if self._core is None:
            return gravity.NOT_INITIALIZED
        if dataProductID in _RESERVED or dataProductID == self._component_id + wire.HEARTBEAT_SUFFIX:
            return gravity.RESERVED_DATA_PRODUCT_ID
        if transportType not in range(5):
            return gravity.INVALID_PARAMETER
        if cacheLastValue is None:
            cacheLastValue = self.getBoolParam("CacheLastSentDataproduct", True)
        with self._lock:
            return self._core.register(
                dataProductID, transportType, self._component_id, self._domain, bool(cacheLastValue)
            )

    def unregisterDataProduct(self, dataProductID: str) -> int:
        """Withdraw a data product; REGISTRATION_CONFLICT if this node does not offer it."""
        if self._core is None:
            return gravity.NOT_INITIALIZED
        with self._lock:
            return self._core.unregister(dataProductID)

    def publish(self, dataProduct: GravityDataProduct, filterText: str = "", timestamp: int = 0) -> int:
        """Send a data product to its subscribers; `dataProduct` itself is left as it is.

        `timestamp`: microseconds since the epoch, 0 for now. One that is not registered is dropped.
        """
        if self._core is None:
            return gravity.NOT_INITIALIZED
        product = wire.decode_data_product(dataProduct.serializeToString())
        if not self._core.publishing.publish(product, filterText, timestamp):
            log.library_log.error("%s is published but not registered: dropped", product.dataProductID)
        return gravity.SUCCESS

    def subscribersExist(self, dataProductID: str) -> list[int | bool]:
        """Return [code, whether the data product has subscribers]."""
        if self._core is None:
            return [gravity.NOT_INITIALIZED, True]
        exist = self._core.publishing.has_subscribers(dataProductID)
        return [gravity.NOT_REGISTERED, True] if exist is None else [gravity.SUCCESS, exist]

    def subscribe(
        self,
        dataProductID: str,
        subscriber: GravitySubscriber,
        filter: str = "",
        domain: str = "",
        receiveLastCachedValue: bool | None = None,
    ) -> int:
        """Deliver a data product to `subscriber`, whoever publishes it now or later.

        `filter`: only messages whose filter text begins so. `receiveLastCachedValue`: whether to start with
        the publishers' last messages, by default as ReceiveLastSentDataproduct says. Returns
        NO_SERVICE_DIRECTORY if it does not answer.
        """
        core = self._core
        if core is None:
            return gravity.NOT_INITIALIZED
        if receiveLastCachedValue is None:
            receiveLastCachedValue = self.getBoolParam("ReceiveLastSentDataproduct", True)
        key = Key(domain or self._domain, dataProductID)
        try:
            publishers = core.directory.publishers(dataProductID, key.domain)
            updates_url = self._updates_url(core)
        except NoDirectory as error:
            log.library_log.warning("%s", error)
            return gravity.NO_SERVICE_DIRECTORY
        if updates_url is None:
            return gravity.NO_SERVICE_DIRECTORY
        with self._lock:
            held = self._held.setdefault((id(subscriber), filter, key.domain), (subscriber, set()))
            held[1].add(dataProductID)
        core.subscribing.subscribe(
            key, filter, subscriber, publishers, updates_url, wants_cached=receiveLastCachedValue
        )
        return gravity.SUCCESS

    def unsubscribe(
        self, dataProductID: str, subscriber: GravitySubscriber, filter: str = "", domain: str = ""
    ) -> int:
        """Take back a subscription made with the same arguments; one that does not exist is ignored."""
        if self._core is None:
            return gravity.NOT_INITIALIZED
        key = Key(domain or self._domain, dataProductID)
        self._core.subscribing.unsubscribe(key, filter, subscriber)
        with self._lock:
            held = self._held.get((id(subscriber), filter, key.domain))
            if held:
                held[1].discard(dataProductID)
                if not held[1]:
                    del self._held[(id(subscriber), filter, key.domain)]
        return gravity.SUCCESS

    # ---- what is this node? ------------------------------------------------------------------------------

    def getStringParam(self, key: str, default_value: str = "") -> str:
        """Return a parameter's text, or the default if it is not set."""
        return self._parameters.get(key.lower(), default_value)

    def getIntParam(self, key: str, default_value: int = -1) -> int:
        """Return the whole number that a parameter begins with, or the default if there is none."""
        return config.to_int(self._parameters.get(key.lower(), ""), default_value)

    def getFloatParam(self, key: str, default_value: float = 0.0) -> float:
        """Return the number that a parameter begins with, or the default if there is none."""
        return config.to_float(self._parameters.get(key.lower(), ""), default_value)

    def getBoolParam(self, key: str, default_value: bool = False) -> bool:
        """Return whether a parameter is true, t, yes or y; the default if it is not set."""
        text = self._parameters.get(key.lower())
        return default_value if text is None else config.to_bool(text)

    def getComponentID(self) -> str:
        """Return this node's name; "" before `init`."""
        return self._component_id

    def getIP(self) -> str:
        """Return this host's address as the Service Directory's host sees it; "" before `init`."""
        return self._core.directory.ip if self._core else ""

    def getDomain(self) -> str:
        """Return the Service Directory's domain; "" before `init`."""
        return self._domain

    def getCodeString(self, code: int) -> str:
        """Return the name of a return code, or the number as text if it has none."""
        return _CODE_NAMES.get(code, str(code))

    # ---- inside ------------------------------------------------------------------------------------------

    def _configure(self, component_id: str | None) -> _Core:
        general = config.read(Path("Gravity.ini"), component_id or "")
        self._component_id = component_id or general.get("gravitycomponentid", "") or "GravityNode"
        if component_id is None:
            general = config.read(Path("Gravity.ini"), self._component_id)
        self._parameters = general | config.read(Path(f"{self._component_id}.ini"), self._component_id)
        log.configure(self._component_id, self.getStringParam)
        return _Core(self, self._component_id, self.getStringParam("ServiceDirectoryURL"), self._options())

    def _options(self) -> Options:
        keep_alive = None
        if self.getBoolParam("TcpKeepAliveEnabled"):
            keep_alive = (
                self.getIntParam("TcpKeepAliveTime", 7200),
                self.getIntParam("TcpKeepAliveProbes", 9),
                self.getIntParam("TcpKeepAliveIntvl", 75),
            )
        return Options(
            publish_hwm=self._at_least_zero("PublishHWM", 1000),
            subscribe_hwm=self._at_least_zero("SubscribeHWM", 1000),
            min_port=self.getIntParam("MinPort", 24000),
            max_port=self.getIntParam("MaxPort", 24999),
            keep_alive=keep_alive,
        )

    def _at_least_zero(self, key: str, default: int) -> int:
        value = self.getIntParam(key, default)
        if value < 0:
            log.library_log.warning("%s = %d is negative: ignored", key, value)
            return default
        return value

    def _updates_url(self, core: _Core) -> str | None:
        """Return where the directory publishes its lists; it needs a moment after its own start."""
        for attempt in range(_DIRECTORY_RETRIES):
            if attempt:
                time.sleep(_DIRECTORY_PAUSE)
            if found := core.directory.publishers(REGISTERED_PUBLISHERS, self._domain):
                return found[0].url
        return None


class _Core:
    """What a node has running. It does not know its node, so that a forgotten node can be collected.

    Being collected closes sockets but withdraws no registration, as in the reference; the end of the
    program and `GravityNode.close` withdraw them.
    """

    def __init__(self, node: GravityNode, component_id: str, url: str, options: Options) -> None:
        self._transport = Transport()
        self._transport.options = options
        self._loops: dict[str, Loop] = {}
        self._loops_lock = threading.Lock()
        self._closed = False
        try:
            self.directory = DirectoryClient(self._transport, url)
        except (ValueError, TransportError):
            self._transport.close()
            raise
        self.publishing = Publishing(lambda: self._loop("publications"))
        self.subscribing = Subscribing(
            self._transport,
            lambda: self._loop("subscriptions"),
            component_id,
            self.directory.ip,
            self.directory.report_stale,
        )
        weakref.finalize(node, self.close).atexit = False
        _running.add(self)

    def register(self, id: str, transport: int, component_id: str, domain: str, cache: bool) -> int:
        """Bind an address for a data product and tell the Service Directory."""
        if id in self.publishing:
            log.library_log.warning("%s is registered already", id)
            return gravity.SUCCESS
        sender = self._transport.sender(transport, id, self.directory.ip)
        if sender is None:
            return gravity.NO_PORTS_AVAILABLE
        now = now_us()
        registration = Registration(id, sender.url, Kind.DATA, component_id, now, is_relay=False)
        try:
            code = _REPLY_CODES[self.directory.register(registration)]
        except NoDirectory as error:
            log.library_log.warning("%s", error)
            code = gravity.REQUEST_TIMEOUT
        if code != gravity.SUCCESS:
            sender.close()
            return code
        publication = Publication(id, sender.url, now, component_id=component_id, domain=domain, cache=cache)
        self.publishing.add(publication, sender)
        return gravity.SUCCESS

    def unregister(self, id: str, *, patiently: bool = True) -> int:
        """Close a data product's address and tell the Service Directory."""
        if id not in self.publishing:
            return gravity.REGISTRATION_CONFLICT
        p = self.publishing.remove(id)
        try:
            self.directory.unregister(Unregistration(id, p.url, Kind.DATA, p.registration_time), patiently=patiently)
        except NoDirectory as error:
            log.library_log.warning("%s", error)
            return gravity.REQUEST_TIMEOUT
        return gravity.SUCCESS

    def close(self, *, withdraw: bool = False) -> None:
        """Stop the threads and close the sockets; with `withdraw`, take registrations back first."""
        with self._loops_lock:
            if self._closed:
                return
            self._closed = True
        _running.discard(self)
        if withdraw:
            for publication in self.publishing.publications():
                if self.unregister(publication.id, patiently=False) != gravity.SUCCESS:
                    break
        for loop in self._loops.values():
            loop.stop()
        self.publishing.close()
        self._transport.close()

    def _loop(self, role: str) -> Loop:
        with self._loops_lock:
            if role not in self._loops:
                self._loops[role] = Loop(f"gravity-{role}")
            return self._loops[role]


_running: weakref.WeakSet[_Core] = weakref.WeakSet()


@atexit.register
def _close_all() -> None:
    for core in list(_running):
        with contextlib.suppress(Exception):  # at the end of the program there is nobody left to tell
            core.close(withdraw=True)
