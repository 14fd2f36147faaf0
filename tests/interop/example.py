"""The example's own programs, unchanged, on a mix of Gravities and on one host or several."""

from __future__ import annotations

import math
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

from tests.interop.implementations import Mix
from tests.support import Folder, Program, free_port

from gravity_recording import open_recording

LOW, HIGH = r"MSE = \d\.\d+e-0[4-9]", r"MSE = \d\.\d+e(-01|\+00)"
KINDS = {"real": "running on the installed pyGravity in", "ours": "running on the embedded pygravity"}
PATIENCE = 100.0  # TensorFlow takes its time on a busy machine


class Example:
    """A cluster that trains and detects; each program runs in a copy of the folder, as on a host of its own."""

    def __init__(
        self, path: Path, mix: Mix, host: str = "localhost", on: Callable[[str], list[str]] = lambda _: []
    ) -> None:
        """`host`: the directory's address. `on(role)`: the beginning of a command that runs on a role's host."""
        self._mix = mix
        self._on = on
        self._folders: dict[str, Folder] = {}
        self._reachable = host != "localhost"
        self.url = f"tcp://{host}:{free_port()}"
        for name in ("directory", "publisher", "training", "detection"):
            (path / name).mkdir()
            folder = self._folders[name] = Folder(path / name)
            folder.configure(
                ServiceDirectoryURL=f'"{self.url}"', sample_rate=250, training_size=300, training_epochs=1
            )

    def run(self, role: str, *command: str, folder: str | None = None) -> Program:
        """Start a program on the Gravity and the host of its role."""
        environment = {k: v for k, v in self._mix.of(role).environment.items() if os.environ.get(k) != v}
        return self._folders[folder or role].run(*self._on(role), *command, **environment)

    def node(self, role: str, *command: str, folder: str | None = None) -> Program:
        """Start a node, and make sure that it is on the right Gravity."""
        program = self.run(role, sys.executable, *command, folder=folder)
        kind = KINDS[getattr(self._mix, role)]
        assert program.prints("running on").string.startswith(kind)
        if self._reachable:
            program.prints(r"listening at \d[\d.]+, where other hosts can reach this node")
        return program

    def train_and_detect(self) -> None:
        """Train a model while the one that is shipped scores; then let a publisher with an anomaly take over."""
        directory = self.run("directory", *self._mix.of("directory").command("ServiceDirectory"))
        publisher = self.node("publisher", "DataPublisher.py")
        trainer = self.node("subscriber", "AnomalyDetector.py", "train", folder="training")
        detector = self.node("subscriber", "AnomalyDetector.py", "detect", "--record", "run.mcap", folder="detection")

        assert trainer.wait(PATIENCE) == 0, trainer.errors
        assert trainer.lines[-1] == "Training Complete TrainingState.TRAINED"
        trained, shipped = (self._folders[f].path / "model.json.h5" for f in ("training", "detection"))
        assert trained.read_bytes() != shipped.read_bytes()

        detector.prints(LOW, PATIENCE)
        publisher.stop()
        self.node("publisher", "DataPublisher.py", "100").prints("the anomaly starts at sample 100", PATIENCE)
        detector.prints(HIGH, PATIENCE)
        assert directory.process.poll() is None
        assert detector.stop() == 130
        with open_recording(self._folders["detection"].path / "run.mcap") as recording:
            assert recording.damage is None and set(recording.products) == {"AutoencoderExample", "AnomalyScore"}

    def replay(self) -> None:
        """Train on a file with fewer rows than asked for, so that only the message that the data end can end it."""
        self.run("directory", *self._mix.of("directory").command("ServiceDirectory"))
        rows = (f"{math.sin(0.05 * n)},{math.cos(0.05 * n)}\n" for n in range(290))
        (self._folders["publisher"].path / "own.csv").write_text("a,b\n" + "".join(rows))
        trainer = self.node("subscriber", "AnomalyDetector.py", "train", folder="training")
        publisher = self.node("publisher", "DataPublisher.py", "--csv", "own.csv", "--rate", "250")
        assert publisher.wait(PATIENCE) == 0, publisher.errors
        assert trainer.wait(PATIENCE) == 0, trainer.errors
        assert any(re.search(r"the data ended after \d+ samples, which is enough", line) for line in trainer.lines)

    def close(self) -> None:
        """Kill what is left."""
        for folder in self._folders.values():
            folder.close()
