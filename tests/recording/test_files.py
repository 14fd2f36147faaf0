"""The files of a recording, and what is said if they cannot be written."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

from node.errors import UserError

import pytest

from recording import files
from recording.files import RecordedFile
from recording.recent import Message

from gravity import GravityDataProduct
from gravity_recording import open_recording


def message(time: int, size: int = 10) -> Message:
    product = GravityDataProduct("P")
    product.data = os.urandom(size)
    return Message(time, product.serializeToString())


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 KiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a disk: {mounted.stderr.strip()}")
    try:
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def receipts(path: Path) -> list[int]:
    with open_recording(path) as recording:
        return [recorded.received for recorded in recording.messages()]


def test_a_file_is_made_with_its_first_message(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    file = RecordedFile(tmp_path / "run.mcap")
    file.close()
    assert not list(tmp_path.iterdir()) and not caplog.messages
    file.add(message(5))
    file.close()
    assert receipts(tmp_path / "run.mcap") == [5]
    assert caplog.messages == [f"recorded in {tmp_path / 'run.mcap'}; number of messages: 1"]


def test_a_full_disk_ends_the_recording_and_nothing_else(disk: Path, caplog: pytest.LogCaptureFixture):
    file = RecordedFile(disk / "run.mcap")
    for time in range(1, 301):
        file.add(message(time, 10_000))
    file.close()
    assert caplog.messages == [
        f"the recording {disk / 'run.mcap'} ends early (No space left on device); detection goes on"
    ]
    kept = receipts(disk / "run.mcap")
    assert kept == list(range(1, len(kept) + 1))


def test_a_file_that_somebody_else_makes_meanwhile_is_left(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    file = RecordedFile(tmp_path / "run.mcap")
    (tmp_path / "run.mcap").write_text("precious")
    file.add(message(1))
    file.add(message(2))
    file.close()
    assert (tmp_path / "run.mcap").read_text() == "precious"
    assert [text.partition(" ends early ")[2] for text in caplog.messages] == ["(File exists); detection goes on"]


def test_the_file_of_an_alarm_has_its_time_for_a_name(tmp_path: Path):
    for _ in range(3):
        file = files.of_alarm(tmp_path, 1_700_000_000_900_000)
        file.add(message(1))
        file.close()
    first, second, third = sorted(path.name for path in tmp_path.iterdir())
    assert first.startswith("alarm_2023111") and len(first) == len("alarm_20231114_221320.mcap")
    assert (second, third) == (first.replace(".", "_2."), first.replace(".", "_3."))


def test_trouble_is_told_before_the_run(tmp_path: Path):
    (tmp_path / "run.mcap").write_text("precious")
    (tmp_path / "broken").symlink_to(tmp_path / "nowhere")
    for name in ("run.mcap", "broken"):
        with pytest.raises(UserError, match=rf"{name} exists; record to another file, or remove it"):
            files.check(tmp_path / name, None)
    with pytest.raises(UserError, match=r"cannot record in \S+missing \(No such file or directory\); choose another"):
        files.check(tmp_path / "missing" / "run.mcap", None)
    with pytest.raises(UserError, match=r"run.mcap is not a folder; choose another one for --record-alarms"):
        files.check(None, tmp_path / "run.mcap")
    with pytest.raises(UserError, match=r"cannot record in /proc/\S+ \(No such file"):
        files.check(None, Path("/proc/alarms"))
    files.check(tmp_path / "new.mcap", tmp_path / "some" / "alarms")
    assert (tmp_path / "some" / "alarms").is_dir() and not (tmp_path / "new.mcap").exists()
