"""The detector's service, with the shipped model, over real sockets."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from node.settings import DEFAULTS, Settings

import numpy as np
import pytest

from anomaly import report, requests
from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.detector import Detector
from anomaly.Window_pb2 import WindowPB
from benchmarks.contenders import windows
from tests.support import PROJECT, Folder, eventually, node_program

from gravity import GravityDataProduct, GravityNode, GravityRequestor, gravity

STREAMS = ["cos", "sin"]
SERVICE = "AnomalyDetection"
PHASE = 0.05 * np.arange(200)
NORMAL = {"sin": np.sin(PHASE), "cos": np.cos(PHASE)}
FASTER = {"sin": np.sin(PHASE), "cos": np.cos(PHASE + np.maximum(0, PHASE - PHASE[150]))}


def window(values: dict[str, Any], **fields: int) -> WindowPB:
    streams = [WindowPB.Stream(name=name, values=column) for name, column in values.items()]
    return WindowPB(streams=streams, **fields)


def product(message: WindowPB) -> GravityDataProduct:
    made = GravityDataProduct("Question")
    made.data = message
    return made


@pytest.fixture(scope="module")
def detector() -> Detector:
    settings = Settings(lambda key, default: default, "DetectorService")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(PROJECT)
        return Detector.configured(settings, stride=1)


@pytest.fixture
def requestor(folder: Folder, detector: Detector) -> Iterator[GravityNode]:
    """A node that may ask."""
    provider = node_program("DetectorService").DetectorService(detector)
    folder.directory()
    ini = folder.path / "Gravity.ini"
    with GravityNode("DetectorService", ini=ini) as providing, GravityNode("Asking", ini=ini) as asking:
        assert DEFAULTS["service_name"] == SERVICE
        assert providing.registerService(SERVICE, gravity.TCP, provider) == gravity.SUCCESS
        yield asking


def ask(requestor: GravityNode, message: WindowPB) -> AnomalyScorePB:
    answer = requestor.request(SERVICE, product(message), 20_000)
    assert answer is not None and answer.typeName == "AnomalyScorePB"
    return AnomalyScorePB.FromString(answer.data)


def test_the_same_window_gets_the_same_answer(requestor: GravityNode, detector: Detector):
    """Whatever is asked in between, and in whatever order the streams come; it is what a detector finds."""
    samples = np.stack([FASTER["cos"], FASTER["sin"]], axis=1)
    anomaly = ask(requestor, window(FASTER, timestamp=5))
    assert (anomaly.state, anomaly.kind, anomaly.timestamp) == (AnomalyScorePB.ANOMALY, AnomalyScorePB.RELATION, 5)
    assert (anomaly.sample, anomaly.threshold, anomaly.error) == (200, 1, "") and anomaly.score > 1
    detector.start()
    expected = report.message(detector.examine(windows(samples, 20))[-1], ["cos", "sin"])
    expected.timestamp = 5
    assert anomaly.SerializeToString() == expected.SerializeToString()

    normal = ask(requestor, window(NORMAL))
    assert normal.state == AnomalyScorePB.NORMAL and normal.score < 1 and not normal.HasField("kind")
    assert [stream.name for stream in normal.streams] == ["cos", "sin"]
    turned = dict(reversed(FASTER.items()))
    assert ask(requestor, window(turned, timestamp=5)).SerializeToString() == anomaly.SerializeToString()

    assert ask(requestor, window({"sin": [1.0]})).error == "the streams must be cos, sin, but they are sin"
    alone, calm = ({name: values[part] for name, values in FASTER.items()} for part in (np.s_[-20:], np.s_[:20]))
    assert ask(requestor, window(alone)).state == AnomalyScorePB.ANOMALY, "one window is enough to see this"
    assert ask(requestor, window(calm)).state == AnomalyScorePB.NORMAL


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sin": [1.0] * 20}, "the streams must be cos, sin, but they are sin"),
        ({}, "the streams must be cos, sin, but they are none"),
        ({"sin": [1.0] * 20, "tan": [1.0] * 20}, "the streams must be cos, sin, but they are sin, tan"),
        ({"sin": [1.0] * 20, "cos": [1.0] * 21}, "as many values as each other, but they have 20 of sin, 21 of cos"),
        ({"sin": [1.0] * 19, "cos": [1.0] * 19}, "a stream must have 20 to 10000 values, but they have 19"),
        ({"sin": [1.0] * 10_001, "cos": [1.0] * 10_001}, "20 to 10000 values, but they have 10001"),
        ({"sin": [1.0] * 20, "cos": [1.0] * 19 + [math.nan]}, "the values must be finite, but some of cos are not"),
        ({"sin": [math.inf] * 20, "cos": [1.0] * 20}, "the values must be finite, but some of sin are not"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_the_answer(detector: Detector, values: dict[str, list[float]], said: str):
    answer = requests.answer(detector, STREAMS, window(values).SerializeToString())
    assert said in answer.error and answer.state == AnomalyScorePB.UNKNOWN


@pytest.mark.parametrize(
    ("data", "type_name", "said"),
    [
        (b"\xff", "", "the request is not a WindowPB"),
        (b"\x0a\x00", "", "the request is an incomplete WindowPB: each stream needs a name"),
        (b"\x0a\x03\x0a\x01\xff", "", "the streams must be cos, sin, but they are b'\\xff'"),
        (b"", "PumpPB", "the request is a PumpPB, not a WindowPB"),
        (2 * window(NORMAL).SerializeToString(), "WindowPB", "the streams must be cos, sin, but they are sin, cos, "),
    ],
)  # fmt: skip
def test_other_messages_are_refused(detector: Detector, data: bytes, type_name: str, said: str):
    assert requests.answer(detector, STREAMS, data, type_name).error.startswith(said)


class Answers(GravityRequestor):
    """Keeps the answers, by the id of their request."""

    def __init__(self) -> None:
        GravityRequestor.__init__(self)
        self.by_id: dict[str, AnomalyScorePB] = {}

    def requestFilled(self, serviceID: str, requestID: str, response: GravityDataProduct) -> None:
        self.by_id[requestID] = AnomalyScorePB.FromString(response.data)


def test_asynchronous_requests_get_each_their_own_answer(requestor: GravityNode):
    answers = Answers()
    for number in range(20):
        message = window(FASTER if number % 2 else NORMAL, timestamp=number)
        assert requestor.request(SERVICE, product(message), answers, f"{number}", 20_000) == gravity.SUCCESS
    eventually(lambda: len(answers.by_id) == 20)
    for id, answer in answers.by_id.items():
        assert answer.timestamp == int(id)
        assert (answer.state == AnomalyScorePB.ANOMALY) == bool(int(id) % 2)
