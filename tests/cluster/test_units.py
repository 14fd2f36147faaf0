"""The parts of cluster/ that need no cluster."""

import time
from itertools import chain
from queue import SimpleQueue

import pytest

from anomaly import points
from cluster.errors import UserError
from cluster.notices import Notices
from cluster.streams import StreamReader

from gravity import GravityDataProduct
from gravity.GravityDataProductPB_pb2 import GravityDataProductPB


def test_notices_are_said_at_once_and_then_counted():
    said: list[str] = []
    notices = Notices(said.append, interval=10)
    for now in range(25):
        notices.add(float(now), "lost", "a point is lost")
    notices.add(25.0, "other", "something else")
    assert said == [
        "a point is lost",
        "a point is lost (11 so far)",
        "a point is lost (21 so far)",
        "something else",
    ]


def product(stream: str, sample: int) -> GravityDataProduct:
    made = GravityDataProduct("P")
    made.data = points.message(stream, 1_000_000 + 1000 * sample, float(sample))
    return made


def reader_of(
    *lists: list[GravityDataProduct], max_gap: int = 0, tolerance: float = 0, ended: bool = False
) -> StreamReader:
    arrived: SimpleQueue[list[GravityDataProduct] | None] = SimpleQueue()
    for products in lists:
        arrived.put(products)
    if ended:
        arrived.put(None)
    return StreamReader(arrived, lateness=0.01, max_gap=max_gap, tolerance=tolerance)


def test_points_looked_at_to_learn_the_streams_are_not_lost():
    """Wherever the learning stops within a list of points."""
    everything = [product(stream, sample) for sample in range(100) for stream in ("b", "a")]
    reader = reader_of(everything[:7], everything[7:90], everything[90:])
    assert reader.streams(at_least=2) == ("a", "b")
    samples = chain.from_iterable(reader.samples(("a", "b")))
    assert [next(samples).values for _ in range(100)] == [(float(n), float(n)) for n in range(100)]


def test_streams_are_waited_for(capsys: pytest.CaptureFixture[str]):
    alone = [product("a", sample) for sample in range(50)]
    both = [product(stream, sample) for sample in range(50, 80) for stream in ("a", "b")]
    assert reader_of(alone, both).streams(at_least=2) == ("a", "b")
    assert capsys.readouterr().out == "only a arrives; waiting for 2 streams\n"


@pytest.mark.parametrize(("apart", "tolerance", "said"), [(4, 0.0, True), (4, 0.005, False), (0, 0.0, False)])
def test_streams_without_a_common_time_are_said(
    apart: int, tolerance: float, said: bool, capsys: pytest.CaptureFixture[str]
):
    arriving = [product(stream, 10 * n + late) for n in range(30) for stream, late in (("sin", 0), ("cos", apart))]
    reader_of(arriving, tolerance=tolerance).streams(at_least=2)
    assert ("the closest are 0.004 s apart" in capsys.readouterr().out) == said


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


def test_what_is_amiss_is_said(capsys: pytest.CaptureFixture[str]):
    strange = GravityDataProduct("P")
    strange.data = b"\xff"
    everything = [product(stream, sample) for sample in range(60) for stream in ("a", "b")]
    del everything[21]  # b of sample 10
    everything[6:6] = [strange, product("c", 3)]
    everything[60:60] = [everything[40]]
    reader = reader_of(everything)
    assert len(next(reader.samples(("a", "b")))) == 59
    assert capsys.readouterr().out.splitlines() == [
        "a message is no DataPointPB; ignored",
        "an unknown stream 'c' arrives; it is ignored",
        "a sample is incomplete, it lacks b; dropped",
        "a point came twice or too late; dropped",
    ]


def test_points_that_are_filled_in_are_said(capsys: pytest.CaptureFixture[str]):
    everything = [product(stream, sample) for sample in range(60) for stream in ("a", "b")]
    del everything[21]  # b of sample 10
    reader = reader_of(everything, max_gap=1)
    assert len(next(reader.samples(("a", "b")))) == 60
    assert capsys.readouterr().out == "a point of b is missing; filled in from its neighbours\n"


@pytest.mark.parametrize(("lags", "said"), [([9, 5, 1], False), ([1, 1.5, 0], False), ([0, 3, 5], True)])
def test_a_lag_is_said_if_it_grows(lags: list[float], said: bool, capsys: pytest.CaptureFixture[str]):
    """What has waited while TensorFlow was imported is no lag."""
    lots = [[product(stream, 100 * n + k) for k in range(50) for stream in ("a", "b")] for n in range(len(lags))]
    for lot, lag in zip(lots, lags, strict=True):
        envelope = GravityDataProductPB.FromString(lot[0].serializeToString())
        envelope.received_timestamp = round((time.time() - lag) * 1e6)
        lot[0] = GravityDataProduct(data=envelope.SerializeToString())
    list(reader_of(*lots, ended=True).samples(("a", "b")))
    assert ("3 s behind what arrives" in capsys.readouterr().out) == said


def test_all_windows_that_wait_come_at_once():
    reader = reader_of(*([product(s, sample) for s in ("a", "b")] for sample in range(7)),
                       [product(s, sample) for sample in range(7, 30) for s in ("a", "b")])  # fmt: skip
    windows = reader.windows(("a", "b"), 5, 1)
    assert [[w.number for w in next(windows)] for _ in range(4)] == [[5], [6], [7], list(range(8, 31))]


def test_samples_too_irregular_for_a_window_are_said(capsys: pytest.CaptureFixture[str]):
    """Twice as many samples as before, from a second publisher that does not know of the first."""
    everything = [product(stream, 10 * sample) for sample in range(40) for stream in ("a", "b")]
    for sample in range(40, 400):
        everything += [product(stream, 10 * sample + offset) for offset in (0, 2) for stream in ("a", "b")]
    regular = [product(stream, 10 * sample) for sample in range(400, 500) for stream in ("a", "b")]
    windows = reader_of(everything[:80], everything[80:400], everything[400:], regular).windows(("a", "b"), 20, 1)
    assert len(next(windows)) == 21
    while next(windows)[-1].number < 700:
        pass
    assert capsys.readouterr().out.startswith("no 20 samples in a row without a gap: is there a second publisher")


def test_what_waits_when_the_data_end_is_not_lost():
    """Nothing will come any more that it could wait for."""
    everything = [product(stream, sample) for sample in range(30) for stream in ("a", "b")]
    del everything[-3]  # b of the last sample but one
    reader = reader_of(everything, ended=True)
    assert sum(len(samples) for samples in reader.samples(("a", "b"))) == 29


def test_data_that_end_without_a_window_are_an_error():
    reader = reader_of([product("a", sample) for sample in range(30)], ended=True)
    with pytest.raises(UserError, match="without 20 samples in a row of a, b"):
        list(reader.windows(("a", "b"), 20, 1))


def test_data_that_end_before_the_streams_are_known_are_an_error():
    reader = reader_of([product("a", sample) for sample in range(30)], ended=True)
    with pytest.raises(UserError, match="only a has arrived; 2 streams and more than 20 samples are needed"):
        reader.streams(at_least=2)
