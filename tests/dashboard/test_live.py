"""What the live view knows after the messages of a run, with a clock that the tests set."""

import json
import math

import numpy as np
import pytest

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from dashboard.live import FORGET_AFTER, MOST_STREAMS, Live
from streams.points import Point

START = 1_700_000_000_000_000


class Run:
    """A live view, and samples and findings for it."""

    def __init__(self, history: float = 86400) -> None:
        self.now = 1000.0
        self.live = Live(history, clock=lambda: self.now)
        self.number = 0

    def samples(self, count: int, names: tuple[str, ...] = ("cos", "sin"), *, jump: int = 0) -> None:
        """Let samples arrive, at the speed at which they were taken; `jump`: samples that are missing before."""
        self.number += jump
        for _ in range(count):
            self.number += 1
            self.now += 0.1
            at = START + self.number * 100_000
            self.live.points(Point(name, at, math.sin(0.1 * self.number)) for name in names)

    def found(self, state: int = AnomalyScorePB.NORMAL, score: float = 0.5, **more: object) -> AnomalyScorePB:
        """Let the finding of the last sample arrive."""
        at = START + self.number * 100_000
        pb = AnomalyScorePB(timestamp=at, sample=self.number, mse=0.1, state=state, score=score, threshold=1, **more)
        for index, name in enumerate(("cos", "sin")):
            pb.streams.add(name=name, error=0.1, rebuilt=[1.0, 2.0, 3.0], predicted_by=np.eye(2)[1 - index])
        self.live.finding(pb, int(self.now * 1e6))
        return pb

    def nodes(self) -> dict[str, str]:
        """Return the state of each node."""
        return {node["name"]: node["state"] for node in self.summary()["nodes"]}

    def summary(self) -> dict:
        self.now += 0.3  # else it would be the last one
        return json.loads(json.dumps(self.live.summary(), allow_nan=False))


def test_rate_and_curves():
    run = Run()
    run.samples(100)
    assert run.summary()["rate"] == pytest.approx(10, rel=0.05)
    shown = run.live.shown(60, 2, 800)
    assert [name for name, _, _ in shown.streams] == ["cos", "sin"]
    times, values = shown.streams[0][1]
    assert len(times) == 100 and shown.end == times[-1] == (START + 10_000_000) / 1000
    np.testing.assert_allclose(values, np.sin(0.1 * np.arange(1, 101)))


def test_the_reconstruction_lies_at_the_times_of_its_samples():
    run = Run()
    run.samples(20)
    run.found()
    run.samples(20)
    run.found()
    times, values = run.live.shown(60, 2, 800).streams[0][2]
    np.testing.assert_allclose(times - START / 1000, [3800, 3900, 4000])
    assert values.tolist() == [1, 2, 3]


def test_an_alarm_from_its_start_to_its_end():
    run = Run()
    run.samples(20)
    run.found()
    run.samples(20)
    run.found(AnomalyScorePB.ANOMALY, 5.0, kind=AnomalyScorePB.RELATION)
    run.samples(20)
    run.found(AnomalyScorePB.ANOMALY, 15.0, kind=AnomalyScorePB.FROZEN, blamed="sin")
    [alarm] = run.summary()["alarms"]
    assert (alarm["kind"], alarm["blamed"], alarm["highest"], alarm["end"]) == ("frozen", "sin", 15, None)
    assert alarm["said"] == "frozen, stream sin" and alarm["begin"] == START / 1000 + 4000
    assert [stream["name"] for stream in run.summary()["streams"]] == ["sin", "cos"], "the one to blame comes first"
    assert [name for name, _, _ in run.live.shown(60, 2, 800).streams] == ["sin", "cos"]
    run.samples(20)
    run.found()
    [alarm] = run.summary()["alarms"]
    assert alarm["end"] == START / 1000 + 8000 and run.summary()["total_alarms"] == 1


def test_gaps_and_lost_messages():
    run = Run()
    run.samples(50)
    run.samples(50, jump=3)
    assert (run.summary()["gaps"], run.summary()["lost"]) == (1, 6)
    [gap] = run.live.shown(60, 2, 800).gaps
    assert gap[1] - gap[0] == pytest.approx(400)
    run.now += 10
    run.samples(50, jump=100)
    assert (run.summary()["gaps"], run.summary()["lost"]) == (2, 6), "nothing is lost while the publisher is silent"


def test_nodes_come_and_go_and_come_back():
    run = Run()
    assert run.nodes() == {"publisher": "waiting", "detector": "waiting", "Service Directory": "waiting"}
    for _ in range(3):
        run.samples(20)
        run.found()
        run.live.directory_answered()
    assert set(run.nodes().values()) == {"here"}
    for _ in range(5):
        run.samples(20)
        run.live.directory_answered()
    assert run.nodes() == {"publisher": "here", "detector": "gone", "Service Directory": "here"}
    run.found()
    assert run.nodes()["detector"] == "here"
    run.now += 12
    assert run.nodes() == {"publisher": "gone", "detector": "unknown", "Service Directory": "gone"}
    run.samples(1)
    run.live.directory_answered()
    assert run.nodes()["publisher"] == run.nodes()["Service Directory"] == "here"
    run.live.ended(["cos", "sin"])
    assert run.nodes()["publisher"] == "ended"


