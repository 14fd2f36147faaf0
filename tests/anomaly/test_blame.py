import numpy as np
import pytest

from anomaly.blame import blame
from anomaly.detector import Detector, train
from anomaly.windows import Window

TYPICAL = [1.0, 1.0, 10.0]


def test_the_stream_whose_repair_leaves_the_least_is_to_blame():
    """Its own error need not be the highest."""
    repaired = [[9, 9, 90], [1, 2, 10], [8, 8, 80]]
    found = blame([20, 10, 100], repaired, TYPICAL)
    assert found is not None and found.column == 1
    assert found.share == pytest.approx(1 - 4 / 40)


@pytest.mark.parametrize(
    "repaired",
    [
        [[2, 2, 0], [2, 2, 0], [20, 20, 0]],  # two repairs do equally well
        [[1, 1, 0], [7, 7, 0], [20, 20, 0]],  # a second one takes two thirds of the error away
        [[17, 17, 0], [40, 40, 0], [40, 40, 0]],  # none takes a fifth of the error away
        [[np.nan, 2, 0], [20, 20, 0], [20, 20, 0]],
    ],
)
def test_no_stream_is_blamed_without_being_clearly_the_one(repaired: list[list[float]]):
    assert blame([20, 20, 0], repaired, TYPICAL) is None


def test_of_two_streams_neither_can_be_outvoted():
    """What is clear among three is not between two."""
    assert blame([20, 20], [[1, 1], [10, 10]], [1, 1]) is None
    assert blame([20, 20, 0], [[1, 1, 0], [10, 10, 0], [20, 20, 0]], [1, 1, 1]) is not None


@pytest.mark.timeout(120)
@pytest.mark.parametrize("n_streams", [4])
def test_a_trained_model_names_the_stream_that_breaks_away(n_streams: int):
    phases = np.outer(np.arange(2000), [0.05] * n_streams) + np.arange(n_streams)
    streams = [f"stream {n}" for n in range(n_streams)]
    values = np.lib.stride_tricks.sliding_window_view(np.sin(phases), 20, axis=0).transpose(0, 2, 1)
    model, metadata = train(values.astype(np.float32), streams, epochs=3)
    named = []
    for culprit in range(n_streams):
        detector = Detector(model, metadata, stride=1, margin=2.5)
        broken = phases[:400].copy()
        broken[200:, culprit] += 0.3
        cut = np.lib.stride_tricks.sliding_window_view(np.sin(broken), 20, axis=0).transpose(0, 2, 1)
        findings = detector.examine([Window(n + 20, n, v.astype(np.float32), False) for n, v in enumerate(cut)])
        first = next(f for f in findings if f.verdict and f.verdict.alarm)
        assert first.verdict is not None and first.verdict.changed and 200 < first.window.number <= 205
        assert first.blame is not None
        named.append(first.blame.column)
    assert named == list(range(n_streams))
