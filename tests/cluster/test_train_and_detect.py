"""What users do first: train, then detect."""

import itertools
import re
import subprocess
import sys
from datetime import datetime

import pytest

from tests.support import Folder, eventually

MSE = re.compile(r"^(\S+)  samples (\d+)-(\d+)  MSE = (\S+)")
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


@pytest.mark.timeout(180)
def test_train_then_detect(folder: Folder):
    for name in ("model.json", "model.json.h5"):
        (folder.path / name).unlink()
    training = folder.cluster("train")
    assert training.wait(120) == 0, training.errors
    losses = [float(m[1]) for line in training.lines if (m := re.search(r"loss: (\S+)", line))]
    assert len(losses) == 10 and losses[-1] < losses[0] / 100
    assert training.lines[-1] == "Training Complete TrainingState.TRAINED"
    assert any("the embedded pygravity" in line for line in training.lines)
    assert not folder.processes()

    loaded = subprocess.run(
        [sys.executable, "-c", LOADED_WITHOUT_US], cwd=folder.path, capture_output=True, text=True
    )
    assert float(loaded.stdout) < 1e-3, loaded.stderr

    folder.configure(sample_rate=200)
    detection = folder.cluster("detect", "3000")
    begins = of_day(detection.prints(r"DataPublisher\] (\S+)  the anomaly begins with sample 3000", 60)[1])
    windows = [m for line in detection.lines if (m := MSE.match(line))]
    detection.prints(rf"samples {int(windows[-1][2]) + 400}-", 60)
    assert detection.stop() == 130
    windows = [m for line in detection.lines if (m := MSE.match(line))]
    length = 20 / 200
    low = [float(m[4]) for m in windows if of_day(m[1]) < begins]
    high = [float(m[4]) for m in windows if (of_day(m[1]) - begins).total_seconds() > length]
    assert len(low) > 20 and len(high) > 10
    assert min(high) > 100 * max(low)
    numbers = [(int(m[2]), int(m[3])) for m in windows]
    assert all(last - first == 19 for first, last in numbers)
    assert all(later[0] == earlier[1] + 1 for earlier, later in itertools.pairwise(numbers))


def test_the_shipped_model_detects_the_shipped_anomaly(folder: Folder):
    """The default increments at another rate, and a score for each sample."""
    folder.configure(window_stride=1, sample_rate=100)
    detection = folder.cluster("detect", "1200")
    begins = of_day(detection.prints(r"(\S+)  the anomaly begins", 60)[1])

    def windows_of(lines: list[str]) -> list[re.Match[str]]:
        return [m for line in list(lines) if (m := MSE.match(line))]

    eventually(lambda: (of_day(windows_of(detection.lines)[-1][1]) - begins).total_seconds() > 1)
    windows = windows_of(detection.lines)
    assert [int(m[3]) for m in windows] == list(range(20, 20 + len(windows)))
    low = [float(m[4]) for m in windows if of_day(m[1]) < begins]
    high = [float(m[4]) for m in windows if (of_day(m[1]) - begins).total_seconds() > 0.21]
    assert min(high) > 100 * max(low)


def test_detection_uses_a_directory_that_answers_and_leaves_it_alone(folder: Folder):
    directory = folder.directory()
    detection = folder.cluster("detect")
    detection.prints("MSE = ")
    assert any(line.startswith("Using the Service Directory") for line in detection.lines)
    assert detection.stop() == 130
    assert directory.process.poll() is None
    assert directory.stop() == 130


def test_a_publisher_may_restart_and_is_late_without_a_gap_in_the_scores(folder: Folder):
    folder.directory()
    detector = folder.node("AnomalyDetector.py", "detect")
    first = folder.node("DataPublisher.py")
    detector.prints("MSE = ")
    first.stop()
    second = folder.node("DataPublisher.py")
    detector.prints(r"MSE = \S+  \(after a gap\)")
    second.stop()
    low = [float(m[4]) for line in detector.lines if (m := MSE.match(line))]
    assert max(low) < 1e-3, "a window spans the gap"
    detector.prints("nothing has arrived for", 30)


def test_samples_are_counted_by_time_when_the_detector_stalls(folder: Folder):
    """What arrives while the detector is stopped is waiting when it goes on, and in order."""
    import os
    import signal

    folder.configure(sample_rate=100)
    folder.directory()
    folder.node("DataPublisher.py")
    detector = folder.node("AnomalyDetector.py", "detect")
    detector.prints("MSE = ")
    os.kill(detector.process.pid, signal.SIGSTOP)
    try:
        import time

        time.sleep(1)  # the stall itself
    finally:
        os.kill(detector.process.pid, signal.SIGCONT)
    seen = len(detector.lines)
    detector.prints(rf"samples {seen * 20 + 300}|samples [0-9]{{4,}}-", 30)
    scores = [float(m[4]) for line in detector.lines if (m := MSE.match(line))]
    assert max(scores) < 1e-3 and not any("gap" in line for line in detector.lines)
