"""The example with a key: as a user turns it on, and what others then see."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import Folder

SETTING = 'CurveKeyFile = "Gravity.key"'


def command(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command `gravity` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "gravity.cli", *arguments], cwd=folder, capture_output=True, text=True, timeout=30
    )


@pytest.fixture
def without(folder: Folder) -> Path:
    """A Gravity.ini as it was before the cluster got its key."""
    ini = folder.path / "Gravity.ini"
    before = folder.path / "without.ini"
    before.write_text(ini.read_text())
    assert command(folder.path, "keys").returncode == 0
    assert ini.read_text().count(f"# {SETTING}") == 1
    ini.write_text(ini.read_text().replace(f"# {SETTING}", SETTING))
    return before


@pytest.mark.timeout(120)
def test_detect(folder: Folder, without: Path):
    detection = folder.cluster("detect", "100")
    detection.prints("^ANOMALY since", 60)
    assert "AutoencoderExample" in command(folder.path, "list").stdout
    stranger = folder.run(sys.executable, "DataPublisher.py", GRAVITY_INI=without.name)
    assert stranger.wait() == 1
    reason, outcome = stranger.errors
    assert reason.startswith(
        f"Gravity: the program at tcp://127.0.0.1:{folder.port} requires a key, but this node has"
    )
    assert outcome == "DataPublisher: without.ini cannot be used (see the previous message); fix what it names"
    assert detection.stop() == 130


def test_a_directory_with_another_key_already_runs(folder: Folder, without: Path):
    folder.directory()
    (folder.path / "Gravity.key").unlink()
    assert command(folder.path, "keys").returncode == 0
    launcher = folder.cluster("detect")
    assert launcher.wait() == 1
    [line] = launcher.errors
    assert line.startswith(f"detect.sh: the program at tcp://127.0.0.1:{folder.port} does not have this node's key; ")


def test_the_key_is_missing_or_open_to_others(folder: Folder, without: Path):
    key = folder.path / "Gravity.key"
    for change, said in ((lambda: key.chmod(0o644), f"run: chmod 600 {key}"), (key.unlink, f"gravity keys {key}")):
        change()
        for program, name in (
            (folder.cluster("detect"), "detect.sh"),
            (folder.run(sys.executable, "-m", "gravity.directory"), "ServiceDirectory"),
            (folder.node("DataPublisher.py"), "Gravity"),
        ):
            assert program.wait() == 1
            assert program.errors[0].startswith(f"{name}: {key}: ") and program.errors[0].endswith(said)
