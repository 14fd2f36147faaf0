"""From messages in an inbox to samples."""

import threading
import time
from collections import Counter, deque
from itertools import chain, pairwise

from node.errors import UserError

import numpy as np
import pytest

from streams import inbox, points, reader
from streams.inbox import Inbox
from streams.reader import StreamReader
from streams.samples import Sample

from gravity import GravityDataProduct
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB


def product(stream: str, sample: int) -> GravityDataProduct:
    made = GravityDataProduct("P")
    made.data = points.message(stream, 1_000_000 + 1000 * sample, float(sample))
    return made


def end(*streams: str, cached: bool = False) -> GravityDataProduct:
    made = GravityDataProduct("P")
    made.data = points.end_message(streams)
    made.isCachedDataproduct = cached
    return made


class OneByOne(Inbox):
    """An inbox whose lots arrive one by one, each when the one before has been taken."""

    def __init__(self) -> None:
        super().__init__()
        self.lots: deque[list[GravityDataProduct]] = deque()

    def take(self, timeout: float) -> list[GravityDataProduct]:
        if self.lots:
            self.put(self.lots.popleft())
        return super().take(timeout)


def reader_of(
    *lists: list[GravityDataProduct], max_gap: int = 0, tolerance: float | None = 0, ends: tuple[str, ...] = ()
) -> StreamReader:
    """A reader of these messages, one lot after the other, and then the end of the streams `ends`."""
    arriving = OneByOne()
    arriving.lots.extend([*lists, [end(*ends)]] if ends else lists)
    return StreamReader(arriving, lateness=0.01, max_gap=max_gap, tolerance=tolerance)


def test_points_looked_at_to_learn_the_streams_are_not_lost():
    everything = [product(stream, sample) for sample in range(100) for stream in ("b", "a")]
    reader = reader_of(everything[:7], everything[7:90], everything[90:])
    assert reader.streams(at_least=2) == ("a", "b")
    samples = chain.from_iterable(reader.samples(("a", "b")))
    assert [next(samples).values for _ in range(100)] == [(float(n), float(n)) for n in range(100)]


