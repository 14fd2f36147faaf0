"""A recorder takes what a run takes and tells, and keeps the order."""

import threading
import time
from pathlib import Path

import pytest

from recording import recorder
from recording.recorder import Recorder

from gravity import GravityDataProduct
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB
from gravity_recording import open_recording


def product(id: str, data: bytes, received: int = 0) -> GravityDataProduct:
    pb = GravityDataProductPB(dataProductID=id, data=data, received_timestamp=received)
    return GravityDataProduct(data=pb.SerializeToString())


def recorded(path: Path) -> list[tuple[str, bytes]]:
    with open_recording(path) as recording:
        assert recording.damage is None
        return [(m.id, GravityDataProduct(data=m.product).data) for m in recording.messages()]


def test_all_is_recorded_in_order(tmp_path: Path):
    now = time.time_ns() // 1000
    with Recorder(tmp_path / "run.mcap", tmp_path) as recorder:
        recorder.told(product("Told", b"0"), None)
        for number in range(1, 100):
            recorder.taken([product("P", b"%d" % number, received=now), product("P", b"x", received=now)])
            recorder.told(product("Told", b"%d" % number), number if number == 90 else None)
            recorder.taken([])
    expected = [("Told", b"0")]
    for number in range(1, 100):
        expected += [("P", b"%d" % number), ("P", b"x"), ("Told", b"%d" % number)]
    assert recorded(tmp_path / "run.mcap") == expected
    [alarm] = tmp_path.glob("alarm_*")
    assert recorded(alarm) == expected


def test_nothing_is_recorded_unless_it_is_asked_for(tmp_path: Path):
    before = threading.active_count()
    with Recorder(None, None) as recorder:
        recorder.taken([product("P", b"")])
        recorder.told(product("Told", b""), 1)
        assert threading.active_count() == before


def test_detection_goes_on_if_recording_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(recorder, "MOST_LOTS", 1)
    with Recorder(tmp_path / "run.mcap", None) as failing:
        failing._file = object()  # type: ignore[assignment]
        for _ in range(10):
            failing.taken([product("P", b"", received=1)])
    assert caplog.messages == ["nothing is recorded any more; detection goes on"]
