"""The modules that decide know no sockets, no threads and no clock; the package io alone knows ZeroMQ."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gravity

PACKAGE = Path(gravity.__file__).parent
PURE = ["wire", "config", "directory", "publication", "subscription", "heartbeat", "neighbours", "tally"]

_IMPORT_ALONE = """
import importlib, sys, types
package = types.ModuleType("gravity")
package.__path__ = [sys.argv[1]]
sys.modules["gravity"] = package
importlib.import_module("gravity." + sys.argv[2])
print(*sys.modules)
"""


def imported_names(module: str) -> set[str]:
    """The first names of all modules that a module's source imports; those of the package begin with a dot."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / f"{module}.py").read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            names |= {f".{node.module}"} if node.module else {f".{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_alone_pulls_in_no_sockets(module: str) -> None:
    run = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALONE, str(PACKAGE), module], capture_output=True, text=True, check=True
    )
    loaded = run.stdout.split()
    assert f"gravity.{module}" in loaded
    ours = {name.removeprefix("gravity.") for name in loaded if name.startswith("gravity.")}
    assert {name for name in ours if not name.endswith("_pb2")} <= set(PURE)
    assert not {"zmq", "socket", "select", "asyncio"} & set(loaded)


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_imports_no_clock_and_no_threads(module: str) -> None:
    assert not {"threading", "time", "datetime", "socket", "zmq", "random"} & imported_names(module)


def test_only_io_knows_zeromq() -> None:
    modules = [str(path.relative_to(PACKAGE).with_suffix("")) for path in PACKAGE.rglob("*.py")]
    assert len(modules) > 10
    knowing = {m for m in modules if "zmq" in imported_names(m)}
    assert knowing == {f"io/{m}" for m in ("polled", "receiver", "requests", "sender", "transport")}
