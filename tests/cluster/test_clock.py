"""The wall clock of a host is set forward and back by an hour while a cluster runs there."""

import signal
import sys
from pathlib import Path

import pytest

from tests.support import PROJECT, Folder, Program, eventually

from gravity import GravityHeartbeatListener, GravityNode, gravity

LAUNCHER = PROJECT / "tests" / "cluster" / "shifted.py"
HOUR = 3600


class Clock:
    """The clock of all programs that are started with it."""

    def __init__(self, folder: Folder) -> None:
        self._folder = folder
        self._file = folder.path / "shift"
        self.set(0)

    def set(self, ahead: int) -> None:
        """Set the clock, in seconds relative to the true time."""
        new = Path(f"{self._file}.new")
        new.write_text(str(ahead))
        new.replace(self._file)

    def run(self, *command: str) -> Program:
        return self._folder.run(sys.executable, str(LAUNCHER), str(self._file), *command)


class Listener(GravityHeartbeatListener):
    """Counts the heartbeats of a publisher that arrive and that do not, while it runs."""

    def __init__(self) -> None:
        super().__init__()
        self.received = self.missed = 0

    def MissedHeartbeat(
        self, componentID: str, microsecond_to_last_heartbeat: int, interval_in_microseconds: int
    ) -> None:
        self.missed += 1

    def ReceivedHeartbeat(self, *_details: object) -> None:
        self.received += 1


def goes_on(detector: Program, seconds: float = 20) -> None:
    """Wait until three more windows have a score."""
    before = len(scores(detector))
    eventually(lambda: len(scores(detector)) >= before + 3 or detector.process.poll() is not None, seconds)
    assert detector.process.poll() is None, detector.errors


def scores(detector: Program) -> list[str]:
    return [line for line in list(detector.lines) if "score = " in line]


@pytest.mark.timeout(180)
def test_the_clock_is_set_while_a_cluster_runs(folder: Folder) -> None:
    """Nobody notices; and a publisher that starts again, with a time before that of its last start, is found."""
    clock = Clock(folder)
    folder.configure(sample_rate=100)
    clock.run("-m", "gravity.directory").prints("listening")
    publisher = clock.run("DataPublisher.py")
    detector = clock.run("AnomalyDetector.py", "detect")
    detector.prints("score = ", 90)
    for ahead in (HOUR, -HOUR):
        clock.set(ahead)
        goes_on(detector)
        publisher.stop(signal.SIGKILL)
        publisher = clock.run("DataPublisher.py")
        goes_on(detector)
    assert not [line for line in detector.lines if "ANOMALY" in line or "behind the publisher" in line]


def test_heartbeats_of_a_node_whose_clock_is_set(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(folder)
    folder.directory()
    ini = folder.path / "Gravity.ini"
    ini.write_text(ini.read_text().replace("\n[general]", "\n[general]\nGravityHeartbeatPeriodSecs = 0.1"))
    clock.run("DataPublisher.py").prints("publishing")
    monkeypatch.chdir(folder.path)
    listener, node = Listener(), GravityNode()
    assert node.init("Listener") == gravity.SUCCESS
    assert node.registerHeartbeatListener("DataPublisher", 1_000_000, listener) == gravity.SUCCESS
    eventually(lambda: listener.received)
    missed = listener.missed
    for ahead in (HOUR, -HOUR):
        clock.set(ahead)
        before = listener.received
        eventually(lambda before=before: listener.received >= before + 3)
    assert listener.missed == missed
    node.close()
