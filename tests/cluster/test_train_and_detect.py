"""Train, then detect, as users do first."""

import itertools
import re
import signal
import sys
from datetime import datetime

import pytest

from tests.support import Folder, Program, eventually

from gravity import GravityDataProduct, GravityNode, GravitySubscriber, gravity

MSE = re.compile(r"^(\S+)  samples (\d+)-(\d+) +MSE = (\S+)")
LOADED_WITHOUT_US = """
import keras, numpy
model = keras.models.model_from_json(open("model.json").read())
model.load_weights("model.json.h5")
phase = 1 + 0.05 * numpy.arange(20)
window = numpy.stack([numpy.cos(phase), numpy.sin(phase)], axis=1)[None]
print(float(numpy.square(window - model.predict(window, verbose=0)).mean()))
"""


def of_day(text: str) -> datetime:
    return datetime.strptime(text, "%H:%M:%S.%f")


def windows_of(detection: Program) -> list[re.Match[str]]:
    """Return the windows that have been printed so far."""
    return [m for line in list(detection.lines) if (m := MSE.match(line))]


@pytest.mark.timeout(180)
def test_train_then_detect(folder: Folder):
    for name in ("model.json", "model.json.h5"):
        (folder.path / name).unlink()
    folder.configure(training_size=1000)
    training = folder.cluster("train")
    assert training.wait(120) == 0, training.errors
    losses = [float(m[1]) for line in training.lines if (m := re.search(r"loss: (\S+)", line))]
    assert len(losses) == 10 and losses[-1] < losses[0] / 100
    assert training.lines[-1] == "Training Complete TrainingState.TRAINED"
    assert any("the embedded pygravity" in line for line in training.lines)
    assert not folder.processes()

    loaded = folder.run(sys.executable, "-c", LOADED_WITHOUT_US)
    folder.configure(sample_rate=500)
    detection = folder.cluster("detect", "1500")
    begins = of_day(
        detection.prints(r"^\[DataPublisher\] \[\S+ (\S+) \S+-warning\] the anomaly starts at sample 1500$")[1]
    )
    length = 20 / 500

    def low() -> list[float]:
        return [float(m[4]) for m in windows_of(detection) if of_day(m[1]) < begins]

    def high() -> list[float]:
        return [float(m[4]) for m in windows_of(detection) if (of_day(m[1]) - begins).total_seconds() > length]

    eventually(lambda: len(high()) > 10, 60)
    assert detection.stop() == 130
    assert len(low()) > 20
    assert min(high()) > 100 * max(low())
    numbers = [(int(m[2]), int(m[3])) for m in windows_of(detection)]
    assert all(last - first == 19 for first, last in numbers)
    assert all(later[0] == earlier[1] + 1 for earlier, later in itertools.pairwise(numbers))
    assert loaded.wait() == 0, loaded.errors
    assert float(loaded.lines[-1]) < 1e-3


def test_the_shipped_model_detects_the_shipped_anomaly(folder: Folder):
    """The default increments at another rate, and a score for each sample."""
    folder.configure(window_stride=1, sample_rate=100)
    detection = folder.cluster("detect", "400")
    begins = of_day(detection.prints(r"\[\S+ (\S+) DataPublisher-warning\] the anomaly starts")[1])
    eventually(lambda: windows_of(detection) and (of_day(windows_of(detection)[-1][1]) - begins).total_seconds() > 1)
    windows = windows_of(detection)
    assert [int(m[3]) for m in windows] == list(range(20, 20 + len(windows)))
    low = [float(m[4]) for m in windows if of_day(m[1]) < begins]
    high = [float(m[4]) for m in windows if (of_day(m[1]) - begins).total_seconds() > 0.21]
    assert len(low) > 100 and len(high) > 50
    assert min(high) > 100 * max(low)


def test_a_directory_that_answers_is_used_and_left_alone(folder: Folder):
    folder.configure(training_size=10_000)
    directory = folder.directory()
    cluster = folder.cluster("train")
    cluster.prints("samples collected: 1000 of 10000")
    assert any(line.startswith("Using the Service Directory") for line in cluster.lines)
    assert cluster.stop() == 130
    assert directory.process.poll() is None
    assert directory.stop() == 130


class Counter(GravitySubscriber):
    """Counts the points that arrive."""

    def __init__(self) -> None:
        GravitySubscriber.__init__(self)
        self.points = 0

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        self.points += len(dataProducts)


def test_scores_go_on_after_a_stall_and_with_another_publisher(folder: Folder):
    """What arrives while the detector is stopped waits for it; the samples of two publishers share no window."""
    folder.configure(sample_rate=200)
    folder.directory()
    detector = folder.node("AnomalyDetector.py", "detect")
    first = folder.node("DataPublisher.py")
    detector.prints("MSE = ")

    stall = 200  # samples
    with GravityNode(ini=folder.path / "Gravity.ini") as node:
        assert node.init("TestCounter") == gravity.SUCCESS
        counter = Counter()
        assert node.subscribe("AutoencoderExample", counter) == gravity.SUCCESS
        detector.process.send_signal(signal.SIGSTOP)
        before = len(windows_of(detector))
        points = counter.points
        eventually(lambda: counter.points > points + 2 * stall)
        assert len(windows_of(detector)) < before + 5  # no more than what was on its way here
    detector.process.send_signal(signal.SIGCONT)
    eventually(lambda: len(windows_of(detector)) > before + 5 + stall / 20)
    scored = windows_of(detector)
    assert [int(m[2]) for m in scored] == list(range(1, 20 * len(scored), 20))
    assert max(float(m[4]) for m in scored) < 1e-3
    assert not any("gap" in line or "dropped" in line for line in detector.lines)

    first.stop()
    second = folder.node("DataPublisher.py")
    detector.prints(r"MSE = .*  \(after a gap\)")
    second.stop()
    assert max(float(m[4]) for m in windows_of(detector)) < 1e-3, "a window spans the gap"
    detector.prints("nothing has arrived for")
