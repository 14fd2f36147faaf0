"""GravityNode: the face of a node. It knows the API's names, defaults and codes, and delegates the rest."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
import weakref
from collections.abc import Mapping
from os import PathLike, environ
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TypeVar, overload

from . import log
from .callbacks import (
    GravityHeartbeatListener,
    GravityRequestor,
    GravityServiceProvider,
    GravitySubscriber,
)
from .GravityDataProduct import GravityDataProduct, envelope_of
from .GravityDataProductPB_pb2 import GravityDataProductPB
from .io import TransportError
from .protocol import codes
from .protocol.config import Parameters
from .protocol.envelope import decode_data_product
from .protocol.names import HEARTBEAT_SUFFIX, RESERVED
from .roles.running_node import RunningNode
from .roles.subscriber import Key
from .swig import SwigObject

T = TypeVar("T")

_END_WAIT = 1.0  # seconds that whoever drops a node waits until its sockets are closed

_CODE_NAMES: Mapping[int, str] = MappingProxyType(
    {0: "SUCCESS"}
    | {value: name for name, value in vars(codes).items() if isinstance(value, int) and -14 <= value < 0}
)


class GravityNode(SwigObject):
    """One component of a Gravity system: it finds the others through the Service Directory.

    Methods that return an int return one of `gravity`'s codes: SUCCESS (0) if all is well, NOT_INITIALIZED
    before `init`, REQUEST_TIMEOUT if the Service Directory does not answer. All methods may be called from
    any thread, callbacks included. As a context manager, or by `close`, a node withdraws what it registered.
    """

    def __init__(self, componentID: str | None = None, *, ini: str | PathLike[str] | None = None) -> None:
        """Make a node; with a `componentID`, initialise it too.

        `ini`: the configuration file, else the environment variable GRAVITY_INI names it, else it is
        Gravity.ini in the working directory.
        """
        self._component_id = ""
        self._parameters = Parameters()
        self._ini = Path(ini or environ.get("GRAVITY_INI") or "Gravity.ini")
        self._running: RunningNode | None = None
        self._held: dict[tuple[int, str, str], tuple[GravitySubscriber, set[str]]] = {}
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
        """Read the configuration and find the Service Directory; may be called again until it succeeds.

        Without `componentID`, GravityComponentID of `[general]` is taken, else "GravityNode". The files are
        read once. Returns REQUEST_TIMEOUT if no Service Directory answers (after nine seconds), FAILURE if
        none of the configured domain is heard, NO_SERVICE_DIRECTORY if its host is unknown, or
        INVALID_PARAMETER if the configuration is malformed; the last two say more on standard error.
        """
        with self._lock:
            if self._running is None:
                try:
                    self._running = self._configure(componentID)
                except (ValueError, TransportError) as error:
                    print(f"Gravity: {error}", file=sys.stderr)
                    malformed = isinstance(error, ValueError)
                    return codes.INVALID_PARAMETER if malformed else codes.NO_SERVICE_DIRECTORY
            return self._running.join()

    def close(self) -> None:
        """Withdraw what was registered, if the Service Directory answers, and free threads and sockets."""
        with self._lock:
            running, self._running = self._running, None
            self._held.clear()
        if running:
            running.close(withdraw=True)

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
        running = self._running
        if running is None:
            return codes.NOT_INITIALIZED
        if dataProductID in RESERVED or dataProductID == self._component_id + HEARTBEAT_SUFFIX:
            return codes.RESERVED_DATA_PRODUCT_ID
        if transportType not in range(5):
            return codes.INVALID_PARAMETER
        if cacheLastValue is None:
            cacheLastValue = self._parameters.yes("CacheLastSentDataproduct", True)
        return running.registrar.register(dataProductID, transportType, cache=cacheLastValue)

    def unregisterDataProduct(self, dataProductID: str) -> int:
        """Withdraw a data product; REGISTRATION_CONFLICT if this node does not offer it."""
        return self._running.registrar.unregister(dataProductID) if self._running else codes.NOT_INITIALIZED

    def publish(self, dataProduct: GravityDataProduct, filterText: str = "", timestamp: int = 0) -> int:
        """Send a data product to its subscribers; `dataProduct` itself is left as it is.

        `timestamp`: microseconds since the epoch, 0 for now. One that is not registered is dropped.
        """
        running = self._running
        if running is None:
            return codes.NOT_INITIALIZED
        product = envelope_of(dataProduct)
        if not running.publisher_role.publish(product, filterText, timestamp):
            log.library_log.error("%s is published but not registered: dropped", product.dataProductID)
        return codes.SUCCESS

    def subscribersExist(self, dataProductID: str) -> list[int | bool]:
        """Return [code, whether the data product has subscribers]."""
        if self._running is None:
            return [codes.NOT_INITIALIZED, True]
        exist = self._running.publisher_role.has_subscribers(dataProductID)
        return [codes.NOT_REGISTERED, True] if exist is None else [codes.SUCCESS, exist]

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
        NO_SERVICE_DIRECTORY if it does not answer. The subscriber is kept alive until it is unsubscribed.
        """
        running = self._running
        if running is None:
            return codes.NOT_INITIALIZED
        _check_type("subscribe", subscriber, "subscriptionFilled")
        key = Key(domain or running.domain, dataProductID)
        with self._lock:
            held = self._held.setdefault((id(subscriber), filter, key.domain), (subscriber, set()))
            held[1].add(dataProductID)
        wants_cached = running.wants_cached if receiveLastCachedValue is None else receiveLastCachedValue
        return running.subscribe(key, filter, subscriber, wants_cached=wants_cached)

    def unsubscribe(
        self, dataProductID: str, subscriber: GravitySubscriber, filter: str = "", domain: str = ""
    ) -> int:
        """Take back a subscription made with the same arguments; one that does not exist is ignored.

        Other threads' callbacks are not waited for: one that is due or under way may still be called.
        """
        running = self._running
        if running is None:
            return codes.NOT_INITIALIZED
        key = Key(domain or running.domain, dataProductID)
        running.subscriber_role.unsubscribe(key, filter, subscriber)
        with self._lock:
            held = self._held.get((id(subscriber), filter, key.domain))
            if held:
                held[1].discard(dataProductID)
                if not held[1]:
                    del self._held[(id(subscriber), filter, key.domain)]
        return codes.SUCCESS

    # ---- services ----------------------------------------------------------------------------------------

    def registerService(self, serviceID: str, transportType: int, server: GravityServiceProvider) -> int:
        """Offer a service that `server` provides; the last node that offers it is asked."""
        if self._running is None:
            return codes.NOT_INITIALIZED
        _check_type("registerService", server, "request")
        if transportType not in range(5):
            return codes.INVALID_PARAMETER
        return self._running.registrar.register_service(serviceID, transportType, server)

    def unregisterService(self, serviceID: str) -> int:
        """Withdraw a service; NOT_REGISTERED if this node does not offer it."""
        return self._running.registrar.unregister_service(serviceID) if self._running else codes.NOT_INITIALIZED

    @overload
    def request(
        self, serviceID: str, dataProduct: GravityDataProduct, timeout_milliseconds: int = ..., domain: str = ..., /
    ) -> GravityDataProduct | None: ...

    @overload
    def request(
        self,
        serviceID: str,
        dataProduct: GravityDataProduct,
        requestor: GravityRequestor,
        requestID: str = ...,
        timeout_milliseconds: int = ...,
        domain: str = ...,
        /,
    ) -> int: ...

    def request(self, serviceID, dataProduct, *arguments):  # type: ignore[no-untyped-def]
        """Ask a service: with a `requestor` asynchronously, else wait for the answer and return it.

        `timeout_milliseconds` -1 waits for ever. Synchronously: None if there is no such service, no answer
        in time, or anything else goes wrong. Asynchronously: the requestor is kept alive until it is called;
        returns NO_SUCH_SERVICE or NO_SERVICE_DIRECTORY if it will not be.
        """
        if arguments and not isinstance(arguments[0], int):
            _check_type("request", arguments[0], "requestFilled")
            return self._request_later(serviceID, dataProduct, *arguments)
        return self._request_now(serviceID, dataProduct, *arguments)

    def requestBinary(self, *arguments) -> bytes | int:  # type: ignore[no-untyped-def]
        """Do as `request` does, but return a synchronous answer serialized; b"" if there is none."""
        answer = self.request(*arguments)
        if isinstance(answer, int):
            return answer
        return answer.serializeToString() if answer else b""

    def startHeartbeat(self, interval_in_microseconds: int) -> int:
        """Publish a heartbeat now and every interval; FAILURE if that is done already."""
        if interval_in_microseconds < 0:
            raise OverflowError("an interval is not negative")
        return self._running.start_heartbeat(interval_in_microseconds) if self._running else codes.NOT_INITIALIZED

    def stopHeartbeat(self) -> int:
        """Publish no more heartbeats."""
        return self._running.stop_heartbeat() if self._running else codes.NOT_INITIALIZED

    def registerHeartbeatListener(
        self, componentID: str, interval_in_microseconds: int, listener: GravityHeartbeatListener, domain: str = ""
    ) -> int:
        """Tell `listener` every interval whether a component's heartbeat has come; the last listener wins."""
        if self._running is None:
            return codes.NOT_INITIALIZED
        _check_type("registerHeartbeatListener", listener, "MissedHeartbeat")
        if interval_in_microseconds <= 0:
            return codes.INVALID_PARAMETER
        return self._running.listen(componentID, domain or self._running.domain, interval_in_microseconds, listener)

    def unregisterHeartbeatListener(self, componentID: str, domain: str = "") -> int:
        """Take a listener back; one that does not exist is ignored."""
        return self._running.stop_listening(componentID) if self._running else codes.NOT_INITIALIZED

    # ---- what is this node? ------------------------------------------------------------------------------

    def getStringParam(self, key: str, default_value: str = "") -> str:
        """Return a parameter's text, or the default if it is not set."""
        return self._told(key, default_value, self._parameters.text(key, default_value))

    def getIntParam(self, key: str, default_value: int = -1) -> int:
        """Return the whole number that a parameter begins with, or the default if there is none."""
        return self._told(key, str(default_value), self._parameters.integer(key, default_value))

    def getFloatParam(self, key: str, default_value: float = 0.0) -> float:
        """Return the number that a parameter begins with, or the default if there is none."""
        return self._told(key, f"{default_value:f}", self._parameters.number(key, default_value))

    def getBoolParam(self, key: str, default_value: bool = False) -> bool:
        """Return whether a parameter is true, t, yes or y; the default if it is not set."""
        return self._told(key, str(default_value).lower(), self._parameters.yes(key, default_value))

    def getComponentID(self) -> str:
        """Return this node's name; "" before `init`."""
        return self._component_id

    def getIP(self) -> str:
        """Return this host's address as the Service Directory's host sees it; "" before `init`."""
        return self._running.directory.ip if self._running else ""

    def getDomain(self) -> str:
        """Return the Service Directory's domain; "" before `init`."""
        return self._running.domain if self._running else ""

    def getCodeString(self, code: int) -> str:
        """Return the name of a return code, or the number as text if it has none."""
        return _CODE_NAMES.get(code, str(code))

    # ---- inside ------------------------------------------------------------------------------------------

    def _configure(self, component_id: str | None) -> RunningNode:
        if component_id is None:
            component_id = Parameters.read("general", self._ini).text("GravityComponentID") or "GravityNode"
        self._parameters = parameters = Parameters.read(component_id, self._ini)
        running = RunningNode(component_id, parameters)
        weakref.finalize(self, _end, running).atexit = False
        self._component_id = component_id
        log.configure(component_id, parameters.text, running.diagnostics.log)
        return running

    def _told(self, key: str, default: str, value: T) -> T:
        if self._running:
            self._running.diagnostics.publish_setting(key, default)
        return value

    def _request_now(
        self, service_id: str, product: GravityDataProduct, timeout_milliseconds: int = -1, domain: str = ""
    ) -> GravityDataProduct | None:
        running = self._running
        if running is None:
            return None
        asked, timeout = _stamped(running, product), _seconds(timeout_milliseconds)
        response = running.requestor_role.ask(service_id, domain or running.domain, asked, timeout)
        return GravityDataProduct._wrap(response) if response else None

    def _request_later(
        self,
        service_id: str,
        product: GravityDataProduct,
        requestor: GravityRequestor,
        request_id: str = "",
        timeout_milliseconds: int = -1,
        domain: str = "",
    ) -> int:
        running = self._running
        if running is None:
            return codes.NOT_INITIALIZED
        asked, timeout = _stamped(running, product), _seconds(timeout_milliseconds)
        return running.requestor_role.ask_later(
            service_id, domain or running.domain, asked, requestor, request_id, timeout
        )


def _end(running: RunningNode) -> None:
    """Close the running of a node that is gone.

    In a thread of its own: a node may be collected anywhere, under a lock that one of its own threads waits for.
    """
    closing = threading.Thread(target=running.close, name="gravity-end", daemon=True)
    with contextlib.suppress(RuntimeError):  # the program ends: no thread can be started any more
        closing.start()
        closing.join(_END_WAIT)


def _stamped(running: RunningNode, product: GravityDataProduct) -> GravityDataProductPB:
    """Return a copy of a request, with its sender."""
    stamped = decode_data_product(product.serializeToString())
    stamped.componentID, stamped.domain = running.component_id, running.domain
    return stamped


def _seconds(milliseconds: int) -> float | None:
    return milliseconds / 1000 if milliseconds > 0 else None


def _check_type(method: str, argument: object, callback: str) -> None:
    """Raise TypeError, as the reference does, if a callback object is none."""
    if not callable(getattr(argument, callback, None)):
        raise TypeError(f"in method '{method}', {type(argument).__name__} has no method {callback}")
