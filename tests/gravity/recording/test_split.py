"""Recordings in several files."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from tests.gravity.recording.conftest import frame

from gravity_recording import open_recording, split
from gravity_recording.split import SplitWriter, files


def content(*paths: Path) -> list[bytes]:
    found = []
    for path in paths:
        with open_recording(path) as recording:
            assert recording.damage is None
            found += [message.product for message in recording.messages()]
    return found


def test_by_size(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [frame(n) for n in range(60)]
    writer = SplitWriter(tmp_path / "run.mcap", compression="none", megabytes=0.002)
    for one in frames:
        writer.add(one)
        writer._writer and writer._writer.flush()
    writer.close()
    assert len(writer.paths) > 3 and writer.paths == [tmp_path / f"run_{n}.mcap" for n in range(len(writer.paths))]
    assert content(*writer.paths) == frames and writer.counts == {"Log": 60}
    assert writer.size == sum(path.stat().st_size for path in writer.paths)


def test_by_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr(split.time, "monotonic", lambda: now)
    writer = SplitWriter(tmp_path / "run.mcap", seconds=10)
    assert writer.paths == []  # no file without a message
    for at in (5.0, 14.9, 15.0, 40.0):
        now = at
        writer.add(frame(int(at)))
    writer.close()
    assert [content(path) for path in writer.paths] == [[frame(5), frame(14)], [frame(15)], [frame(40)]]


def test_an_earlier_series(tmp_path: Path) -> None:
    path = tmp_path / "run.mcap"
    others = [tmp_path / name for name in ("run_a.mcap", "run_1.bin", "other_1.mcap")]
    for file in (tmp_path / "run_0.mcap", tmp_path / "run_12.mcap", *others):
        file.write_text("x")
    with pytest.raises(FileExistsError):
        SplitWriter(path, seconds=1)
    assert (tmp_path / "run_12.mcap").exists()
    SplitWriter(path, seconds=1, overwrite=True).close()
    assert (tmp_path / "run_12.mcap").exists()  # as long as there is nothing to replace it
    with contextlib.closing(SplitWriter(path, seconds=1, overwrite=True)) as writer:
        writer.add(frame(1))
    assert sorted(tmp_path.iterdir()) == sorted([*others, tmp_path / "run_0.mcap"])


def test_the_files_of_a_folder_in_order(tmp_path: Path) -> None:
    for name in ("run_10.mcap", "run_2.mcap", "run_1.bin", "notes.txt"):
        (tmp_path / name).write_text("x")
    assert [path.name for path in files(tmp_path)] == ["run_1.bin", "run_2.mcap", "run_10.mcap"]
    assert files(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]
