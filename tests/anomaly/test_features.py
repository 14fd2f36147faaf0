import numpy as np
import pytest

from anomaly.features import HINGED, Features, segments


def windows(count: int, n_streams: int = 2, seed: int = 0) -> np.ndarray:
    walk = np.cumsum(np.random.default_rng(seed).normal(size=(count + 19, n_streams)), axis=0)
    return np.lib.stride_tricks.sliding_window_view(walk.astype(np.float32), 20, axis=0).transpose(0, 2, 1)


@pytest.mark.parametrize("n_steps", [1, 4, 5, 9, 20, 23, 60])
def test_segments_cover_each_step_once_and_the_newest_alone(n_steps: int):
    matrix = segments(n_steps)
    assert matrix.shape[1] == n_steps and ((matrix > 0).sum(axis=0) == 1).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1, rtol=1e-6)
    assert matrix[-1, -1] == 1


def test_the_last_feature_of_a_stream_is_its_normalised_newest_value():
    training = windows(1000)
    features = Features.learn(training)
    normal = features.normal(training)
    np.testing.assert_array_equal(features(normal)[:, :, -1], normal[:, -1])
    samples = np.concatenate([training[0, :-1], training[:, -1]])
    assert features.mean == pytest.approx(samples.mean(axis=0), rel=1e-4)
    assert features.spread == pytest.approx(samples.std(axis=0), rel=1e-4)


def test_hinges_come_with_enough_windows_and_do_not_extrapolate():
    assert Features.learn(windows(HINGED * 2 - 1)).n_hinges == 0
    features = Features.learn(training := windows(HINGED * 2))
    assert features.n_hinges == 9
    normal = features.normal(training)
    hinges = features(normal)[:, :, :9]
    np.testing.assert_allclose(hinges.std(axis=0), 1, rtol=1e-3)
    far = features(np.full((1, 20, 2), 100, np.float32))[0, :, :9]
    furthest = features(np.broadcast_to(features.high, (1, 20, 2)).astype(np.float32))[0, :, :9]
    np.testing.assert_allclose(far, furthest, rtol=1e-5)


def test_a_constant_stream_keeps_its_unit():
    training = windows(100).copy()
    training[:, :, 1] = 7
    features = Features.learn(training)
    assert features.spread[1] == 1 and features.mean[1] == 7
    assert np.isfinite(features(features.normal(training))).all()
