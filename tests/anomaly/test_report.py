import re

import numpy as np
import pytest

from anomaly.alarm import Verdict
from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.blame import Blame
from anomaly.detector import Finding
from anomaly.report import announce, describe, message
from anomaly.windows import Window

STREAMS = ("cos", "sin")
TIME = 1_700_000_000_123_000


def finding(verdict: Verdict | None, blame: Blame | None = None, after_gap: bool = False) -> Finding:
    window = Window(503, TIME, np.zeros((20, 2), np.float32), after_gap)
    return Finding(window, 0.25, np.array([0.4, 0.1]), verdict, blame)


def test_a_line_for_each_window():
    line = describe(finding(Verdict(1.234, False, False)))
    assert re.fullmatch(r"\d\d:\d\d:20\.123  samples 484-503  MSE = 2\.500e-01  score = 1\.23", line)
    assert describe(finding(None, after_gap=True)).endswith("MSE = 2.500e-01  (after a gap)")


@pytest.mark.parametrize(
    ("verdict", "blame", "said"),
    [
        (Verdict(9.0, True, True), Blame(0, 0.957), r"ANOMALY since {}, sample 503: stream cos \(96% of the error\)"),
        (Verdict(9.0, True, True), None, r"ANOMALY since {}, sample 503: no single stream"),
        (Verdict(1.0, False, True), None, r"NORMAL since {}, sample 503"),
    ],
)
def test_an_alarm_is_announced_when_it_changes(verdict: Verdict, blame: Blame | None, said: str):
    line = announce(finding(verdict, blame), STREAMS)
    assert line and re.fullmatch(said.format(r"2023-11-1\d \d\d:\d\d:20\.123"), line)


@pytest.mark.parametrize("verdict", [None, Verdict(9.0, True, False), Verdict(1.0, False, False)])
def test_nothing_is_announced_otherwise(verdict: Verdict | None):
    assert announce(finding(verdict), STREAMS) is None


def test_the_message_says_all():
    pb = message(finding(Verdict(9.0, True, False), Blame(1, 0.9)), STREAMS, 4.5)
    pb = AnomalyScorePB.FromString(pb.SerializeToString())
    assert (pb.timestamp, pb.sample, pb.mse, pb.score, pb.threshold) == (TIME, 503, 0.25, 9.0, 4.5)
    assert pb.state == AnomalyScorePB.ANOMALY and pb.blamed == "sin"
    assert [(s.name, s.error) for s in pb.streams] == [("cos", 0.4), ("sin", 0.1)]


def test_without_a_threshold_the_state_is_unknown():
    pb = message(finding(None), STREAMS, None)
    assert pb.state == AnomalyScorePB.UNKNOWN and not pb.HasField("threshold") and not pb.HasField("score")
