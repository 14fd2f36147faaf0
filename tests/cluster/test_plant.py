"""The plant of examples/plant: a model of its own for each data product, and both detectors in one process."""

from __future__ import annotations

import contextlib
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path

from node.settings import Settings

import numpy as np
import pytest

from anomaly.detector import Detector, train
from anomaly.model_files import save_model
from anomaly.windows import sliding
from streams.samples import Sample
from tests.support import Folder, node_program, with_plant

from gravity import GravityNode, gravity

MONITOR = "PlantMonitor.py"
MOTOR = ["Motor.electrics.current", "Motor.rpm"]


def save_motor_model(folder: Path) -> None:
    """Train on a motor like the plant's."""
    random = np.random.default_rng(0)
    load = [0.6 + 0.25 * math.sin(0.07 * n) + 0.1 * math.sin(0.023 * n) for n in range(1500)]
    values = [(2 + 9 * x**2 + random.normal(0, 0.05), 1500 * x + random.normal(0, 5)) for x in load]
    windows, _ = sliding((Sample(20_000 * n, row) for n, row in enumerate(values)), 20)
    trained = train(windows, MOTOR, epochs=5)
    save_model(trained.model, folder / "motor.json", trained.metadata)


@contextlib.contextmanager
def service_of_the_pump(plant: Folder) -> Iterator[None]:
    """The service with the model of the pump, in this process, which has TensorFlow already."""
    DetectorService = node_program("DetectorService").DetectorService
    ini = plant.path / "Gravity.ini"
    with GravityNode("PumpService", ini=ini) as node, pytest.MonkeyPatch.context() as patch:
        patch.chdir(plant.path)
        settings = Settings(node.getStringParam, "PumpService")
        provider = DetectorService(Detector.configured(settings, stride=1))
        assert node.registerService(settings.text("service_name"), gravity.TCP, provider) == gravity.SUCCESS
        yield


@pytest.mark.timeout(240)
def test_the_pump_has_a_leak_and_the_motor_has_not(folder: Folder):
    plant = with_plant(folder)
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
    assert not [line for line in leaking.lines if line.startswith("MotorDetector")]
    assert monitor.stop() == 130

    with service_of_the_pump(plant):
        asking = plant.node("AskPump.py")
        assert asking.wait() == 0, asking.errors
    assert re.fullmatch("without a leak: NORMAL", asking.lines[0])
    assert re.fullmatch("with a leak: ANOMALY, (RELATION|LEVEL), (Pump.flow|no single stream)", asking.lines[1])
