"""The names that programs import, and the numbers behind them."""

from __future__ import annotations

import gc
import importlib
import inspect
import logging
import weakref

import pytest

import gravity as package
from gravity import (
    GravityDataProduct,
    GravityNode,
    GravityRequestor,
    GravityServiceProvider,
    GravitySubscriber,
    gravity,
)

CODES = {
    "SUCCESS": 0,
    "FAILURE": -1,
    "NO_SERVICE_DIRECTORY": -2,
    "REQUEST_TIMEOUT": -3,
    "DUPLICATE": -4,
    "REGISTRATION_CONFLICT": -5,
    "NOT_REGISTERED": -6,
    "NO_SUCH_SERVICE": -7,
    "LINK_ERROR": -8,
    "INTERRUPTED": -9,
    "NO_SERVICE_PROVIDER": -10,
    "NO_PORTS_AVAILABLE": -11,
    "INVALID_PARAMETER": -12,
    "NOT_INITIALIZED": -13,
    "RESERVED_DATA_PRODUCT_ID": -14,
}
OTHERS = {"TCP": 0, "INPROC": 1, "PGM": 2, "EPGM": 3, "IPC": 4}
_LOG = ("FATAL", "CRITICAL", "WARNING", "MESSAGE", "DEBUG", "TRACE")
_SPD = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "OFF")
LEVELS = {f"GRAVITY_LOG_{name}": n for n, name in enumerate(_LOG)} | {
    f"SPD_LOG_{name}": n for n, name in enumerate(_SPD)
}


@pytest.mark.parametrize(("name", "number"), (CODES | OTHERS | LEVELS).items())
def test_constants(name: str, number: int) -> None:
    assert getattr(gravity, name) == number


@pytest.mark.parametrize(("name", "number"), CODES.items())
def test_names_of_codes(name: str, number: int) -> None:
    assert package.GravityNode().getCodeString(number) == name


@pytest.mark.parametrize("number", [-15, 1, 5, 100])
def test_codes_without_a_name(number: int) -> None:
    assert package.GravityNode().getCodeString(number) == str(number)


# What the reference's bindings have: all public names of the package's classes, with the parameters where these
# have names; "..." stands for overloads, which take positional arguments only, "-" for what is not called.
_CALLBACK = {"thisown": "-", "__disown__": ""}
_SPD_LOGGER = dict.fromkeys(("critical", "error", "warn", "info", "debug", "trace"), "message")
_OLD_LOGGER = dict.fromkeys(("fatal", "critical", "warning", "message", "debug", "trace"), "format")
API = {
    "GravityNode": {
        "init": "...",
        "waitForExit": "",
        "registerDataProduct": "...",
        "unregisterDataProduct": "dataProductID",
        "subscribe": "...",
        "unsubscribe": "...",
        "publish": "...",
        "subscribersExist": "dataProductID",
        "request": "...",
        "requestBinary": "...",
        "registerService": "serviceID, transportType, server",
        "unregisterService": "serviceID",
        "startHeartbeat": "interval_in_microseconds",
        "stopHeartbeat": "",
        "registerHeartbeatListener": "...",
        "unregisterHeartbeatListener": "...",
        "getStringParam": "...",
        "getIntParam": "key, default_value=-1",
        "getFloatParam": "key, default_value=0.0",
        "getBoolParam": "key, default_value=False",
        "getComponentID": "",
        "getIP": "",
        "getDomain": "",
        "getCodeString": "code",
        "thisown": "-",
    },
    "GravitySubscriber": _CALLBACK | {"subscriptionFilled": "dataProducts", "subscriptionFilledBinary": "..."},
    "GravityRequestor": _CALLBACK
    | {
        "requestFilled": "serviceID, requestID, response",
        "requestFilledBinary": "...",
        "requestTimeout": "serviceID, requestID",
    },
    "GravityServiceProvider": _CALLBACK | {"request": "serviceID, dataProduct", "requestBinary": "..."},
    "GravityHeartbeatListener": _CALLBACK
    | {
        "MissedHeartbeat": "componentID, microsecond_to_last_heartbeat, interval_in_microseconds",
        "ReceivedHeartbeat": "componentID, interval_in_microseconds",
    },
    "GravityDataProduct": {
        "__init__": "dataProductID=None, data=None",
        "populateMessage": "data",
        "getDataSize": "",
        "getSize": "",
        "serializeToString": "",
        "parseFromString": "data",
        "data": "-",
        "timestamp": "-",
        "receivedTimestamp": "-",
        "dataProductID": "-",
        "softwareVersion": "-",
        "componentID": "-",
        "domain": "-",
        "isCachedDataproduct": "-",
        "isFutureResponse": "-",
        "futureSocketUrl": "-",
        "protocol": "-",
        "typeName": "-",
    },
    "Log": _OLD_LOGGER
    | {
        "LogLevelToString": "level",
        "LogStringToLevel": "string",
        "initAndAddFileLogger": "log_dir, comp_id, local_log_level",
        "initAndAddConsoleLogger": "comp_id, local_log_level",
        "initAndAddLogger": "logger, log_level",
        "CloseLoggers": "",
    }
    | dict.fromkeys(("NONE", "FATAL", "CRITICAL", "WARNING", "MESSAGE", "DEBUG", "TRACE"), "-"),
    "SpdLog": _SPD_LOGGER | dict.fromkeys(("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL", "OFF"), "-"),
    "Logger": {"Log": "level, messagestr"},
    "GravityLogHandler": {"__init__": "splitlines=False", "emit": "record"},
    "SpdLogHandler": {"__init__": "splitlines=False", "emit": "record"},
}


