"""The fused training against plain Keras."""

import keras
import numpy as np
from keras import layers

from anomaly.training import train
from benchmarks.separation import TRAINING


def model() -> keras.Model:
    keras.utils.set_random_seed(7)
    return keras.Sequential(
        [
            keras.Input((20, 2)),
            layers.LSTM(5),
            layers.RepeatVector(20),
            layers.LSTM(6, return_sequences=True),
            layers.Dense(2),
        ]
    )


def test_the_steps_are_those_of_keras():
    """With a batch of all windows their order does not matter."""
    x = np.ascontiguousarray(TRAINING[:200])
    ours, keras_own = model(), model()
    losses = train(ours, keras.optimizers.Adam(0.03), x, epochs=3, batch_size=200, verbose=0)
    keras_own.compile(keras.optimizers.Adam(0.03), loss="mse")
    history = keras_own.fit(x, x, batch_size=200, epochs=3, verbose=0).history["loss"]
    np.testing.assert_allclose(losses, history, rtol=1e-4)
    for a, b in zip(ours.get_weights(), keras_own.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4)
    assert losses[2] < losses[0]


def test_a_last_batch_that_is_smaller_counts_by_its_windows():
    """With steps of no size the loss is the MSE of the model as it is."""
    x = np.ascontiguousarray(TRAINING[:103])
    untouched = model()
    [loss] = train(untouched, keras.optimizers.SGD(0.0), x, epochs=1, batch_size=20, verbose=0)
    assert loss == np.float32(loss) and abs(loss - np.square(untouched.predict(x, verbose=0) - x).mean()) < 1e-5
