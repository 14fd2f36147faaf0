"""Alarms and messages, also for a user's own data."""

import math
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from anomaly import model_files
from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from tests.support import Folder, eventually

from gravity import GravityDataProduct, GravityNode, GravitySubscriber, gravity

ALARM = re.compile(r"^(ANOMALY|NORMAL) since (\S+ \S+), sample (\d+)(?:: (\w+), (?:stream (\S+)|no single stream))?$")

README = Path(__file__).parents[2] / "README.md"


class Scores(GravitySubscriber):
    """Collects what the detector publishes."""

    def __init__(self) -> None:
        GravitySubscriber.__init__(self)
        self.received: list[AnomalyScorePB] = []

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        for product in dataProducts:
            score = AnomalyScorePB()
            product.populateMessage(score)
            self.received.append(score)


def alarms(lines: list[str]) -> list[re.Match[str]]:
    return [match for line in lines if (match := ALARM.match(line))]


def test_an_alarm_is_printed_and_published(folder: Folder):
    folder.configure(window_stride=1, sample_rate=100)
    folder.directory()
    detector = folder.node("AnomalyDetector.py", "detect")
    [operator] = [
        text for text in re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL) if "Operator" in text
    ]
    (folder.path / "operator_node.py").write_text(operator)
    acting = folder.run(sys.executable, "-u", "operator_node.py")
    with GravityNode(ini=folder.path / "Gravity.ini") as node:
        assert node.init("TestScores") == gravity.SUCCESS
        scores = Scores()
        assert node.subscribe("AnomalyScore", scores) == gravity.SUCCESS
        folder.node("DataPublisher.py", "300")
        detector.prints("^ANOMALY since")
        acting.prints(r"^stop the plant: (sin|cos|something) is wrong \((RELATION|NOISE|LEVEL)\), score")
        eventually(lambda: scores.received and scores.received[-1].state == AnomalyScorePB.ANOMALY)
    [alarm] = alarms(detector.lines)
    first = next(score for score in scores.received if score.state == AnomalyScorePB.ANOMALY)
    assert alarm[1] == "ANOMALY" and int(alarm[3]) == first.sample
    assert first.score > first.threshold == 1 and first.HasField("kind")
    assert all(score.score <= score.threshold for score in scores.received if score.sample < first.sample)
    assert [stream.name for stream in first.streams] == ["cos", "sin"]
    assert first.mse == pytest.approx(sum(stream.error for stream in first.streams) / 2)
    assert [s.sample for s in scores.received[-50:]] == list(
        range(scores.received[-1].sample - 49, scores.received[-1].sample + 1)
    )


def test_a_model_without_statistics_is_scored_without_alarms(folder: Folder):
    path = folder.path / "model.json"
    model, metadata = model_files.load_model(path)
    model_files.save_model(model, path, {"streams": metadata["streams"]})
    folder.directory()
    detector = folder.node("AnomalyDetector.py", "detect")
    folder.node("DataPublisher.py")
    assert "score" not in detector.prints("MSE = ")[0]
    assert any("no alarms: model.json holds no error statistics" in line for line in detector.lines)


def plant(path: Path, samples: int, change: int, end: int) -> None:
    """Write three streams of very different scales; between two rows one of them is out of step. A few cells lack."""
    rows = ["time,flow,pressure,temperature"]
    for n in range(samples):
        phase = 0.05 * n
        late = phase + 0.5 * (change <= n < end)
        cells = [
            f"{1e6 + 3 * math.sin(phase):.4f}",
            f"{0.001 * math.cos(late):.9f}",
            f"{20 + math.sin(phase + 1):.6f}",
        ]
        if n % 97 == 50:
            cells[n % 3] = ""
        rows.append(",".join([f"2026-01-01 {n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}", *cells]))
    path.write_text("\n".join(rows) + "\n")


@pytest.mark.timeout(120)
def test_own_data_from_a_file(folder: Folder):
    """Train on the first rows, detect in the rest; both end by themselves."""
    plant(folder.path / "plant.csv", samples=1600, change=1300, end=1400)
    folder.configure(training_size=1010, window_stride=1)  # a few more than there are
    options = ["--csv", "plant.csv", "--time", "time", "--speed", "2000"]
    training = folder.cluster("train", *options, "--rows", "-1000")
    assert training.wait(60) == 0, training.errors
    assert any(
        re.search(r"AnomalyDetector-info\] the data ended after (1000|999) samples, which is enough", line)
        for line in training.lines
    )
    detection = folder.cluster("detect", *options, "--rows", "1001-")
    assert detection.wait(60) == 0, detection.errors
    scored = [line for line in detection.lines if "MSE = " in line]
    assert len(scored) == 600 - 19 and not any("gap" in line for line in scored)
    begin, end = alarms(detection.lines)
    assert begin[1] == "ANOMALY" and begin[4] == "relation" and begin[5] == "pressure"
    assert 301 <= int(begin[3]) <= 303 and begin[2] == f"2026-01-01 00:21:{int(begin[3]) - 301 + 40}.000"
    assert end[1] == "NORMAL" and 400 < int(end[3]) < 460


@pytest.mark.timeout(120)
def test_what_training_sees_and_what_an_alarm_says(folder: Folder):
    """Noisy streams, one of which has nothing to do with the others; later one gets stuck, at a value as usual."""
    random = np.random.default_rng(0)
    load = np.convolve(random.normal(size=2400), np.exp(-np.arange(100) / 20), "same") / 3
    samples = np.column_stack([load, 2 * load, -load, random.normal(size=2400)])
    samples += 0.1 * random.normal(size=samples.shape)
    samples[2000:, 1] = samples[1999, 1]
    text = "\n".join(",".join(f"{value:.5f}" for value in row) for row in samples)
    (folder.path / "plant.csv").write_text(f"flow,pressure,valve,noise\n{text}\n")
    folder.configure(training_size=1500, window_stride=1)
    training = folder.cluster("train", "--csv", "plant.csv", "--rate", "2000", "--rows", "-1500")
    assert training.wait(60) == 0, training.errors
    end = training.lines.index("Training Complete TrainingState.TRAINED")
    table = [line for line in training.lines[end - 6 : end] if re.search(r" σ = \S+ +\d+%$", line)]
    assert [line.split()[0] for line in table] == ["flow", "noise", "pressure", "valve"]
    assert int(table[0].split()[-1][:-1]) > 90
    assert training.lines[end - 1] == "nothing to do with the other streams, and checked only by itself: noise"
    detection = folder.cluster("detect", "--csv", "plant.csv", "--rate", "2000", "--rows", "1501-")
    assert detection.wait(60) == 0, detection.errors
    [begin] = alarms(detection.lines)
    assert begin[1] == "ANOMALY" and 501 <= int(begin[3]) <= 510 and begin[5] == "pressure"
    assert begin[4] == "frozen" or "DIAGNOSIS: frozen, stream pressure" in detection.lines


def test_data_that_end_before_the_training_is_full(folder: Folder):
    plant(folder.path / "plant.csv", samples=300, change=300, end=300)
    training = folder.cluster("train", "--csv", "plant.csv", "--columns", "flow,pressure", "--rate", "2000")
    assert training.wait() == 1
    said = "\n".join(training.errors)
    assert re.search(r"the data ended after \d+ samples; lower training_size in Gravity\.ini", said)
