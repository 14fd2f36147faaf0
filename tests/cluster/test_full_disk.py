"""A model that cannot be saved: one line, the old pair is left, and nothing else."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Folder, Program

DISK = "disk"


@pytest.fixture
def disk(folder: Folder) -> Iterator[Path]:
    """A disk of its own with the shipped pair, on which another one does not fit."""
    if os.geteuid():
        pytest.skip("only root can mount a disk")
    disk = folder.path / DISK
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", disk], capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount a disk: {mounted.stderr.strip()}")
    try:
        for name in ("model.json", "model.json.h5"):
            (disk / name).write_bytes((folder.path / name).read_bytes())
        folder.configure(model_file=f'"{DISK}/model.json"', training_size=40, training_epochs=1)
        yield disk
    finally:
        subprocess.run(["umount", "--lazy", disk], check=True)


def contents(folder: Path) -> dict[str, bytes]:
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def training(folder: Folder) -> Program:
    """Start a training in a cluster."""
    folder.directory()
    folder.node("DataPublisher.py")
    return folder.node("AnomalyDetector.py", "train")


def error_of(program: Program) -> str:
    assert program.wait(100) == 1, (program.lines, program.errors)
    assert len(program.errors) == 1, program.errors
    return program.errors[0]


@pytest.mark.timeout(120)
def test_a_full_disk(folder: Folder, disk: Path):
    before = contents(disk)
    assert error_of(training(folder)) == (
        f"AnomalyDetector: {DISK}/model.json: cannot save the model (No space left on device); "
        "fix that, then train again"
    )
    assert contents(disk) == before


@pytest.mark.timeout(120)
def test_a_disk_that_becomes_read_only_while_training(folder: Folder, disk: Path):
    before = contents(disk)
    program = training(folder)
    program.prints("TrainingState.TRAINING", 60)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    error = error_of(program)
    assert error.startswith(f"AnomalyDetector: {DISK}/model.json") and "(Read-only file system); fix that" in error
    assert contents(disk) == before


def test_a_folder_that_is_read_only_is_noticed_before_training(folder: Folder, disk: Path):
    before = contents(disk)
    subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
    error = error_of(training(folder))
    assert "Gravity.ini, line " in error and error.endswith(
        "but it must be a file in a folder that can be written to"
    )
    assert contents(disk) == before