@pytest.mark.parametrize(
    ("owner", "name", "parameters"),
    [(owner, *member) for owner, members in API.items() for member in members.items()],
)
def test_the_api_of_the_reference(owner: str, name: str, parameters: str) -> None:
    """Whatever can be called there can be called here in the same way; more parameters may follow."""
    member = getattr(getattr(package, owner), name)
    if parameters in ("-", "..."):
        assert callable(member) is (parameters == "...") or parameters == "-"
        return
    ours = [p.replace(annotation="") for p in inspect.signature(member).parameters.values()]
    theirs = parameters.split(", ") if parameters else []
    plain = [p.name if p.default is p.empty else f"{p.name}={p.default!r}" for p in ours if p.name != "self"]
    assert plain[: len(theirs)] == theirs
    assert all("=" in more for more in plain[len(theirs) :])


def test_public_names() -> None:
    assert package.__all__ == sorted(API.keys() | {"gravity"})
    assert all(hasattr(package, name) for name in package.__all__)


@pytest.mark.parametrize(
    "name", [n for n in API if n not in ("GravityLogHandler", "SpdLogHandler", "GravityDataProduct")]
)
def test_the_inner_module_has_the_classes_too(name: str) -> None:
    assert getattr(gravity, name) is getattr(package, name)


def test_a_logger_cannot_be_made() -> None:
    with pytest.raises(AttributeError, match="Logger"):
        package.Logger()


# ---- callback objects without a node ---------------------------------------------------------------------------


def serialized(text: bytes) -> bytes:
    product = GravityDataProduct("P")
    product.data = text
    return product.serializeToString()


def test_binary_callbacks(caplog: pytest.LogCaptureFixture) -> None:
    filled: list[object] = []

    class Subscriber(GravitySubscriber):
        def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
            filled.extend(p.data for p in dataProducts)

    class Requestor(GravityRequestor):
        def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
            filled.append((serviceID, requestID, response.data))

    Subscriber().subscriptionFilledBinary([serialized(b"a"), b"\xff", serialized(b"b")])
    assert filled == [b"a", b"b"]
    Requestor().requestFilledBinary("S", "1", serialized(b"c"))
    assert filled[2:] == [("S", "1", b"c")]
    answer = GravityServiceProvider().requestBinary("S", serialized(b"d"))
    assert GravityDataProduct(data=answer).dataProductID == "S"
    assert [r.message for r in caplog.records] == ["Error creating GDP from byte array"]


def test_binary_callbacks_log_what_goes_wrong(caplog: pytest.LogCaptureFixture) -> None:
    class Failing(GravitySubscriber, GravityRequestor):
        def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
            raise RuntimeError

        requestFilled = None  # type: ignore[assignment]

    Failing().subscriptionFilledBinary([])
    Failing().requestFilledBinary("S", "1", b"")
    assert [r.message for r in caplog.records] == [
        "Exception caught calling client subscriptionFilled",
        "Exception caught calling client requestFilled",
    ]
    assert all(r.levelno == logging.ERROR for r in caplog.records)


def test_what_is_disowned_lives_until_it_is_owned_again() -> None:
    provider = GravityServiceProvider()
    ref = weakref.ref(provider)
    assert provider.thisown is True
    assert provider.__disown__() is provider
    assert provider.thisown is False
    del provider
    gc.collect()
    kept = ref()
    assert kept is not None
    kept.thisown = True
    del kept
    assert ref() is None


def test_a_node_has_an_owner_too() -> None:
    assert GravityNode().thisown is True


@pytest.mark.parametrize(
    "name",
    [
        "GravityDataProductPB",
        "GravityMetricsDataPB",
        "GravityConfigParamPB",
        "GravityLogMessagePB",
        "FileArchiverControlRequestPB",
        "FileArchiverControlResponsePB",
        "ServiceDirectoryMapPB",
        "ServiceDirectoryDomainUpdatePB",
    ],
)
def test_generated_messages(name: str) -> None:
    module = importlib.import_module(f"gravity.{name}_pb2")
    assert module.DESCRIPTOR.package == "gravity"
    assert getattr(module, name).DESCRIPTOR.full_name == f"gravity.{name}"
