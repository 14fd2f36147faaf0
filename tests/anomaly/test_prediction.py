import numpy as np
import pytest

from anomaly.features import Features
from anomaly.prediction import BOTH, FOLDS, OTHERS, OWN, Prediction, learn, shares


def cut(samples: np.ndarray) -> np.ndarray:
    return np.lib.stride_tricks.sliding_window_view(samples.astype(np.float32), 20, axis=0).transpose(0, 2, 1)


def learned(samples: np.ndarray) -> tuple[Features, Prediction]:
    features = Features.learn(cut(samples))
    return features, learn(features(features.normal(cut(samples))), features.n_hinges, 20)


def related(count: int, seed: int = 0) -> np.ndarray:
    """A random walk, what follows it two samples later with noise of 0.1, and noise with a memory of its own."""
    random = np.random.default_rng(seed)
    walk = np.convolve(random.normal(size=count + 2), np.exp(-np.arange(100) / 30), "full")[: count + 2]
    follower = 3 * walk[:-2] + 0.1 * random.normal(size=count)
    memory = 0.0
    own = [memory := 0.9 * memory + 0.1 * each for each in random.normal(size=count)]
    return np.stack([walk[2:], follower, own], axis=1)


def test_residuals_are_what_can_not_be_predicted():
    samples = related(3000)
    features, prediction = learned(samples)
    spread = prediction.held_out.std(axis=0) * features.spread
    assert spread[OTHERS, 1] == pytest.approx(0.1, rel=0.25), "the noise on the follower"
    assert spread[BOTH, 1] == pytest.approx(0.1, rel=0.25)
    assert spread[OWN, 2] == pytest.approx(0.1, rel=0.1), "what is new in a stream with a memory"
    assert spread[OTHERS, 2] == pytest.approx(features.spread[2], rel=0.15), "the others say nothing of it"
    assert spread[BOTH, 2] == pytest.approx(0.1, rel=0.15)


def test_the_weights_give_unseen_windows_residuals_like_those_left_out():
    features, prediction = learned(related(3000))
    unseen = cut(related(3000, seed=1))
    flat = features(features.normal(unseen)).reshape(len(unseen), -1) - prediction.mean
    residuals = np.einsum("wf,fps->wps", flat, prediction.weights)
    np.testing.assert_allclose(residuals.std(axis=0), prediction.held_out.std(axis=0), rtol=0.2)


def test_predictions_from_others_and_of_its_own_leave_out_what_they_say():
    _, prediction = learned(related(1000))
    by_stream = prediction.weights.reshape(3, -1, *prediction.weights.shape[1:])
    own = by_stream[1, :, OTHERS, 1]
    np.testing.assert_allclose(own[-1], 1, rtol=1e-3)
    np.testing.assert_allclose(own[:-1], 0, atol=1e-4)
    assert (by_stream[[0, 2], :, OWN, 1] == 0).all()


def test_shares_say_which_streams_belong_together():
    samples = related(3000)
    features, prediction = learned(samples)
    found = shares(features(features.normal(cut(samples))), prediction)
    explained = 1 - np.square(prediction.held_out[:, OTHERS]).mean(axis=0)
    np.testing.assert_allclose(found.sum(axis=1), np.maximum(explained, 0), atol=1e-5)
    assert found[0, 1] > 0.8 and found[1, 0] > 0.8 and (np.diag(found) == 0).all()
    assert found[2].max() < 0.05 and found[:, 2].max() < 0.05, "the third has nothing to do with them"


def test_a_bent_relation_is_learned_with_hinges():
    random = np.random.default_rng(2)
    walk = np.convolve(random.normal(size=5000), np.exp(-np.arange(100) / 30), "full")[:5000]
    samples = np.stack([walk, np.abs(walk) + 0.05 * random.normal(size=5000)], axis=1)
    features, prediction = learned(samples)
    assert features.n_hinges
    explained = 1 - np.square(prediction.held_out[:, OTHERS, 1]).mean()
    assert explained > 0.8, f"{explained}: a straight line explains nothing of it"


def test_a_part_of_the_training_that_is_unlike_the_rest_is_predicted_badly_when_left_out():
    samples = related(2000)
    tenth = slice(2000 // FOLDS, 2000 // FOLDS + 100)
    samples[tenth, 1] += 5
    _, prediction = learned(samples)
    left_out = np.abs(prediction.held_out[:, OTHERS, 1])
    assert left_out[tenth].mean() > 5 * np.median(left_out)
