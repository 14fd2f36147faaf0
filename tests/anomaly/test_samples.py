import random

import numpy as np
import pytest

from anomaly.points import Point
from anomaly.samples import Sample, SampleAssembler, WindowBuilder, windows

STEP = 100_000  # microseconds between two samples


def points(numbers: range, streams: tuple[str, ...] = ("sin", "cos"), start: int = STEP) -> list[Point]:
    """Points whose value tells their stream and sample: sample 7 is 7.0 in the first, 1007.0 in the second."""
    return [
        Point(name, start + number * STEP, 1000.0 * column + number)
        for number in numbers
        for column, name in enumerate(streams)
    ]


def assemble(arriving: list[Point], lateness: float = 1.0) -> tuple[list[Sample], SampleAssembler]:
    assembler = SampleAssembler(("sin", "cos"), lateness)
    return [sample for point in arriving for sample in assembler.add(point)], assembler


def test_points_of_the_same_time_make_a_sample():
    samples, _ = assemble(points(range(3)))
    assert samples == [Sample(STEP * (n + 1), (float(n), 1000.0 + n)) for n in range(3)]


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_arrival_does_not_matter_within_the_lateness(seed: int):
    """Once a few samples have told the usual distance of two."""
    begin, arriving = points(range(5)), points(range(5, 200))
    order = random.Random(seed)
    shuffled = sorted(arriving, key=lambda p: p.timestamp + order.uniform(0, 0.9e6))
    assert shuffled != arriving
    assert assemble([*begin, *shuffled])[0] == assemble([*begin, *arriving])[0]


@pytest.mark.parametrize("lost", [0, 1, 40, 41])
def test_a_lost_point_costs_its_sample_and_shifts_nothing(lost: int):
    arriving = points(range(100))
    del arriving[lost]
    samples, assembler = assemble(arriving)
    assert [s.values[1] - s.values[0] for s in samples] == [1000.0] * 99
    assert [s.timestamp // STEP - 1 for s in samples] == [n for n in range(100) if n != lost // 2]
    assert assembler.dropped == 1
    assert assembler.missing == {"sin": 1 - lost % 2, "cos": lost % 2}


def test_samples_after_a_lost_point_wait_no_longer_than_the_lateness():
    assembler = SampleAssembler(("sin", "cos"), lateness=0.5)
    arriving = points(range(20))
    del arriving[3]  # of sample 1
    counts = [len(assembler.add(point)) for point in arriving]
    assert sum(counts[:13]) == 1  # sample 0; up to the first point 0.6 s after sample 1 all wait
    assert counts[13] == 5 and sum(counts) == 19


def test_a_late_and_a_repeated_point_are_counted_and_dropped():
    arriving = points(range(10))
    _, assembler = assemble([*arriving, arriving[0], arriving[-1]])
    assert assembler.late == 2


def test_a_publisher_whose_clock_went_back_is_followed_after_the_lateness():
    before, after = points(range(50), start=10**9), points(range(50), start=STEP)
    samples, _ = assemble(before + after)
    resumed = samples[50:]
    assert [s.timestamp // STEP for s in resumed] == list(range(12, 51))


def test_a_point_from_the_future_costs_the_samples_of_the_lateness_at_most():
    strange = Point("sin", 10**13, 0.0)
    samples, _ = assemble([*points(range(50)), strange, *points(range(50, 150))])
    assert len(samples) > 135 and samples[-1] == Sample(STEP * 150, (149.0, 1149.0))


def test_a_stream_that_stops_is_told_apart():
    arriving = [p for p in points(range(100)) if p.name == "sin" or p.timestamp < 50 * STEP]
    samples, assembler = assemble(arriving)
    assert len(samples) == 49
    assert assembler.missing["sin"] == 0 and assembler.missing["cos"] == assembler.dropped > 30


def test_an_unknown_stream_is_an_error_of_the_caller():
    with pytest.raises(KeyError):
        SampleAssembler(("sin",), 1.0).add(Point("cos", 1, 0.0))


def samples_at(times: list[float]) -> list[Sample]:
    return [Sample(round(t * STEP), (float(n), -float(n))) for n, t in enumerate(times)]


@pytest.mark.parametrize(("stride", "last"), [(1, [5, 6, 7, 8, 9, 10, 11, 12]), (5, [5, 10]), (7, [5, 12])])
def test_windows_follow_each_other_by_the_stride(stride: int, last: list[int]):
    builder = WindowBuilder(5, stride)
    built = [w for s in samples_at(list(range(1, 13))) if (w := builder.add(s))]
    assert [w.number for w in built] == last
    for window in built:
        assert window.values.dtype == np.float32 and window.values.shape == (5, 2)
        assert window.values[:, 0].tolist() == list(range(window.number - 5, window.number))
        assert window.timestamp == window.number * STEP and not window.after_gap


@pytest.mark.parametrize("stride", [1, 5])
@pytest.mark.parametrize("lost", range(21))
def test_no_window_spans_a_gap(stride: int, lost: int):
    times = [t for t in range(1, 40) if t != lost]
    builder = WindowBuilder(5, stride)
    built = [w for s in samples_at([float(t) for t in times]) if (w := builder.add(s))]
    for window in built:
        spanned = times[window.number - 5 : window.number]
        assert spanned == list(range(spanned[0], spanned[0] + 5))
    assert builder.gaps == (1 if lost > 1 else 0)
    assert sum(w.after_gap for w in built) == builder.gaps
    assert len(built) >= (20 if stride == 1 else 5)


def test_time_that_does_not_advance_is_a_gap():
    builder = WindowBuilder(5, 1)
    built = [builder.add(s) for s in samples_at([1, 2, 3, 4, 4, 5, 6, 7, 8, 9])]
    assert [n for n, window in enumerate(built, start=1) if window] == [9, 10]


def test_the_rate_may_change():
    builder = WindowBuilder(10, 1)
    times = [float(t) for t in range(30)] + [30 + t / 4 for t in range(30)]
    built = [w for s in samples_at(times) if (w := builder.add(s))]
    assert built[-1].number == 60 and len(built) > 30


def test_jitter_of_a_quarter_is_no_gap():
    jitter = np.random.default_rng(1).uniform(-0.12, 0.12, 500)
    builder = WindowBuilder(20, 1)
    built = [w for s in samples_at((np.arange(500) + jitter).tolist()) if (w := builder.add(s))]
    assert len(built) == 481 and builder.gaps == 0


def test_training_windows_are_all_sliding_windows_without_a_gap():
    times = [float(t) for t in range(50) if t != 30]
    values, gaps = windows(samples_at(times), 20)
    assert values.shape == (11, 20, 2) and gaps == 1
    empty, _ = windows(samples_at(times[:5]), 20)
    assert len(empty) == 0
