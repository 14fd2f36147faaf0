import numpy as np
import pytest

from anomaly.detector import BadStream, train


def test_a_stream_that_varies_too_much_for_float32_is_named():
    windows = np.random.default_rng(0).normal(size=(50, 20, 2)).astype(np.float32)
    windows[:, :, 1] *= 1e20
    with pytest.raises(BadStream, match=r"stream density varies by 1e.20, too much for float32"):
        train(windows, ["flow", "density"], epochs=1)
