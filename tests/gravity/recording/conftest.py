from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import pytest

from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity.GravityLogMessagePB_pb2 import GravityLogMessagePB
from gravity_recording import RecordingWriter

BEGIN = 1_700_000_000_000_000  # microseconds since the epoch
Write = Callable[..., Path]


def frame(n: int = 0, id: str = "Log", **fields: object) -> bytes:
    """The n-th of a series of data products, serialized; they are received at intervals of a millisecond."""
    values: dict[str, object] = {
        "timestamp": BEGIN + n * 1000,
        "dataProductID": id,
        "data": GravityLogMessagePB(level="info", message=f"message {n}").SerializeToString(),
        "componentID": "Pump",
        "domain": "",
        "received_timestamp": BEGIN + n * 1000 + 50,
        "protocol": "protobuf2",
        "type_name": "gravity.GravityLogMessagePB",
        "registration_time": 1_700_000_000,
    }
    return GravityDataProductPB(**values | fields).SerializeToString()  # type: ignore[arg-type]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """`write(frames, name="run.mcap", every=0)` writes a recording; `every`: so many messages make a chunk."""

    def write(frames: Iterable[bytes], name: str = "run.mcap", every: int = 0, **options: object) -> Path:
        path = tmp_path / name
        with RecordingWriter(path, **options) as writer:  # type: ignore[arg-type]
            for n, one in enumerate(frames):
                if every and n % every == 0:
                    writer.flush()
                writer.add(one)
        return path

    return write