def test_a_detector_that_starts_or_trains_may_be_silent():
    run = Run()
    run.live.finding(AnomalyScorePB(timestamp=START, sample=0, mse=0, state=2), 1)
    for _ in range(5):
        run.samples(20)
    assert run.nodes()["detector"] == "here"
    pb = AnomalyScorePB(timestamp=START, sample=100, mse=0, state=2)
    pb.training.samples, pb.training.epochs = 100, 10
    run.live.finding(pb, 2)
    run.samples(600)
    assert run.nodes()["detector"] == "here" and run.summary()["state"] == "training"


def test_a_training_from_collecting_to_its_loss():
    run = Run()
    run.samples(50)
    pb = AnomalyScorePB(timestamp=START, sample=50, mse=0, state=2)
    pb.training.samples = 100
    run.live.finding(pb, 1)
    assert run.summary()["training"] == {"collected": 50, "samples": 100, "epoch": 0, "epochs": 0, "loss": 0}
    assert run.live.layout()["training"]
    pb.training.epochs = 3
    for epoch, loss in enumerate((0.5, 0.1, math.nan), start=1):
        pb.training.epoch, pb.training.loss = epoch, loss
        run.live.finding(pb, 1 + epoch)
    assert [part.tolist() for part in run.live.shown(60, 2, 800).loss] == [[1, 2], [0.5, 0.1]]
    run.summary()
    run.samples(20)
    run.found()
    assert not run.live.layout()["training"]


def test_a_message_that_comes_again_says_nothing_new():
    run = Run()
    run.samples(20)
    pb = run.found(AnomalyScorePB.ANOMALY, 5.0)
    sent = int(run.now * 1e6)
    run.samples(20)
    run.found()
    run.live.finding(pb, sent)
    assert run.summary()["state"] == "normal" and run.summary()["total_alarms"] == 1


def test_which_streams_belong_together():
    run = Run()
    run.samples(20)
    assert run.live.relations() is None and not run.live.layout()["related"]
    run.found()
    assert run.live.relations() == {"names": ["cos", "sin"], "shares": [[0, 1], [1, 0]]}
    before = run.summary()["relations"]
    run.samples(20)
    run.found()
    assert run.summary()["relations"] == before


def test_what_the_network_sends_can_be_shown():
    """Numbers that are none, names that are none, more streams than can be shown."""
    run = Run()
    run.samples(20)
    long = "x" * 10_000 + "\x1b[31m"
    pb = AnomalyScorePB(timestamp=START, sample=20, mse=math.nan, state=1, score=math.nan, threshold=1, blamed=long)
    pb.streams.add(name="cos", error=math.inf, rebuilt=[math.nan, 1e300], predicted_by=[math.nan])
    run.live.finding(pb, 1)
    pb.blamed, pb.sample, pb.timestamp = "\x1b[31m\u202e", 40, START + 1
    run.live.finding(pb, 2)
    pb.timestamp = 2**63
    run.live.finding(pb, 3)
    [alarm] = run.summary()["alarms"]
    assert len(alarm["blamed"]) <= 200 and not set(alarm["blamed"]) & {"\x1b", "\u202e"}
    assert run.summary()["streams"][0]["error"] is None
    run.samples(1, tuple(map(str, range(300))))
    assert len(run.summary()["streams"]) == MOST_STREAMS and run.summary()["refused"] == 300 + 2 - MOST_STREAMS


def test_a_clock_that_goes_back_starts_anew():
    run = Run()
    run.samples(500)
    run.found()
    run.number = 0
    run.samples(5)
    times, _ = run.live.shown(60, 2, 800).streams[0][1]
    assert len(times) == 5 and run.live.shown(60, 2, 800).begin >= START / 1000 - 1000


def test_streams_of_another_publisher_take_the_place_of_those_that_ended():
    run = Run()
    run.samples(10)
    run.now += FORGET_AFTER + 1
    run.samples(10, ("a", "b", "c"))
    assert run.live.layout()["streams"] == ["a", "b", "c"]


def test_a_replay_is_shown_as_it_came_not_as_it_was_taken():
    """An hour of data in a minute: `the last 10 seconds` are ten minutes of the recording."""
    run = Run()
    for number in range(3600):
        run.now += 1 / 60
        run.live.points([Point("a", START + number * 1_000_000, 0.0)])
    shown = run.live.shown(10, 1, 800)
    assert (shown.end - shown.begin) / 1000 == pytest.approx(600, rel=0.05)


def test_a_score_or_threshold_that_is_not_finite_and_a_name_that_is_not_text_leave_the_page_as_it_is():
    run = Run()
    run.samples(20)
    run.found(AnomalyScorePB.ANOMALY, math.inf, blamed="cos")
    [alarm] = run.summary()["alarms"]
    assert alarm["blamed"] == "cos" and alarm["highest"] == 0
    run.samples(20)
    bad = AnomalyScorePB(timestamp=START, sample=40, mse=0.1, state=0, score=0.5, threshold=math.inf)
    not_text = AnomalyScorePB.FromString(bad.SerializePartialToString() + b"\x42\x01\xff")
    not_text.threshold = 1
    for number, pb in enumerate((bad, not_text), start=1):
        run.live.finding(pb, int((run.now + number) * 1e6))
        assert run.summary()["refused"] == number and run.summary()["threshold"] == 1
