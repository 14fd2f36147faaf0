"""The names that programs import, and the numbers behind them."""

from __future__ import annotations

import importlib

import pytest

import gravity as package
from gravity import gravity

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


def test_public_names() -> None:
    assert package.__all__ == sorted(package.__all__)
    assert all(hasattr(package, name) for name in package.__all__)
    assert {"GravityDataProduct", "GravityNode", "GravitySubscriber", "Log", "SpdLog", "gravity"} <= set(
        package.__all__
    )


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
