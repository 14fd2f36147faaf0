"""GravityNode: the public API. It handles names, defaults and return codes; RunningNode does the work."""

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
from .io import TransportError, is_loopback
from .protocol import codes
from .protocol.config import Parameters
from .protocol.envelope import TooLarge, decode_data_product
from .protocol.limits import fault_of_name
from .protocol.names import HEARTBEAT_SUFFIX, RESERVED
from .roles.directory_client import DirectoryRefuses
from .roles.running_node import RunningNode
from .roles.subscriber import Key
from .swig import SwigObject

T = TypeVar("T")

_END_WAIT = 1.0  # seconds to wait for the sockets of a collected node to close

_CODE_NAMES: Mapping[int, str] = MappingProxyType(
    {0: "SUCCESS"}
    | {value: name for name, value in vars(codes).items() if isinstance(value, int) and -14 <= value < 0}
)


class GravityNode(SwigObject):
    """A component of a Gravity system, which finds the others through the Service Directory.

    Methods that return an int return a code from `gravity`: SUCCESS (0), NOT_INITIALIZED before `init`,
    REQUEST_TIMEOUT if the Service Directory does not answer. All methods may be called from any thread, also from
    callbacks. `close`, or leaving the context manager, unregisters everything that the node registered.
    """

    def __init__(
        self,
        componentID: str | None = None,
        *,
        ini: str | PathLike[str] | None = None,
        settings: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Create a node, and initialise it if `componentID` is given.

        `ini`: the configuration file; by default $GRAVITY_INI, or else Gravity.ini in the working directory.
        `settings`: parameters that take precedence over those in the file.
        """
        self._component_id = ""
        self._parameters = Parameters()
        self._settings = settings
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
        """Read the configuration and connect to the Service Directory; can be retried until it succeeds.

        `componentID` defaults to GravityComponentID in `[general]`, or else "GravityNode". The files are read once.
        Returns REQUEST_TIMEOUT if no Service Directory answers within nine seconds, FAILURE if none broadcasts the
        configured domain, NO_SERVICE_DIRECTORY if its host is unknown, or INVALID_PARAMETER if the configuration is
        malformed or the Service Directory refuses its key; for the last two, standard error tells the reason.
        """
        with self._lock:
            try:
                if self._running is None:
                    self._running = self._configure(componentID)
                code = self._running.join()
            except (ValueError, TransportError, DirectoryRefuses) as error:
                print(f"Gravity: {error}", file=sys.stderr)
                unknown = isinstance(error, TransportError)
                return codes.NO_SERVICE_DIRECTORY if unknown else codes.INVALID_PARAMETER
            if code == codes.SUCCESS and not is_loopback(self.getIP()):
                log.library_log.warning("listening at %s, where other hosts can reach this node", self.getIP())
            return code

    def close(self) -> None:
        """Unregister everything, if the Service Directory answers, and release threads and sockets."""
        with self._lock:
            running, self._running = self._running, None
            self._held.clear()
        if running:
            running.close(unregister=True)

    def waitForExit(self) -> None:
        """Block until Ctrl-C (KeyboardInterrupt)."""
        while True:
            time.sleep(10)

    # ---- publish / subscribe -----------------------------------------------------------------------------

    def registerDataProduct(self, dataProductID: str, transportType: int, cacheLastValue: bool | None = None) -> int:
        """Register a data product, which is required before publishing it.

        Returns INVALID_PARAMETER for a name of more than 255 characters or with unprintable ones, and
        REGISTRATION_CONFLICT if the Service Directory refuses the registration; its log says why.
        `transportType`: TCP, IPC or INPROC. `cacheLastValue`: whether to send new subscribers the last message; the
        default is CacheLastSentDataproduct in Gravity.ini. Registering a product again has no effect and returns
        SUCCESS.
        """
        running = self._running
        if running is None:
            return codes.NOT_INITIALIZED
        if (code := self._refusal(dataProductID, transportType)) != codes.SUCCESS:
            return code
        if cacheLastValue is None:
            cacheLastValue = self._parameters.yes("CacheLastSentDataproduct", True)
        return running.registrar.register(dataProductID, transportType, cache=cacheLastValue)

    def unregisterDataProduct(self, dataProductID: str) -> int:
        """Unregister a data product; return REGISTRATION_CONFLICT if this node has not registered it."""
        return self._running.registrar.unregister(dataProductID) if self._running else codes.NOT_INITIALIZED

    def publish(self, dataProduct: GravityDataProduct, filterText: str = "", timestamp: int = 0) -> int:
        """Send a data product to its subscribers; `dataProduct` itself is not modified.

        `filterText`: subscribers receive the message if it starts with their filter. `timestamp`: in microseconds
        since the epoch, 0 for now. A product that is not registered is dropped and logged; the code is still SUCCESS.
        Returns INVALID_PARAMETER if the message exceeds MaxMessageSize.
        """
        running = self._running
        if running is None:
            return codes.NOT_INITIALIZED
        product = envelope_of(dataProduct)
        try:
            if not running.publisher_role.publish(product, filterText, timestamp):
                log.library_log.error("%s is not registered: message dropped", product.dataProductID)
        except TooLarge as error:
            log.library_log.error("dropped a message of %s: %s", product.dataProductID, error)
            return codes.INVALID_PARAMETER
        return codes.SUCCESS

    def subscribersExist(self, dataProductID: str) -> list[int | bool]:
        """Return [code, whether the data product has subscribers]; code is NOT_REGISTERED for an unknown product."""
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
        """Deliver a data product from all current and future publishers to `subscriber`.

        `filter`: deliver only messages whose filter text starts with it. `domain`: of the publishers, by default the
        node's own. `receiveLastCachedValue`: whether to start with each publisher's last message; the default is
        ReceiveLastSentDataproduct in Gravity.ini. The node keeps the subscriber alive until it is unsubscribed.
        Returns NO_SERVICE_DIRECTORY if the Service Directory does not answer.
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
        """Cancel a subscription made with the same arguments; unknown ones are ignored.

        Does not wait for callbacks: one that is pending or running in another thread may still happen.
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

    # ---- relays --------------------------------------------------------------------------------------------

    def registerRelay(
        self,
        dataProductID: str,
        subscriber: GravitySubscriber,
        localOnly: bool,
        transportType: int,
        cacheLastValue: bool = False,
    ) -> int:
        """Register as a relay of a data product, from which subscribers then get it, and subscribe to the original.

        `subscriber` publishes what it gets, with isRelayedDataproduct set. `localOnly`: for subscribers on this host
        only. `cacheLastValue`: as in registerDataProduct; subscribers may then get messages twice while a relay
        starts or ends. Returns the codes of registerDataProduct and subscribe.
        """
        running = self._running
        if running is None:
            return codes.NOT_INITIALIZED
        if (code := self._refusal(dataProductID, transportType)) != codes.SUCCESS:
            return code
        ip = running.directory.ip if localOnly else ""
        code = running.registrar.register(dataProductID, transportType, cache=cacheLastValue, relay_ip=ip)
        return self.subscribe(dataProductID, subscriber, "", "", False) if code == codes.SUCCESS else code

    def unregisterRelay(self, dataProductID: str, subscriber: GravitySubscriber) -> int:
        """Undo registerRelay; returns the codes of unregisterDataProduct."""
        code = self.unregisterDataProduct(dataProductID)
        self.unsubscribe(dataProductID, subscriber)
        return code

    # ---- services ----------------------------------------------------------------------------------------

    def registerService(self, serviceID: str, transportType: int, server: GravityServiceProvider) -> int:
        """Register a service provided by `server`; requests go to the node that registered it last."""
        if self._running is None:
            return codes.NOT_INITIALIZED
        _check_type("registerService", server, "request")
        if transportType not in range(5) or not _is_name(serviceID):
            return codes.INVALID_PARAMETER
        return self._running.registrar.register_service(serviceID, transportType, server)

    def unregisterService(self, serviceID: str) -> int:
        """Unregister a service; return NOT_REGISTERED if this node has not registered it."""
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
        """Send a request to a service: asynchronously if a `requestor` is given, otherwise wait for the response.

        `timeout_milliseconds`: -1 for no timeout. A synchronous request returns the response, or None if the service
        does not exist, does not respond in time, or anything else fails. An asynchronous one returns SUCCESS and
        keeps the requestor alive until its callback, or NO_SUCH_SERVICE or NO_SERVICE_DIRECTORY without a callback.
        A request that exceeds MaxMessageSize fails: None, or INVALID_PARAMETER.
        """
        if arguments and not isinstance(arguments[0], int):
            _check_type("request", arguments[0], "requestFilled")
            return self._request_async(serviceID, dataProduct, *arguments)
        return self._request_sync(serviceID, dataProduct, *arguments)

    def requestBinary(self, *arguments) -> bytes | int:  # type: ignore[no-untyped-def]
        """Like `request`, but return a synchronous response serialized, or b"" if there is none."""
        answer = self.request(*arguments)
        if isinstance(answer, int):
            return answer
        return answer.serializeToString() if answer else b""

    def startHeartbeat(self, interval_in_microseconds: int) -> int:
        """Publish a heartbeat now and then at every interval; return FAILURE if already started."""
        if interval_in_microseconds < 0:
            raise OverflowError("the interval must not be negative")
        return self._running.start_heartbeat(interval_in_microseconds) if self._running else codes.NOT_INITIALIZED

    def stopHeartbeat(self) -> int:
        """Stop publishing heartbeats."""
        return self._running.stop_heartbeat() if self._running else codes.NOT_INITIALIZED

    def registerHeartbeatListener(
        self, componentID: str, interval_in_microseconds: int, listener: GravityHeartbeatListener, domain: str = ""
    ) -> int:
        """Notify `listener` at every interval whether a heartbeat of a component has arrived.

        A component has one listener: the last one registered.
        """
        if self._running is None:
            return codes.NOT_INITIALIZED
        _check_type("registerHeartbeatListener", listener, "MissedHeartbeat")
        if interval_in_microseconds <= 0:
            return codes.INVALID_PARAMETER
        return self._running.listen(componentID, domain or self._running.domain, interval_in_microseconds, listener)

    def unregisterHeartbeatListener(self, componentID: str, domain: str = "") -> int:
        """Remove a listener; unknown ones are ignored."""
        return self._running.stop_listening(componentID) if self._running else codes.NOT_INITIALIZED

    # ---- parameters and identity --------------------------------------------------------------------------

    def getStringParam(self, key: str, default_value: str = "") -> str:
        """Return a parameter, or the default if it is not set."""
        return self._publish_setting(key, default_value, self._parameters.text(key, default_value))

    def getIntParam(self, key: str, default_value: int = -1) -> int:
        """Return the integer at the start of a parameter, or the default if there is none."""
        return self._publish_setting(key, str(default_value), self._parameters.integer(key, default_value))

    def getFloatParam(self, key: str, default_value: float = 0.0) -> float:
        """Return the number at the start of a parameter, or the default if there is none."""
        return self._publish_setting(key, f"{default_value:f}", self._parameters.number(key, default_value))

    def getBoolParam(self, key: str, default_value: bool = False) -> bool:
        """Return whether a parameter is true, t, yes or y, or the default if it is not set."""
        return self._publish_setting(key, str(default_value).lower(), self._parameters.yes(key, default_value))

    def getComponentID(self) -> str:
        """Return this node's component id; "" before `init`."""
        return self._component_id

    def getIP(self) -> str:
        """Return this host's IP address on the route to the Service Directory; "" before `init`."""
        return self._running.directory.ip if self._running else ""

    def getDomain(self) -> str:
        """Return the Service Directory's domain; "" before `init`."""
        return self._running.domain if self._running else ""

    def getCodeString(self, code: int) -> str:
        """Return the name of a return code, or the number as text if it is unknown."""
        return _CODE_NAMES.get(code, str(code))

    # ---- internals ---------------------------------------------------------------------------------------

    def _configure(self, component_id: str | None) -> RunningNode:
        if component_id is None:
            component_id = Parameters.read("general", self._ini).text("GravityComponentID") or "GravityNode"
        if fault := fault_of_name(component_id):
            raise ValueError(f"the component id {fault}")
        self._parameters = parameters = Parameters.read(component_id, self._ini)
        parameters.update(self._settings)
        running = RunningNode(component_id, parameters)
        weakref.finalize(self, _end, running).atexit = False
        self._component_id = component_id
        log.configure(component_id, parameters.text, running.diagnostics.log)
        return running

    def _refusal(self, product_id: str, transport: int) -> int:
        """Return why a data product cannot be registered, or SUCCESS."""
        if not _is_name(product_id):
            return codes.INVALID_PARAMETER
        if product_id in RESERVED or product_id == self._component_id + HEARTBEAT_SUFFIX:
            return codes.RESERVED_DATA_PRODUCT_ID
        return codes.SUCCESS if transport in range(5) else codes.INVALID_PARAMETER

    def _publish_setting(self, key: str, default: str, value: T) -> T:
        if self._running:
            self._running.diagnostics.publish_setting(key, default)
        return value

    def _request_sync(
        self, service_id: str, product: GravityDataProduct, timeout_milliseconds: int = -1, domain: str = ""
    ) -> GravityDataProduct | None:
        running = self._running
        if running is None:
            return None
        asked, timeout = _stamped(running, product), _seconds(timeout_milliseconds)
        response = running.requestor_role.request(service_id, domain or running.domain, asked, timeout)
        return GravityDataProduct._wrap(response) if response else None

    def _request_async(
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
        return running.requestor_role.request_async(
            service_id, domain or running.domain, asked, requestor, request_id, timeout
        )


def _end(running: RunningNode) -> None:
    """Close the running of a node that is gone.

    Uses its own thread, since the collection may happen under a lock that a thread of the node is waiting for.
    """
    closing = threading.Thread(target=running.close, name="gravity-end", daemon=True)
    with contextlib.suppress(RuntimeError):  # the interpreter is shutting down: no more threads
        closing.start()
        closing.join(_END_WAIT)


def _is_name(id: str) -> bool:
    """Return whether a data product or service may have this name; if not, log why."""
    fault = fault_of_name(id)
    if fault:
        log.library_log.error("cannot register %s: its name %s", id, fault)
    return not fault


def _stamped(running: RunningNode, product: GravityDataProduct) -> GravityDataProductPB:
    """Return a copy of a request with its sender filled in."""
    stamped = decode_data_product(product.serializeToString())
    stamped.componentID, stamped.domain = running.component_id, running.domain
    return stamped


def _seconds(milliseconds: int) -> float | None:
    return milliseconds / 1000 if milliseconds > 0 else None


def _check_type(method: str, argument: object, callback: str) -> None:
    """Raise TypeError, as Gravity does, if `argument` has no method `callback`."""
    if not callable(getattr(argument, callback, None)):
        raise TypeError(f"in method '{method}', {type(argument).__name__} has no method {callback}")
