import itertools
import random

import pytest

from streams.points import Point
from streams.samples import INTERPOLATED, LATE, MISSING, Sample, SampleAssembler

STEP = 100_000  # microseconds between two samples


def points(numbers: range, streams: tuple[str, ...] = ("sin", "cos"), start: int = STEP) -> list[Point]:
    """Points whose value tells their stream and sample: sample 7 is 7.0 in the first, 1007.0 in the second."""
    return [
        Point(name, start + number * STEP, 1000.0 * column + number)
        for number in numbers
        for column, name in enumerate(streams)
    ]


def assemble(
    arriving: list[Point], lateness: float = 1.0, max_gap: int = 0, tolerance: float = 0.0
) -> tuple[list[Sample], SampleAssembler]:
    assembler = SampleAssembler(("sin", "cos"), lateness, max_gap=max_gap, tolerance=tolerance)
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
    if lost < 2:
        assert assembler.dropped == 0, "who subscribes between two points has lost nothing"
    else:
        assert assembler.dropped == 1 and assembler.losses == {(MISSING, ("sin", "cos")[lost % 2]): 1}


def test_samples_after_a_lost_point_wait_no_longer_than_the_lateness():
    assembler = SampleAssembler(("sin", "cos"), lateness=0.5)
    arriving = points(range(20))
    del arriving[3]  # of sample 1
    counts = [len(assembler.add(point)) for point in arriving]
    assert sum(counts[:13]) == 1  # sample 0; up to the first point 0.6 s after sample 1 all wait
    assert counts[13] == 5 and sum(counts) == 19


def number(sample: Sample) -> float:
    """The sample's number, as all of its values tell it."""
    assert sample.values[1] - sample.values[0] == pytest.approx(1000)
    assert sample.values[0] == pytest.approx(sample.timestamp / STEP - 1)
    return round(sample.timestamp / STEP - 1, 3)


def flagged(samples: list[Sample]) -> list[float]:
    return [number(sample) for sample in samples if sample.after_gap]


