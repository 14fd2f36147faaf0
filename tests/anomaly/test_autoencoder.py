import json

import keras
import numpy as np
import pytest

from anomaly.autoencoder import FEW, MANY, Scorer, build, fit
from benchmarks.separation import NORMAL, TRAINING, ours, separation, windows


@pytest.fixture(scope="module")
def trained():
    model = build(20, 2, seed=1)
    return model, fit(model, TRAINING, epochs=3, seed=1, verbose=0)


@pytest.mark.timeout(180)
@pytest.mark.parametrize("seed", [3, 11])
def test_an_anomaly_stands_out_from_every_normal_window(seed):
    model, loss = ours(seed)
    normal, anomaly = separation(model)
    assert np.isfinite([loss, normal, anomaly]).all()
    assert anomaly / normal >= 500


@pytest.mark.parametrize("n_streams", [1, 4, 64])
def test_any_number_of_streams(n_streams):
    random = np.random.default_rng(n_streams)
    phases = random.uniform(0, 6, n_streams) + np.outer(np.arange(300), random.uniform(0.05, 0.2, n_streams))
    x = np.lib.stride_tricks.sliding_window_view(np.sin(phases), 20, axis=0).transpose(0, 2, 1)
    model = build(20, n_streams)
    first, *_, last = fit(model, x, epochs=4, verbose=0)
    assert last < first / 2
    assert model(x[:3].astype(np.float32)).shape == (3, 20, n_streams)
    mse, per_stream = Scorer(model).score(x)
    assert mse.shape == (281,) and per_stream.shape == (281, n_streams)
    np.testing.assert_allclose(mse, per_stream.mean(axis=1))
    _, errors, rebuilt = Scorer(model).rebuilt(x)
    np.testing.assert_allclose(rebuilt, model.predict(x, verbose=0), atol=1e-5)
    spread = model.get_layer("normalise").variance.numpy() ** 0.5
    np.testing.assert_allclose(np.square((x - rebuilt) / spread).mean(axis=1), errors, rtol=0.01, atol=1e-6)


def test_the_same_seed_gives_the_same_model():
    def train(seed):
        x = TRAINING[:200, :8]
        model = build(8, 2, seed)
        return fit(model, x, epochs=1, seed=seed), model.get_weights()

    losses, weights = train(5)
    again, same = train(5)
    assert losses == again
    for one, other in zip(weights, same, strict=True):
        np.testing.assert_array_equal(one, other)
    assert any((one != other).any() for one, other in zip(weights, build(8, 2, 6).get_weights(), strict=True))


def test_the_loss_falls_and_is_the_error_of_the_normalised_windows(trained):
    model, losses = trained
    assert losses == sorted(losses, reverse=True)
    # An epoch's loss is the mean over its steps, between which the error falls.
    assert 0.5 < losses[-1] / Scorer(model).score(TRAINING)[0].mean() < 4


def test_the_reconstruction_is_in_the_streams_own_units(trained):
    model, _losses = trained
    reconstruction = model.predict(TRAINING, verbose=0)
    assert reconstruction.dtype == np.float32
    std = TRAINING.std(axis=(0, 1), dtype=np.float64)
    expected = np.mean(((TRAINING - reconstruction) / std) ** 2, axis=1)
    mse, per_stream = Scorer(model).score(TRAINING)
    assert mse.dtype == per_stream.dtype == np.float64
    np.testing.assert_allclose(per_stream, expected, rtol=1e-3, atol=1e-7)
    np.testing.assert_allclose(mse, expected.mean(axis=1), rtol=1e-3, atol=1e-7)


def test_scale_and_offset_do_not_matter():
    scale, offset = np.array([3, 1e-3]), np.array([1e6, 5e-3])
    model = build(20, 2)
    fit(model, TRAINING * scale + offset, epochs=5, verbose=0)
    scorer = Scorer(model)
    normal = scorer.score(NORMAL * scale + offset)[1]
    # float32 resolves 1e6 to 0.06, a fiftieth of the standard deviation here: no model can do better.
    assert normal.max() < 0.02
    for stream in (0, 1):
        frozen = (NORMAL * scale + offset)[::20].copy()
        frozen[:, :, stream] = frozen[:, :1, stream]
        assert np.median(scorer.score(frozen)[1][:, stream]) > 5 * normal[:, stream].max()
    # In the streams' own units, to what float32 resolves there.
    error = np.abs(model.predict(TRAINING * scale + offset, verbose=0) - (TRAINING * scale + offset))
    assert (error.max(axis=(0, 1)) < [1, 5e-4]).all()


