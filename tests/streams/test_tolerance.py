"""Streams of one rhythm are put together, whatever the distance of their timestamps; others are not."""

import random

import pytest

from streams.points import Point
from streams.samples import SampleAssembler
from streams.tolerance import learn_tolerance

SAMPLES = 600
LEARNED_FROM = 42  # points, as the reader takes


def arriving(
    rate: float, apart: float, *, jitter: float = 0.0, lost: float = 0.0, half: bool = False, seed: int = 0
) -> list[Point]:
    """Points of streams a and b whose values tell their sample; b is `apart` seconds later.

    `jitter`: standard deviation of the distances between samples, as a part of the period; b's distance from a
    varies by a tenth. `half`: b has only every second point.
    """
    dice = random.Random(seed)
    points, time = [], 1_700_000_000.0
    for sample in range(SAMPLES):
        later = apart * dice.uniform(0.9, 1.1)
        if dice.random() >= lost:
            points.append(Point("a", round(time * 1e6), float(sample)))
        if dice.random() >= lost and not (half and sample % 2):
            points.append(Point("b", round((time + later) * 1e6), float(sample)))
        time += max(dice.gauss(1, jitter), 0.7) / rate
    return points


def assembled(points: list[Point]) -> list[tuple[float, ...]]:
    tolerance = learn_tolerance(points[:LEARNED_FROM])
    assert tolerance is not None
    assembler = SampleAssembler(("a", "b"), lateness=1.0, max_gap=2, tolerance=tolerance / 1e6)
    return [s.values for point in points for s in assembler.add(point)] + [s.values for s in assembler.rest()]


CASES = [
    *((10, apart) for apart in (50e-6, 100e-6, 500e-6, 2000e-6, 0.03)),
    *((1000, apart) for apart in (50e-6, 100e-6, 300e-6)),
]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("jitter", [0.0, 0.05])
@pytest.mark.parametrize(("rate", "apart"), CASES)
def test_points_of_a_sample_are_put_together(rate: float, apart: float, jitter: float, seed: int):
    values = assembled(arriving(rate, apart, jitter=jitter, seed=seed))
    assert values == [(float(n), float(n)) for n in range(SAMPLES)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("rate", "apart"), CASES)
def test_lost_points_are_interpolated_and_shift_nothing(rate: float, apart: float, seed: int):
    values = assembled(arriving(rate, apart, jitter=0.02, lost=0.03, seed=seed))
    assert len(values) > 0.98 * SAMPLES
    assert max(abs(b - a) for a, b in values) < rate * apart + 0.1  # interpolated at the time of the one that came


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("rate", "apart"), CASES)
def test_a_stream_at_half_the_rate(rate: float, apart: float, seed: int):
    values = assembled(arriving(rate, apart, jitter=0.02, half=True, seed=seed))
    assert len(values) > 0.98 * SAMPLES
    assert max(abs(b - a) for a, b in values) < 0.1


@pytest.mark.parametrize("rate", [10, 1000])
def test_streams_with_the_same_times_need_no_tolerance(rate: float):
    for lost in (0.0, 0.1):
        for half in (False, True):
            assert learn_tolerance(arriving(rate, 0.0, jitter=0.05, lost=lost, half=half)[:LEARNED_FROM]) == 0


def test_streams_half_a_period_apart_are_ambiguous():
    assert learn_tolerance(arriving(10, 0.05)[:LEARNED_FROM]) is None


@pytest.mark.parametrize("seed", range(5))
def test_streams_of_another_rhythm(seed: int):
    dice = random.Random(seed)
    period, phase = dice.uniform(1.1, 1.4), dice.random()
    points = [Point("a", round(1e5 * n), 0.0) for n in range(21)]
    points += [Point("b", round(1e5 * (phase + period * n)), 0.0) for n in range(16)]
    assert learn_tolerance(points) is None


def test_one_stream_alone():
    assert learn_tolerance([Point("a", 100 * n, 0.0) for n in range(30)]) == 0
