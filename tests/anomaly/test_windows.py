from collections.abc import Collection

import numpy as np
import pytest

from anomaly.windows import NoWindow, WindowBuilder, cut, sliding
from streams.samples import Sample


def samples(count: int, after_gap: Collection[int] = ()) -> list[Sample]:
    """Samples 1, 2, ... whose values and times tell their number."""
    return [Sample(1000 * n, (float(n), -float(n)), n in after_gap) for n in range(1, count + 1)]


@pytest.mark.parametrize(("stride", "last"), [(1, [5, 6, 7, 8, 9, 10, 11, 12]), (5, [5, 10]), (7, [5, 12])])
def test_windows_follow_each_other_by_the_stride(stride: int, last: list[int]):
    builder = WindowBuilder(5, stride)
    built = [w for s in samples(12) if (w := builder.add(s))]
    assert [w.number for w in built] == last
    for window in built:
        assert window.values.dtype == np.float32 and window.values.shape == (5, 2)
        assert window.values[:, 0].tolist() == list(range(window.number - 4, window.number + 1))
        assert window.timestamp == window.number * 1000 and not window.after_gap


@pytest.mark.parametrize("stride", [1, 5, 7])
@pytest.mark.parametrize("gap", range(2, 22))
def test_no_window_spans_a_gap(stride: int, gap: int):
    builder = WindowBuilder(5, stride)
    built = [w for s in samples(40, {gap}) if (w := builder.add(s))]
    assert not any(w.number - 4 < gap <= w.number for w in built)
    after = [w for w in built if w.number >= gap]
    assert after[0].number == gap + 4, "the first window begins with the sample after the gap"
    assert [w.after_gap for w in after] == [True] + [False] * (len(after) - 1)
    assert builder.gaps == 1


def test_training_windows_are_all_sliding_windows_without_a_gap():
    values, gaps = sliding(samples(50, {31}), 20)
    assert values.shape == (12, 20, 2) and values.dtype == np.float32 and gaps == 1
    with pytest.raises(NoWindow, match="the samples, with 0 gaps, hold no 20 in a row; train on more"):
        sliding(samples(5), 20)


def test_all_windows_of_a_lot_come_at_once():
    everything = samples(30)
    lots = [everything[:4], *([sample] for sample in everything[4:7]), everything[7:]]
    assert [[window.number for window in windows] for windows in cut(lots, 5, 1)] == [
        [5], [6], [7], list(range(8, 31))
    ]  # fmt: skip


def test_samples_that_are_too_irregular_for_a_window_are_logged(caplog: pytest.LogCaptureFixture):
    everything = samples(400, set(range(41, 300, 2)))
    numbers = [window.number for windows in cut(([sample] for sample in everything), 20, 1) for window in windows]
    assert numbers == [*range(20, 41), *range(318, 401)]
    assert caplog.messages[0].startswith("no 20 samples in a row without a gap: stop a second publisher")


def test_data_that_end_without_a_window_are_an_error():
    with pytest.raises(NoWindow, match="the data ended without 20 samples in a row"):
        list(cut([samples(19)], 20, 1))
