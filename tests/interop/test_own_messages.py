"""A detector trains on messages of an application's own, across the two Gravities."""

from __future__ import annotations

import os
import sys

import pytest

from tests.interop.implementations import Mix, real
from tests.support import Folder, Program, with_plant


def run(folder: Folder, mix: Mix, role: str, *command: str) -> Program:
    environment = {k: v for k, v in mix.of(role).environment.items() if os.environ.get(k) != v}
    return folder.run(*command, **environment)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("mix", [Mix("real", "real", "ours"), Mix("ours", "ours", "real")], ids=str)
@pytest.mark.parametrize(
    ("component", "streams"),
    [("PumpDetector", "Pump.flow, Pump.pressure"), ("MotorDetector", "Motor.electrics.current, Motor.rpm")],
)
def test_train_on_the_plant(folder: Folder, mix: Mix, component: str, streams: str):
    """With the time of the publication, and with that of a field."""
    real()
    plant = with_plant(folder)
    run(plant, mix, "directory", *mix.of("directory").command("ServiceDirectory"))
    run(plant, mix, "publisher", sys.executable, "Plant.py", "--rate", "100")
    training = run(plant, mix, "subscriber", sys.executable, "AnomalyDetector.py", "train", "--component", component)
    kind = "installed pyGravity" if mix.subscriber == "real" else "embedded pygravity"
    assert kind in training.prints("running on").string
    training.prints(f"TRAINING: \\d+ windows of {streams}; ", 100)
    assert training.wait(100) == 0, training.errors
