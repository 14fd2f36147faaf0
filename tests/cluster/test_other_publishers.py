"""Publishers of other projects, with the Gravity.ini as shipped."""

import math
import re
import threading
import time
from collections.abc import Iterator

import pytest

from streams import points
from tests.support import Folder

from gravity import GravityDataProduct, GravityNode, gravity


def publish_as_the_original(node: GravityNode, samples: int, stopped: threading.Event) -> None:
    """Publish as Gravity's own example does: each point has a time of its own, and sleeping lets the period drift."""
    for sample in range(samples):
        for name, value in (("Pub1", math.sin(0.05 * sample)), ("Pub2", math.cos(0.05 * sample))):
            product = GravityDataProduct("AutoencoderExample")
            product.data = points.message(name, time.time_ns() // 1000, value)
            node.publish(product)
        if stopped.wait(0.005):
            return


@pytest.fixture
def original_publisher(folder: Folder) -> Iterator[None]:
    folder.directory()
    with GravityNode(ini=folder.path / "Gravity.ini") as node:
        assert node.init("Pub") == gravity.SUCCESS
        assert node.registerDataProduct("AutoencoderExample", gravity.TCP) == gravity.SUCCESS
        stopped = threading.Event()
        thread = threading.Thread(target=publish_as_the_original, args=(node, 20_000, stopped))
        thread.start()
        yield
        stopped.set()
        thread.join()


@pytest.mark.timeout(120)
@pytest.mark.usefixtures("original_publisher")
def test_points_with_times_of_their_own_are_trained_on(folder: Folder):
    folder.configure(training_size=600)
    training = folder.node("AnomalyDetector.py", "train")
    learned = training.prints(r"points up to (\S+) ms apart make one sample \(tolerance = auto\)$")
    assert 0.5 < float(learned[1]) < 3
    windows = training.prints(r"TrainingState.TRAINING: (\d+) windows of Pub1, Pub2; (\d+) gaps", 60)
    assert int(windows[1]) > 300, "a loaded machine may cause some gaps"
    assert training.wait(60) == 0
    assert re.fullmatch("Training Complete TrainingState.TRAINED", training.lines[-1])
