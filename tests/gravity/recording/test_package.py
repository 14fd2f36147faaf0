"""The package stands alone: beside the real Gravity, and without its own libraries where they are not needed."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from google.protobuf import descriptor_pb2

import gravity_recording
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity_recording.envelope import DESCRIPTOR

PACKAGE = Path(gravity_recording.__file__).parent


def loaded(code: str) -> set[str]:
    run = subprocess.run([sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True)
    assert not run.stderr
    return set(run.stdout.decode().split())


@pytest.mark.parametrize("module", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_it_imports_nothing_of_gravity(module: Path) -> None:
    for node in ast.walk(ast.parse(module.read_text())):
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) and not node.level else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        assert not {name.split(".")[0] for name in names} & {"gravity", "zmq"}


def test_only_what_handles_mcap_loads_its_libraries() -> None:
    modules = loaded("import gravity_recording, gravity_recording.archive, gravity_recording.files")
    assert not {"mcap", "zstandard", "lz4", "zmq", "gravity", "pyarrow"} & modules


def test_a_node_does_not_load_it() -> None:
    assert not {"gravity_recording", "mcap", "zstandard"} & loaded("import gravity\ngravity.GravityNode()")


def test_the_real_gravity_can_register_its_messages(tmp_path: Path) -> None:
    """The default pool has no GravityDataProductPB, of whatever content."""
    code = """
from google.protobuf import descriptor_pb2, descriptor_pool
import gravity_recording, gravity_recording.mcap_writer, gravity_recording.mcap_reader
file = descriptor_pb2.FileDescriptorProto(name="GravityDataProductPB.proto", package="gravity")
file.message_type.add(name="GravityDataProductPB").field.add(name="other", number=1, type=5, label=1)
descriptor_pool.Default().Add(file)
"""
    assert "gravity" not in loaded(code)


def test_the_envelope_is_gravitys() -> None:
    ours, theirs = descriptor_pb2.DescriptorProto(), descriptor_pb2.DescriptorProto()
    DESCRIPTOR.CopyToProto(ours)
    GravityDataProductPB.DESCRIPTOR.CopyToProto(theirs)
    for field in theirs.field:
        field.ClearField("default_value")  # these are the usual ones
    assert ours == theirs


def test_public_names() -> None:
    assert gravity_recording.__all__ == sorted(gravity_recording.__all__)
    assert all(hasattr(gravity_recording, name) for name in gravity_recording.__all__)
