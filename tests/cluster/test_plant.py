"""The plant of examples/plant: a model of its own for each data product, and both detectors in one process."""

from __future__ import annotations

import math
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

from anomaly.detector import train
from anomaly.model_files import save_model
from anomaly.windows import sliding
from streams.samples import Sample
from tests.support import PROJECT, Folder

MONITOR = "PlantMonitor.py"
MOTOR = ["Motor.electrics.current", "Motor.rpm"]


@pytest.fixture
def plant(folder: Folder) -> Folder:
    """A cluster's folder with the files of the example; the programs' own are in it, too, as on PYTHONPATH."""
    port = folder.port
    for file in (PROJECT / "examples" / "plant").glob("*.*"):
        shutil.copy(file, folder.path)
    folder.configure(ServiceDirectoryURL=f'"tcp://localhost:{port}"', training_size="400\ntraining_epochs = 2")
    return folder


def save_motor_model(folder: Path) -> None:
    """Train on a motor like the plant's."""
    random = np.random.default_rng(0)
    load = [0.6 + 0.25 * math.sin(0.07 * n) + 0.1 * math.sin(0.023 * n) for n in range(1500)]
    values = [(2 + 9 * x**2 + random.normal(0, 0.05), 1500 * x + random.normal(0, 5)) for x in load]
    windows, _ = sliding((Sample(20_000 * n, row) for n, row in enumerate(values)), 20)
    trained = train(windows, MOTOR, epochs=5)
    save_model(trained.model, folder / "motor.json", trained.metadata)


@pytest.mark.timeout(180)
def test_the_pump_has_a_leak_and_the_motor_has_not(plant: Folder):
    plant.directory()
    normal = plant.node("Plant.py", "--rate", "100")
    training = plant.node("AnomalyDetector.py", "train", "--component", "PumpDetector")
    save_motor_model(plant.path)
    windows = training.prints(r"TRAINING: (\d+) windows of Pump.flow, Pump.pressure; ", 60)
    assert int(windows[1]) > 100
    assert training.wait(60) == 0, training.errors
    assert (plant.path / "pump.json.h5").exists()

    monitor = plant.run(sys.executable, MONITOR)
    monitor.prints("^PumpDetector watches Pump.flow, Pump.pressure$", 60)
    monitor.prints("^MotorDetector watches Motor.electrics.current, Motor.rpm$", 60)
    normal.stop()
    leaking = plant.node("Plant.py", "--rate", "100", "--leak", "200")
    leaking.prints("^PumpDetector: ALARM: (relation|level), (stream Pump.flow|no single stream)$", 60)
    assert not [line for line in leaking.lines if re.match("MotorDetector: ALARM", line)]
    assert monitor.stop() == 130
