import numpy as np
import pytest

from anomaly.averages import BLOCK, smoothed


@pytest.mark.parametrize("weight", [0.003, 0.1, 1.0])
@pytest.mark.parametrize("count", [1, 2, BLOCK, BLOCK + 1, 3 * BLOCK + 7])
@pytest.mark.parametrize("shape", [(), (3,), (2, 4)])
def test_blocks_give_what_one_value_after_the_other_gives(weight: float, count: int, shape: tuple[int, ...]):
    random = np.random.default_rng(0)
    values, average = random.normal(size=(count, *shape)), random.normal(size=shape)
    start, expected = average, []
    for value in values:
        average = average + weight * (value - average)
        expected.append(average)
    np.testing.assert_allclose(smoothed(values, weight, start), expected, atol=1e-12)
