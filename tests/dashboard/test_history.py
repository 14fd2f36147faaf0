import numpy as np
import pytest

from dashboard.history import CAPACITY, Series, thin


def series(values: np.ndarray, span: float = 1e12, lot: int = 37) -> Series:
    """Return a series of values a millisecond apart, added in lots."""
    made = Series(span)
    times = np.arange(len(values), dtype=float)
    for start in range(0, len(values), lot):
        made.extend(times[start : start + lot], values[start : start + lot])
    return made


def test_thinning_keeps_the_extremes_of_each_block_in_order_of_time():
    times, values = thin(np.arange(8.0), np.array([1, 5, 2, 3, 9, 8, 7, 6.0]), 4)
    assert times.tolist() == [0, 1, 4, 7] and values.tolist() == [1, 5, 9, 6]
    times, values = thin(np.arange(5.0), np.array([1, 5, 2, 3, 9.0]), 4)
    assert times.tolist() == [0, 1, 4, 4] and values.tolist() == [1, 5, 9, 9]
    assert [len(part) for part in thin(np.empty(0), np.empty(0), 4)] == [0, 0]


@pytest.mark.parametrize("peak", [0, 1, 40_000, 99_998, 99_999])
def test_a_peak_is_never_lost(peak: int):
    values = np.sin(np.arange(100_000) / 50)
    values[peak] = 7
    times, shown = series(values).between(0, np.inf, 500)
    assert len(times) < 700 and (np.diff(times) >= 0).all()
    assert times[shown.argmax()] == peak and shown.max() == 7


def test_the_latest_points_are_shown_as_they_are():
    values = np.random.default_rng(0).normal(size=50_000)
    times, shown = series(values).between(49_500, np.inf, 800)
    assert times.tolist() == list(range(49_499, 50_000))
    np.testing.assert_array_equal(shown, values[49_499:])


def test_memory_is_bounded_by_the_span():
    made = series(np.zeros(1_000_000), span=100_000, lot=1000)
    assert len(made._levels) <= 5 and all(level.points.shape[1] <= 2 * CAPACITY for level in made._levels)
    assert made.between(0, np.inf, 500)[0][0] <= 900_000, "what lies within the span is remembered"


def test_points_that_are_late_or_come_twice_are_ignored():
    made = Series(1e9)
    made.extend(np.array([1.0, 3.0, 2.0, 3.0, 4.0]), np.arange(5.0))
    made.extend(np.array([4.0, 0.0, 5.0]), np.arange(5.0, 8))
    times, values = made.between(0, np.inf, 100)
    assert times.tolist() == [1, 3, 4, 5] and values.tolist() == [0, 1, 4, 7]


def test_the_picture_does_not_flicker():
    """What has been shown is shown again in the same way when more has come."""
    values = np.random.default_rng(0).normal(size=6000)
    before, after = (series(values[:count]).between(0, np.inf, 400)[0] for count in (4000, 4010))
    assert set(before[:-10].tolist()) <= set(after.tolist())
