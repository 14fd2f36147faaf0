"""The folders that decide know no sockets, no threads and no clock; imports between folders go one way."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import gravity

PACKAGE = Path(gravity.__file__).parent
PURE_FOLDERS = ("protocol", "directory/state")
MODULES = [path.relative_to(PACKAGE) for path in sorted(PACKAGE.rglob("*.py")) if not path.stem.endswith("_pb2")]
PURE = [module for module in MODULES if str(module).startswith(PURE_FOLDERS)]

# What a folder may import besides itself: folders, and of the top the data product (generated messages in any case).
MAY_IMPORT = {
    "protocol": set(),
    "log": set(),
    "io": {"protocol", "log"},
    "roles": {"protocol", "log", "io", "GravityDataProduct"},
    "directory": {"protocol", "log", "io", "roles"},
    "programs": {"protocol", "log", "node", "callbacks", "gravity", "GravityDataProduct"},
    "commands": {"protocol", "log", "io", "node", "callbacks", "gravity", "GravityDataProduct", "programs"},
}

_IMPORT_ALONE = """
import importlib, sys, types
package = types.ModuleType("gravity")
package.__path__ = [sys.argv[1]]
sys.modules["gravity"] = package
importlib.import_module("gravity." + sys.argv[2])
print(*sys.modules)
"""


def imports(module: Path) -> set[str]:
    """The modules that a module imports; those of the package begin with a dot and then the path from its top."""
    names: set[str] = set()
    for node in ast.walk(ast.parse((PACKAGE / module).read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level:
            base = module.parts[: len(module.parts) - node.level]
            targets = [node.module] if node.module else [alias.name for alias in node.names]
            names |= {"." + ".".join((*base, target)) for target in targets}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def test_the_modules_are_found() -> None:
    assert len(MODULES) > 40 and len(PURE) > 10


@pytest.mark.parametrize("module", PURE, ids=str)
def test_a_pure_module_alone_loads_no_sockets(module: Path) -> None:
    name = ".".join(module.with_suffix("").parts).removesuffix(".__init__")
    run = subprocess.run(
        [sys.executable, "-c", _IMPORT_ALONE, str(PACKAGE), name], capture_output=True, text=True, check=True
    )
    loaded = run.stdout.split()
    assert f"gravity.{name}" in loaded
    assert not {"zmq", "socket", "select", "asyncio"} & set(loaded)


@pytest.mark.parametrize("module", PURE, ids=str)
def test_a_pure_module_imports_no_clock_and_no_threads(module: Path) -> None:
    assert not {"threading", "time", "datetime", "socket", "zmq", "random"} & imports(module)


@pytest.mark.parametrize("module", [module for module in MODULES if len(module.parts) > 1], ids=str)
def test_imports_between_folders_go_one_way(module: Path) -> None:
    folder = module.parts[0]
    ours = {name[1:].split(".")[0] for name in imports(module) if name.startswith(".")}
    assert {name for name in ours if not name.endswith("_pb2")} <= MAY_IMPORT[folder] | {folder}


def test_only_io_knows_zeromq() -> None:
    knowing = {module for module in MODULES if any(name.split(".")[0] == "zmq" for name in imports(module))}
    names = ("curve", "handshake", "receiver", "requests", "sender", "transport", "watched_socket")
    assert knowing == {Path("io", f"{name}.py") for name in names}
