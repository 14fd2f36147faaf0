"""A signal at any moment ends a cluster, and leaves nothing behind but an old or a new model."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from collections import Counter
from pathlib import Path

from tests.soak.conftest import Soak
from tests.support import Folder, eventually

LIMIT = 2.0  # seconds until everything has ended
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
EPOCHS = 12
# Phases, with the line that begins them, and the seconds that they take at most.
PHASES = {
    "importing": ("train", "", 1.5),
    "collecting": ("train", "COLLECTING", 0.3),
    "importing TensorFlow": ("train", "TrainingState.TRAINING", 5.0),
    "fitting": ("train", f"Epoch 1/{EPOCHS}", 3.0),
    "saving": ("train", f"Epoch {EPOCHS}/{EPOCHS}", 1.5),
    "detecting": ("detect", "MSE = ", 1.0),
}
PAIR = ("model.json", "model.json.h5")


def pair(folder: Folder) -> list[bytes]:
    return [(folder.path / name).read_bytes() for name in PAIR]


def files(path: Path) -> set[str]:
    return {file.name for file in path.iterdir() if file.suffix != ".log" and file.name != "__pycache__"}


def test_a_signal_at_any_moment(folder: Folder, soak: Soak):
    """It goes to the script, as Ctrl-C does, or to the detector alone, as one does that runs in its own terminal."""
    folder.configure(training_size=300, training_epochs=EPOCHS)
    temporary = folder.path / "temporary"
    temporary.mkdir()
    before, shipped = files(folder.path), pair(folder)
    phases = list(PHASES)[: None if soak.long else 3]
    slowest, saved, tried = 0.0, 0, Counter[str]()
    for round in soak.rounds(quick=len(phases), long=102, minutes=40):
        phase = phases[round % len(phases)]
        mode, line, seconds = PHASES[phase]
        number = soak.random.choice(SIGNALS)
        alone = line and soak.random.random() < 0.5
        old = pair(folder)
        cluster = folder.run(sys.executable, "-E", "-m", "launch", mode, TMPDIR=str(temporary))
        if line:
            cluster.prints(line, 150)
        time.sleep(soak.random.random() * seconds)  # the moment is what is tested
        what = f"{number.name} to {'the detector' if alone else 'the script'} while {phase}"
        begin = time.monotonic()
        if cluster.process.poll() is None:
            os.kill(folder.pid_of("AnomalyDetector") if alone else cluster.process.pid, number)
        else:
            what = "finished before " + what
        code = cluster.wait(30)
        eventually(lambda: not folder.processes(), 30)
        took = time.monotonic() - begin
        print(f"{what}: {took:.2f} s, exit code {code}, {'new' if pair(folder) != old else 'old'} pair")
        slowest = max(slowest, took)
        tried[number.name] += 1
        assert took < LIMIT, what
        printed = "\n".join(cluster.lines + cluster.errors)
        assert "Traceback" not in printed or phase == "importing", f"{what}: {printed}"
        assert files(folder.path) == before, what
        assert not files(temporary), what
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", folder.port)) != 0
        if pair(folder) != old:
            saved += 1
            assert_is_a_pair(folder)
        elif pair(folder) != shipped:
            for name, content in zip(PAIR, shipped, strict=True):
                (folder.path / name).write_bytes(content)
    moments = ", ".join(f"{count} times {name}" for name, count in tried.items())
    soak.report(f"{moments}: slowest end {slowest:.2f} s; {saved} new pairs, otherwise the old one; nothing left")


def assert_is_a_pair(folder: Folder) -> None:
    from anomaly.model_files import load_model  # imports TensorFlow, which takes seconds

    _, metadata = load_model(folder.path / PAIR[0])
    assert metadata["streams"] == ["cos", "sin"]
