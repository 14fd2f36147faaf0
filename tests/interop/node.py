"""A Gravity node that does as it is told: commands come in as lines of JSON, answers and callbacks go out as such.

It runs on any Gravity, since it uses only what all have, in the way that all allow. A command is
`{"do": METHOD, "with": [ARGUMENT...]}` with a method of GravityNode, or one of the few in `OTHERS`. Bytes
travel as text, one character for each (Latin-1). Arguments that are no plain values are:

    {"product": ID, "data": TEXT}                 a data product; or "message": TEXT for a protobuf message
    {"subscriber": NAME}, {"requestor": NAME},    the callback object of this name, made on first mention
    {"provider": NAME}, {"listener": NAME}
"""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

import gravity as package
from gravity import (
    GravityDataProduct,
    GravityHeartbeatListener,
    GravityNode,
    GravityRequestor,
    GravityServiceProvider,
    GravitySubscriber,
    SpdLog,
)
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB

output = os.fdopen(os.dup(1), "w")  # for the answers alone: what a library prints goes to standard error
os.dup2(2, 1)
writing = threading.Lock()


def say(**what: object) -> None:
    """Write one line."""
    with writing:
        print(json.dumps(what), file=output, flush=True)


def tell(callback: str, name: str, *values: object) -> None:
    """Tell of a callback."""
    say(callback=callback, of=name, values=values)


def described(product: GravityDataProduct) -> dict[str, object]:
    """Return a data product as plain values."""
    return {
        "id": product.dataProductID,
        "data": product.data.decode("latin-1"),
        "component": product.componentID,
        "domain": product.domain,
        "timestamp": product.timestamp,
        "received": product.receivedTimestamp,
        "cached": product.isCachedDataproduct,
        "protocol": product.protocol,
        "type_name": product.typeName,
        "version": product.softwareVersion,
        "relayed": GravityDataProductPB.FromString(product.serializeToString()).is_relayed_dataproduct,
    }


class Subscriber(GravitySubscriber):
    """Tells what arrives."""

    def __init__(self, name: str) -> None:
        GravitySubscriber.__init__(self)
        self.name = name

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        tell("subscriptionFilled", self.name, *map(described, dataProducts))


class Requestor(GravityRequestor):
    """Tells what is answered."""

    def __init__(self, name: str) -> None:
        GravityRequestor.__init__(self)
        self.name = name

    def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
        tell("requestFilled", self.name, serviceID, requestID, described(response))

    def requestTimeout(self, serviceID: str, requestID: str) -> None:
        tell("requestTimeout", self.name, serviceID, requestID)


class Provider(GravityServiceProvider):
    """Answers with its name and what it was asked; the request `wait` only after the command `release`."""

    def __init__(self, name: str) -> None:
        GravityServiceProvider.__init__(self)
        self.name = name

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        tell("request", self.name, serviceID, described(dataProduct))
        if dataProduct.data == b"wait":
            released.acquire()
        response = GravityDataProduct(f"{serviceID}Response")
        response.data = f"{self.name}: ".encode() + dataProduct.data
        return response


class Listener(GravityHeartbeatListener):
    """Tells which heartbeats come and which do not."""

    def __init__(self, name: str) -> None:
        GravityHeartbeatListener.__init__(self)
        self.name = name

    def MissedHeartbeat(
        self, componentID: str, microsecond_to_last_heartbeat: int, interval_in_microseconds: object
    ) -> None:
        tell("MissedHeartbeat", self.name, componentID, microsecond_to_last_heartbeat)

    def ReceivedHeartbeat(self, componentID: str, interval_in_microseconds: object) -> None:
        tell("ReceivedHeartbeat", self.name, componentID)


CALLBACKS = {"subscriber": Subscriber, "requestor": Requestor, "provider": Provider, "listener": Listener}
OTHERS: dict[str, Callable[..., object]] = {
    "log": lambda level, text: getattr(SpdLog, level)(text),
    "release": lambda: released.release(),
}
released = threading.Semaphore(0)
known: dict[tuple[str, str], Any] = {}  # the callback objects: a node does not keep all of them alive


def meant(argument: Any) -> Any:
    """Return what an argument of a command stands for."""
    if not isinstance(argument, dict):
        return argument
    if "product" in argument:
        product = GravityDataProduct(argument["product"])
        if "message" in argument:
            product.data = GravityLogMessagePB(level="info", message=argument["message"])
        else:
            product.data = argument["data"].encode("latin-1")
        if "version" in argument:
            product.softwareVersion = argument["version"]
        return product
    [(kind, name)] = argument.items()
    if (kind, name) not in known:
        known[kind, name] = CALLBACKS[kind](name)
    return known[kind, name]


def main() -> None:
    """Say which Gravity this is, then do what is told until the end of the input."""
    say(answer=os.path.dirname(package.__file__))
    node = GravityNode()
    for line in sys.stdin:
        command = json.loads(line)
        do = OTHERS.get(command["do"]) or getattr(node, command["do"])
        answer = do(*map(meant, command["with"]))
        say(answer=described(answer) if isinstance(answer, GravityDataProduct) else answer)
    os._exit(0)  # a node whose provider still waits would not end by itself


if __name__ == "__main__":
    main()
