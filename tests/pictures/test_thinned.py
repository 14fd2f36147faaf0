import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pictures.thinned import Thinned


@given(st.lists(st.integers(1, 70), min_size=1, max_size=12), st.integers(0, 99))
def test_each_bucket_holds_the_lowest_and_the_highest_however_rows_come(lots: list[int], seed: int):
    n = sum(lots)
    rows = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    times = 1000 + 10 * np.arange(n)
    thinned = Thinned(2, most=8)
    for end, count in zip(np.cumsum(lots), lots, strict=True):
        thinned.add(times[end - count : end].tolist(), rows[end - count : end].tolist())
        if seed % 2:
            thinned.lines()  # at any time
    found_times, values = thinned.lines()
    per = thinned.per
    assert per == 1 or (n > 4 * per and n <= 8 * per)
    buckets = [rows[start : start + per] for start in range(0, n, per)]
    peaks = np.concatenate([[bucket.min(axis=0), bucket.max(axis=0)] for bucket in buckets])
    expected = rows if per == 1 else peaks
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(found_times, np.repeat(times[::per], 1 if per == 1 else 2))


def test_a_peak_of_one_sample_stays_in_a_day():
    thinned = Thinned(1, most=1000)
    values = np.zeros((864_000, 1))
    values[345_678] = 5
    for lot in np.split(values, 864):
        thinned.add([0] * 1000, lot.tolist())
    times, kept = thinned.lines()
    assert kept.max() == 5 and len(times) <= 2000


@pytest.mark.filterwarnings("error")
def test_nothing_and_numbers_that_are_not_finite():
    thinned = Thinned(1, most=2)
    assert len(thinned.lines()[0]) == 0
    thinned.add([1, 2, 3], [[np.nan], [1e300], [1.0]])
    assert thinned.lines()[1].ravel().tolist() == [np.inf, np.inf, 1.0, 1.0]