def test_a_constant_stream_is_scored_in_its_own_unit():
    constants = np.array([0.0, 0.1, -1e6, 1e-5])
    x = np.concatenate([TRAINING[:300, :8, :1], np.broadcast_to(constants, (300, 8, 4))], axis=2)
    model = build(8, 5)
    losses = fit(model, x, epochs=2, verbose=0)
    assert np.isfinite(losses).all() and np.isfinite(model.predict(x, verbose=0)).all()
    scorer = Scorer(model)
    assert scorer.score(x)[1][:, 1:].max() < 0.3
    assert scorer.score(x + np.array([0, 3, 3, 3, 3]))[1][:, 1:].min() > 1


@pytest.mark.parametrize("alike", [True, False])
def test_scoring_does_not_depend_on_the_batch(trained, alike: bool):
    """To the last bit, also where the error is as small as float32 resolves, or huge."""
    scorer = Scorer(trained[0])
    if not alike:
        scorer.__dict__["_many_are_alike"] = False
    many = np.concatenate([TRAINING, np.float32(1e6) * TRAINING, np.zeros_like(TRAINING)])
    at_once = Scorer(trained[0]).rebuilt(many)
    assert len(at_once[0]) == len(many) > 2 * MANY
    for size in (0, 1, 2, 7, FEW, FEW + 1, 3 * FEW + 1, MANY + 1):
        for start in (0, 1, len(TRAINING) - 3):
            some = many[start : start + size]
            for one, other in zip(scorer.rebuilt(some.tolist() if size == 7 else some), at_once, strict=True):
                np.testing.assert_array_equal(one, other[start : start + size])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_what_is_not_finite_has_a_score_that_is_not(trained, value):
    x = TRAINING[:3].astype(np.float64)
    x[1, 4, 0] = value
    mse, _per_stream = Scorer(trained[0]).score(x)
    assert np.isfinite(mse).tolist() == [True, False, True]


def test_a_drift_is_followed_and_far_away_the_score_stays_sober(trained):
    """No bounded output: windows three times as large as in training are rebuilt badly, not absurdly."""
    mse, _per_stream = Scorer(trained[0]).score(TRAINING * 3)
    assert mse.max() < 20


@pytest.mark.parametrize("shape", [(20, 2), (1, 20, 3), (1, 19, 2), (1, 1, 20, 2)])
def test_windows_of_another_shape_are_refused(trained, shape):
    for use in (Scorer(trained[0]).score, lambda x: fit(trained[0], x)):
        with pytest.raises(ValueError, match=r"shape \(n, 20, 2\) expected"):
            use(np.zeros(shape))


@pytest.mark.parametrize("x", [np.zeros((0, 20, 2)), np.full((3, 20, 2), np.nan), np.full((3, 20, 2), 1e39)])
def test_training_needs_finite_windows(x):
    with pytest.raises(ValueError, match="finite"):
        fit(build(20, 2), x)


def test_the_architecture_is_stock_keras_and_the_same_for_every_training(trained):
    fresh = build(20, 2, seed=9)
    assert trained[0].to_json() == fresh.to_json()
    layers = json.loads(fresh.to_json())["config"]["layers"]
    assert {layer["module"] for layer in layers} == {"keras.layers"}
    assert "Lambda" not in {layer["class_name"] for layer in layers}


def test_a_model_of_other_tools_is_scored_in_the_units_it_works_in():
    model = keras.Sequential([keras.Input((5, 2)), keras.layers.Dense(2, kernel_initializer="zeros")])
    x = np.full((4, 5, 2), [2, 4])
    mse, per_stream = Scorer(model).score(x)
    assert mse.tolist() == [10] * 4 and per_stream.tolist() == [[4, 16]] * 4


def test_a_keras_bar_shows_the_loss(capfd):
    fit(build(3, 2), windows(100)[:, :3], epochs=2, verbose=2)
    assert capfd.readouterr().out.count("loss:") == 2