def test_the_number_of_streams_is_bounded(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(reader, "MOST_STREAMS", 2)
    everything = [product(stream, sample) for sample in range(30) for stream in ("a", "b", f"c{sample}")]
    bounded = reader_of(everything, ends=("a", "b"))
    assert bounded.streams(at_least=2) == ("a", "b")
    assert len(list(chain.from_iterable(bounded.samples(("a", "b"))))) == 30
    assert set(caplog.messages) == {"ignored streams beyond the first 2"}


def test_the_oldest_points_are_dropped_if_too_many_wait(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    """They leave a gap, not values that never were; the end of the streams is not lost."""
    monkeypatch.setattr(inbox, "MOST_WAITING", 301)
    monkeypatch.setattr(inbox, "MOST", 50)
    arrived = Inbox()
    late = StreamReader(arrived, lateness=0.01, max_gap=2, tolerance=0)
    arrived.put([product(stream, sample) for sample in range(25) for stream in ("a", "b")])
    arrived.put([end("b")])
    samples = late.samples(("a", "b"))
    first = next(samples)
    for begin in range(25, 1000, 5):
        arrived.put([product(stream, sample) for sample in range(begin, begin + 5) for stream in ("a", "b")])
    arrived.put([end("a", "b")])
    rest = list(chain.from_iterable(samples))
    numbers = [sample.values[0] for sample in [*first, *rest]]
    assert numbers[:25] == list(range(25)) and numbers[25:] == list(range(int(numbers[25]), 1000))
    assert 845 <= numbers[25] <= 855
    assert [sample.after_gap for sample in rest] == [True] + [False] * (len(rest) - 1)
    [told] = [record for record in caplog.records if "dropped the oldest points" in record.message]
    assert told.count == 1950 - (301 - 1), "the points that do not fit beside the last end"  # type: ignore[attr-defined]


def test_all_lots_that_wait_are_taken_at_once():
    arrived = Inbox()
    first = [product("a", 0)]
    for lot in (first, [product("a", 1)], [end("a")]):
        arrived.put(lot)
    reader = StreamReader(arrived, lateness=1, max_gap=0, tolerance=0)
    assert [len(points) for points in reader._points()] == [2]
    assert len(first) == 1, "a callback's list is left as it is"


def test_a_long_backlog_is_taken_in_portions(monkeypatch: pytest.MonkeyPatch):
    """So that the first of it need not wait for the last."""
    monkeypatch.setattr("streams.inbox.MOST", 10)
    arrived = Inbox()
    for lot in range(3):
        arrived.put([product("a", 9 * lot + sample) for sample in range(9)])
    arrived.put([end("a")])
    reader = StreamReader(arrived, lateness=1, max_gap=0, tolerance=0)
    assert [len(points) for points in reader._points()] == [10, 10, 7]


def test_the_data_end_with_the_last_of_their_streams():
    """A stream of another publisher may go on, and one that has ended may come back."""
    both = [product(stream, sample) for sample in range(30) for stream in ("a", "b")]
    again = [product("a", 30), end("b"), product("b", 30), end("a", "b"), product("a", 31)]
    reader = reader_of(both, [end("a")], again[:3], [again[3]], [again[4]])
    assert [len(points) for points in reader._points()] == [60, 2]


def test_another_thread_can_end_the_data():
    both = [product(stream, sample) for sample in range(30) for stream in ("a", "b")]
    reader = reader_of(both)
    samples = reader.samples(("a", "b"))
    assert len(next(samples)) == 30
    threading.Timer(0.2, reader.stop).start()
    assert list(samples) == []


def test_an_end_that_arrives_while_the_streams_are_learned_counts():
    both = [product(stream, sample) for sample in range(30) for stream in ("a", "b")]
    reader = reader_of([*both, end("a", "b")])
    assert sum(map(len, reader.samples(reader.streams(at_least=2)))) == 30


def test_an_end_from_before_the_subscription_does_not_count():
    """A publisher's cache replays its last message to new subscribers."""
    both = [product(stream, sample) for sample in range(30) for stream in ("a", "b")]
    reader = reader_of([end("a", "b", cached=True)], both, ends=("a", "b"))
    assert sum(len(points) for points in reader._points()) == 60


def test_streams_are_waited_for(caplog: pytest.LogCaptureFixture):
    alone = [product("a", sample) for sample in range(30)]
    both = [product(stream, sample) for sample in range(30, 60) for stream in ("a", "b")]
    assert reader_of(alone, both).streams(at_least=2) == ("a", "b")
    assert caplog.messages == ["waiting for 2 streams; so far, there is only a"]


@pytest.mark.parametrize(
    ("apart", "tolerance", "together"),
    [(4, None, True), (4, 0.005, True), (0, None, True), (0, 0, True), (4, 0, False), (5, 0.002, False)],
)
def test_the_tolerance_is_learned_unless_it_is_given(apart: int, tolerance: float | None, together: bool):
    """Streams with a period of 10 ms and so many milliseconds apart; if not put together, they are interpolated."""
    arriving = [product(stream, 10 * n + late) for n in range(30) for stream, late in (("sin", 0), ("cos", apart))]
    reader = reader_of(arriving, tolerance=tolerance, ends=("sin", "cos"))
    streams = reader.streams(at_least=2)
    values = [sample.values for sample in chain.from_iterable(reader.samples(streams))]
    assert (values == [(float(10 * n + apart), float(10 * n)) for n in range(30)]) == together


def test_streams_without_a_common_rhythm_are_logged(caplog: pytest.LogCaptureFixture):
    times = sorted([(10 * n, "a") for n in range(30)] + [(13 * n + 1, "b") for n in range(25)])
    arriving = [product(stream, time) for time, stream in times]
    reader_of(arriving, tolerance=None).streams(at_least=2)
    assert caplog.messages[0].startswith("the streams' timestamps do not show which points belong together; set tol")


def test_the_lots_in_which_points_arrive_do_not_matter():
    """Streams apart, one of them slow, one that comes late; lost points; ends amid the points."""
    random = np.random.default_rng(0)
    times = [(10 * n + late, name) for name, late in (("a", 0), ("b", 3)) for n in range(200)]
    times += [(30 * n + 1, "slow") for n in range(60)] + [(10 * n, "new") for n in range(21, 200)]
    arriving = [product(name, time) for time, name in sorted(times) if random.random() > 0.03]
    arriving[300:300] = [end("b")]
    arriving[-50:-50] = [end("a", "b", "slow", "new")]

    def read(lots: list[list[GravityDataProduct]]) -> tuple[tuple[str, ...], list[Sample], Counter[tuple[str, str]]]:
        some = reader_of(*lots, max_gap=1, tolerance=None)
        streams = some.streams(at_least=2)
        return streams, list(chain.from_iterable(some.samples(streams))), some.losses

    at_once = read([arriving])
    assert at_once[0] == ("a", "b", "slow") and len(at_once[1]) > 100
    assert read([[one] for one in arriving]) == at_once
    for _ in range(5):
        cuts = [0, *sorted(random.choice(len(arriving), 20, replace=False)), len(arriving)]
        assert read([arriving[begin:end] for begin, end in pairwise(cuts)]) == at_once


@pytest.mark.parametrize(
    ("trained", "n_streams", "arriving", "fits"),
    [
        (["a", "b"], 2, ("a", "b"), True),
        (["b", "a"], 2, ("a", "b", "c"), True),
        (["a", "b"], 2, ("a",), True),
        (["a", "b"], 2, ("a", "c"), False),
        (["a", "b"], 2, ("c", "d"), False),
        (None, 2, ("a", "b"), True),
        (None, 3, ("a", "b"), False),
    ],
)
def test_the_model_has_to_fit_the_streams(
    trained: list[str] | None, n_streams: int, arriving: tuple[str, ...], fits: bool
):
    reader = reader_of([product(stream, sample) for sample in range(30) for stream in arriving])
    if fits:
        assert reader.expect(trained, n_streams, "model.json") == tuple(trained or arriving)
    else:
        with pytest.raises(UserError, match=r"model\.json was trained on .*train\.sh"):
            reader.expect(trained, n_streams, "model.json")


def test_trouble_is_logged(caplog: pytest.LogCaptureFixture):
    strange = GravityDataProduct("P")
    strange.data = b"\xff"
    everything = [product(stream, sample) for sample in range(60) for stream in ("a", "b")]
    del everything[21]  # b of sample 10
    everything[6:6] = [strange, product("c", 3)]
    everything[60:60] = [everything[40]]
    reader = reader_of(everything)
    assert len(next(reader.samples(("a", "b")))) == 59
    assert caplog.messages == [
        "ignored a message that is not a DataPointPB",
        "ignored unknown stream c",
        "dropped incomplete sample: missing b",
        "dropped duplicate or late value of b",
    ]


def test_interpolated_values_are_logged(caplog: pytest.LogCaptureFixture):
    everything = [product(stream, sample) for sample in range(60) for stream in ("a", "b")]
    del everything[21]  # b of sample 10
    reader = reader_of(everything, max_gap=1)
    assert len(next(reader.samples(("a", "b")))) == 60
    assert caplog.messages == ["interpolated missing value of b"]


@pytest.mark.parametrize(
    ("lags", "logged"), [([9, 5, 1], False), ([1, 1.5, 0], False), ([0, 3, 5], True), ([0, 5, 0], False)]
)
def test_a_lag_is_logged_if_it_grows(lags: list[float], logged: bool, caplog: pytest.LogCaptureFixture):
    """Points that have waited while TensorFlow was imported are not a lag, nor is a clock that was set forward."""
    lots = [[product(stream, 100 * n + k) for k in range(50) for stream in ("a", "b")] for n in range(len(lags))]
    for lot, lag in zip(lots, lags, strict=True):
        envelope = GravityDataProductPB.FromString(lot[0].serializeToString())
        envelope.received_timestamp = round((time.time() - lag) * 1e6)
        lot[0] = GravityDataProduct(data=envelope.SerializeToString())
    list(reader_of(*lots, ends=("a", "b")).samples(("a", "b")))
    assert ("5 s behind the publisher" in caplog.text) == logged


def test_samples_that_wait_when_the_data_end_are_not_lost():
    everything = [product(stream, sample) for sample in range(30) for stream in ("a", "b")]
    del everything[-3]  # b of the last sample but one
    reader = reader_of(everything, ends=("a", "b"))
    assert sum(len(samples) for samples in reader.samples(("a", "b"))) == 29


def test_data_that_end_before_the_streams_are_known_are_an_error():
    reader = reader_of([product("a", sample) for sample in range(30)], ends=("a",))
    with pytest.raises(UserError, match="only a arrived; 2 streams of more than 20 samples are needed"):
        reader.streams(at_least=2)


def test_samples_are_collected_for_training(caplog: pytest.LogCaptureFixture):
    """A few lost ones are not a reason to have collected in vain."""
    caplog.set_level("INFO")
    everything = [product(stream, sample) for sample in range(100) for stream in ("a", "b")]
    assert len(reader_of(everything).collect(("a", "b"), 50)) == 50
    assert not caplog.messages
    assert len(reader_of(everything, ends=("a", "b")).collect(("a", "b"), 110)) == 100
    assert caplog.messages == ["the data ended after 100 samples, which is enough"]
    with pytest.raises(UserError, match="the data ended after 100 samples; lower training_size"):
        reader_of(everything, ends=("a", "b")).collect(("a", "b"), 112)


def test_an_inbox_is_bounded_while_nobody_takes_anything(monkeypatch: pytest.MonkeyPatch):
    """As long as TensorFlow is imported."""
    monkeypatch.setattr(inbox, "MOST_WAITING", 100)
    arrived = Inbox()
    for sample in range(1000):
        arrived.put([product("a", sample)])
    assert (arrived.dropped(), arrived.dropped()) == (900, 0)
    assert [points.decode(p.data, p.typeName).value for p in arrived.take(1)] == list(range(900, 1000))
    assert arrived.take(0.01) == []


def test_large_messages_are_bounded_by_their_bytes(monkeypatch: pytest.MonkeyPatch):
    size = len(product("a", 0).data)
    monkeypatch.setattr(inbox, "MOST_BYTES", 10 * size)
    arrived = Inbox()
    for _ in range(2):  # what was taken counts no more
        arrived.put([product("a", sample) for sample in range(15)])
        assert arrived.dropped() == 5
        assert [points.decode(p.data).value for p in arrived.take(0)] == list(range(5, 15))


def test_a_flood_of_ends_is_bounded_too(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(inbox, "MOST_WAITING", 100)
    monkeypatch.setattr(inbox, "MOST", 20)
    arrived = Inbox()
    for _ in range(1000):
        arrived.put([end("a")])
    arrived.put([product("a", sample) for sample in range(100)])
    waiting = [p for _ in range(10) for p in arrived.take(0)]
    assert [points.decode(p.data, p.typeName).value for p in waiting[20:]] == list(range(100))
    assert len(waiting) == 120 and arrived.dropped() == 1000 - 20