def without(arriving: list[Point], *lost: tuple[str, int]) -> list[Point]:
    return [p for p in arriving if (p.name, p.timestamp // STEP - 1) not in lost]


@pytest.mark.parametrize("max_gap", [1, 2, 3])
@pytest.mark.parametrize("lost", [1, 2, 3, 4])
def test_lost_points_are_filled_in_up_to_the_largest_gap(max_gap: int, lost: int):
    arriving = without(points(range(60)), *(("sin", 20 + n) for n in range(lost)))
    samples, assembler = assemble(arriving, max_gap=max_gap)
    if lost <= max_gap:
        assert [number(s) for s in samples] == list(range(60)) and not flagged(samples)
        assert assembler.losses == {(INTERPOLATED, "sin"): lost} and assembler.dropped == 0
    else:
        assert [number(s) for s in samples] == [n for n in range(60) if not 20 <= n < 20 + lost]
        assert flagged(samples) == [20 + lost] and assembler.losses == {(MISSING, "sin"): lost}


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_samples_of_which_nothing_arrives_are_filled_in_likewise(lost: int):
    arriving = without(points(range(60)), *((name, 20 + n) for n in range(lost) for name in ("sin", "cos")))
    samples, assembler = assemble(arriving, max_gap=2)
    if lost <= 2:
        assert [number(s) for s in samples] == list(range(60)) and not flagged(samples)
        assert assembler.losses == {(INTERPOLATED, "sin"): lost, (INTERPOLATED, "cos"): lost}
    else:
        assert (
            len(samples) == 57
            and flagged(samples) == [23]
            and not any(kind == INTERPOLATED for kind, _ in assembler.losses)
        )


def test_nothing_is_filled_in_across_a_gap_made_of_several_losses():
    """Two lost points of one stream are few enough, but not with a lost sample between them."""
    arriving = without(points(range(60)), ("sin", 20), ("sin", 21), ("cos", 21), ("sin", 22))
    samples, _ = assemble(arriving, max_gap=2)
    assert [number(s) for s in samples] == [n for n in range(60) if n not in (20, 21, 22)]
    assert flagged(samples) == [23]


@pytest.mark.parametrize("lost", [1, 2, 3])
def test_a_gap_at_the_very_start_is_one_too(lost: int):
    """Even before the usual distance is known."""
    samples, _ = assemble(without(points(range(60)), *(("sin", 1 + n) for n in range(lost))))
    assert number(samples[0]) == 0 and flagged(samples) == [1 + lost]


def test_a_point_that_is_merely_late_is_not_filled_in():
    arriving = points(range(60))
    late = arriving.pop(40)
    arriving.insert(55, late)  # 0.7 s later
    samples, assembler = assemble(arriving, max_gap=2)
    assert samples == assemble(points(range(60)))[0] and not any(kind == INTERPOLATED for kind, _ in assembler.losses)


def test_what_is_filled_in_follows_the_curve_of_its_neighbours():
    """A cubic exactly, with two neighbours on either side; a line with one."""

    def curve(number: float) -> float:
        return 0.001 * number**3 - 0.2 * number**2 + number

    curved = [p._replace(value=curve(p.timestamp / STEP)) for p in points(range(60))]
    samples, _ = assemble(without(curved, ("sin", 20), ("sin", 21), ("cos", 30), ("sin", 40), ("sin", 42)), max_gap=2)
    assert len(samples) == 60
    for sample in samples:
        assert sample.values == pytest.approx([curve(sample.timestamp / STEP)] * 2, rel=1e-6, abs=1e-6)
    far = [("sin", n) for n in (16, 17, 18, 20, 22, 23, 24)]  # leave 19 and 21 alone
    samples, _ = assemble(without(curved, *far), max_gap=2)
    [filled] = [s.values[0] for s in samples if s.timestamp == 21 * STEP]
    assert filled == pytest.approx((curve(20) + curve(22)) / 2)


@pytest.mark.parametrize("seed", range(5))
def test_losses_at_random_shift_nothing_and_leave_few_gaps(seed: int):
    chance = random.Random(seed)
    arriving = [p for p in points(range(3000)) if chance.random() > 0.05]
    samples, assembler = assemble(arriving, max_gap=2)
    assert len({number(s) for s in samples}) == len(samples) > 2950
    distances = [b.timestamp - a.timestamp for a, b in itertools.pairwise(samples)]
    assert len(flagged(samples)) == sum(distance > STEP for distance in distances) < 20
    assert assembler.losses[INTERPOLATED, "sin"] > 100 and assembler.losses[INTERPOLATED, "cos"] > 100


@pytest.mark.parametrize("every", [2, 3, 7])
def test_a_slower_stream_is_filled_in_to_the_rate_of_the_faster(every: int):
    arriving = [p for p in points(range(300)) if p.name == "sin" or p.timestamp // STEP % every == 0]
    samples, assembler = assemble(arriving)
    assert all(number(s) for s in samples) and len(samples) > 270 and not flagged(samples[2:])
    assert assembler.losses[INTERPOLATED, "sin"] == 0


def test_points_within_the_tolerance_are_of_one_sample():
    chance = random.Random(0)
    exact = points(range(100))
    inexact = [p._replace(timestamp=p.timestamp + chance.randint(0, 20_000)) for p in exact]
    samples, _ = assemble(inexact, tolerance=0.02)
    assert [s.values for s in samples] == [s.values for s in assemble(exact)[0]] and not flagged_times(samples)
    assert len(assemble(inexact)[0]) > 150, "without it each time is a sample of its own"


def flagged_times(samples: list[Sample]) -> list[int]:
    return [sample.timestamp for sample in samples if sample.after_gap]


@pytest.mark.parametrize("jitter", [0.0, 0.12])
def test_jitter_is_no_gap(jitter: float):
    chance = random.Random(1)
    times = {n: round((n + chance.uniform(-jitter, jitter)) * STEP) for n in range(1, 500)}
    arriving = [Point(name, time, float(n)) for n, time in times.items() for name in ("sin", "cos")]
    samples, _ = assemble(arriving)
    assert len(samples) == 499 and not flagged_times(samples)


def test_the_rate_may_change():
    slower = [p._replace(timestamp=30 * STEP + (p.timestamp - 30 * STEP) * 4) for p in points(range(30, 120))]
    samples, _ = assemble([*points(range(30)), *slower], lateness=10, max_gap=1)
    assert len(samples) == 120
    assert samples[-1].timestamp - samples[-2].timestamp == 4 * STEP and not flagged_times(samples[60:])


@pytest.mark.parametrize("gaps", [[0.34], [0.6], [1.0] * 40 + [2.0] * 40, [1.0] * 40 + [50.0] + [2.0] * 40])
def test_what_is_filled_in_does_not_confirm_the_distance_that_it_was_filled_in_at(gaps: list[float]):
    """Be it that the first distance was short, or that the rate has halved."""
    distances = [*gaps, *[max(1.0, gaps[-1])] * 300]
    times = [10**9 + round(sum(distances[:n]) * STEP) for n in range(len(distances))]
    arriving = [Point(name, time, float(n)) for n, time in enumerate(times) for name in ("sin", "cos")]
    samples, _ = assemble(arriving, lateness=10, max_gap=2)
    assert len(times) <= len(samples) <= len(times) + 25
    assert [s.timestamp for s in samples[-250:]] == times[-250:]


def test_a_late_and_a_repeated_point_are_counted_and_dropped():
    arriving = points(range(10))
    waiting = Point("sin", 11 * STEP, 7.0)
    _, assembler = assemble([*arriving, arriving[0], arriving[-1], waiting, waiting._replace(value=8.0)])
    assert assembler.losses.total() == 3 and {kind for kind, _ in assembler.losses} == {LATE}
    assert [s.values[0] for s in assembler.add(Point("cos", 11 * STEP, 0.0))] == [7.0]


def test_a_publisher_whose_clock_went_back_is_followed_after_the_lateness():
    before, after = points(range(50), start=10**9), points(range(50), start=STEP)
    samples, _ = assemble(before + after)
    resumed = samples[50:]
    assert [s.timestamp // STEP for s in resumed] == list(range(12, 51))
    assert flagged_times(samples) == [12 * STEP]


def test_a_point_from_the_future_costs_the_samples_of_the_lateness_at_most():
    strange = Point("sin", 10**13, 0.0)
    samples, _ = assemble([*points(range(50)), strange, *points(range(50, 150))])
    assert len(samples) > 135 and samples[-1] == Sample(STEP * 150, (149.0, 1149.0), samples[-1].after_gap)


def test_a_stream_that_stops_is_told_apart():
    arriving = [p for p in points(range(100)) if p.name == "sin" or p.timestamp < 50 * STEP]
    samples, assembler = assemble(arriving)
    assert len(samples) == 49
    assert assembler.losses[MISSING, "sin"] == 0 and assembler.losses[MISSING, "cos"] == assembler.dropped > 30


def test_an_unknown_stream_is_an_error_of_the_caller():
    with pytest.raises(KeyError):
        SampleAssembler(("sin",), 1.0).add(Point("cos", 1, 0.0))
