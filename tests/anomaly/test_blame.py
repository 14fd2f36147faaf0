import numpy as np
import pytest

from anomaly.blame import blame

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
