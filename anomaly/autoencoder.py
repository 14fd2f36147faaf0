"""The model: an LSTM autoencoder that rebuilds windows of parallel streams.

Trained on normal windows only, it rebuilds them well and others badly: a window's score is its reconstruction
error (Malhotra et al., "LSTM-based Encoder-Decoder for Multi-sensor Anomaly Detection", 2016).
Arrays in, arrays out: windows have the shape (n_windows, n_steps, n_streams), the oldest step first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import ArrayLike, NDArray

from anomaly.principal_components import Components
from anomaly.training import fused, train

UNITS = 16  # of the LSTM on either side
CODE = 8  # numbers between the two LSTMs
LARGEST_CODE = 128  # of the linear path: keeps the cost of a window linear in its size
LEAST_SPREAD = 1e-3  # of a principal component, relative to the largest, to count as one
LARGEST_BATCH = 16
STEPS = 30  # training steps in an epoch, at least: fewer windows mean smaller batches, not less training
LEARNING_RATE = 0.03
REPAIRS = 3  # times that a stream is replaced by its reconstruction
FEW, MANY = 16, 256  # windows scored at once


def build(n_steps: int, n_streams: int, seed: int = 0) -> keras.Model:
    """Return an untrained autoencoder for windows of `n_steps` steps of `n_streams` streams.

    The model takes and returns float32 windows of shape (n, n_steps, n_streams) in the streams' own units;
    it normalises inside. Two paths add up to the reconstruction, and neither has a bounded output:

    - an LSTM encoder-decoder sees the window less its mean, the shape of what happens;
    - a linear bottleneck sees the whole window. It learns the linear part of a signal quickly and exactly,
      leaves the rest to the LSTM, and extrapolates when a stream drifts out of the trained range.

    All layers are stock Keras with fixed names: the architecture's JSON is the same for every training.
    `seed` decides the first weights (it seeds Python, NumPy and TensorFlow).
    """
    keras.utils.set_random_seed(seed)
    windows = keras.Input((n_steps, n_streams), name="windows")
    normal = layers.Normalization(name="normalise")(windows)

    mean = layers.GlobalAveragePooling1D(keepdims=True, name="mean")(normal)
    shape = layers.Subtract(name="less_mean")([normal, mean])
    code = layers.LSTM(UNITS, name="encoder")(shape)
    code = layers.Dense(CODE, activation="tanh", name="code")(code)
    code = layers.RepeatVector(n_steps, name="repeat")(code)
    shape = layers.LSTM(UNITS, return_sequences=True, name="decoder")(code)
    # Both paths return zero at first, so that neither has anything to unlearn.
    shape = layers.Dense(n_streams, kernel_initializer="zeros", name="decoded")(shape)

    linear = layers.Flatten(name="flatten")(normal)
    linear = layers.Dense(code_size(n_steps, n_streams), name="linear_code")(linear)
    linear = layers.Dense(n_steps * n_streams, kernel_initializer="zeros", name="linear_decoded")(linear)
    linear = layers.Reshape((n_steps, n_streams), name="unflatten")(linear)

    reconstruction = layers.Add(name="normalised_reconstruction")([shape, linear])
    reconstruction = layers.Normalization(invert=True, name="denormalise")(reconstruction)
    return keras.Model(windows, reconstruction, name="lstm_autoencoder")


def code_size(n_steps: int, n_streams: int) -> int:
    """Return the size of the linear bottleneck.

    Two fifths of the window's numbers: enough for the rhythm of each stream, too few to copy it.
    """
    return min(LARGEST_CODE, max(1, 2 * n_steps * n_streams // 5))


def fit(
    model: keras.Model,
    windows: ArrayLike,
    *,
    epochs: int = 10,
    seed: int = 0,
    verbose: int | str = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> list[float]:
    """Train `model`, as `build` returned it, on normal windows and return each epoch's loss.

    `windows` are real numbers of shape (n, n_steps, n_streams). They give each stream's mean and standard
    deviation, which become part of the model; the loss is the MSE of the normalised windows. A stream that
    never changes keeps its own unit, and so does one that changes by less than float32 resolves. (Standard
    deviations below 1e-7 count as 1e-7: Keras's own bound.)

    Undertraining is what limits the usual recipe (Adam 1e-3): in ten epochs its steps are too small. Hence
    steps thirty times as large, a cosine decay that lets the last ones settle (Loshchilov and Hutter, "SGDR",
    2017) and clipped gradients, because an LSTM's now and then explode (Pascanu et al., "On the difficulty of
    training recurrent neural networks", 2013).

    `seed` decides the order of the windows (it seeds Python, NumPy and TensorFlow). `verbose` and `callbacks` are
    Keras's; the model that callbacks see has the same weights and works in normalised units. The same seeds, windows
    and machine give the same weights. Raises ValueError if there are no windows, or they do not fit the model or are
    not finite.
    """
    x = _as_windows(model.input_shape, windows)
    if not len(x) or not np.isfinite(x).all():
        raise ValueError("training needs at least one window, and finite numbers throughout")
    batch_size = min(LARGEST_BATCH, -(-len(x) // STEPS))

    mean = x.mean(axis=(0, 1), dtype=np.float64)
    variance = x.var(axis=(0, 1), dtype=np.float64)
    variance[variance <= np.square(np.finfo(np.float32).eps * mean)] = 1
    normalise, denormalise = model.get_layer("normalise"), model.get_layer("denormalise")
    for layer in (normalise, denormalise):
        layer.set_weights([mean, variance, np.array(len(x))])
        layer.finalize_state()

    normal = keras.ops.convert_to_numpy(normalise(x))
    # What lies between the two, so that the loss is in normalised units: a model that shares the weights.
    core = keras.Model(normalise.output, denormalise.input)
    _start_at_components(core.get_layer("linear_code"), normal)
    decay = keras.optimizers.schedules.CosineDecay(LEARNING_RATE, epochs * -(-len(x) // batch_size))
    optimizer = keras.optimizers.Adam(decay, clipnorm=1.0)
    keras.utils.set_random_seed(seed)
    return train(core, optimizer, normal, epochs=epochs, batch_size=batch_size, verbose=verbose, callbacks=callbacks)


def _start_at_components(code: layers.Dense, normal: NDArray[np.float32]) -> None:
    """Initialise the linear code to the windows' principal components, each with a standard deviation of one.

    From this code the decoder also learns small variations in a few steps; from a random one, the large rhythms of a
    window hide the small ones from gradient descent (LeCun et al., "Efficient BackProp", 1998).
    """
    flat = normal.reshape(len(normal), -1).astype(np.float64)
    components = Components(flat, code.units)
    kernel = np.zeros((flat.shape[1], code.units))
    spread = components.spread
    largest = spread.max(initial=0)
    if largest > 0:
        # A component that hardly varies is rounding, not rhythm; scaling it up would blow up anomalies along it.
        kernel[:, : len(spread)] = components.basis / np.where(spread >= LEAST_SPREAD * largest, spread, largest)
    code.set_weights([kernel, -components.mean @ kernel])


class Scorer:
    """Scores windows by their reconstruction error. The model must not be trained further afterwards.

    `model` is any Keras model that returns float32 windows of the shape it takes, (n, n_steps, n_streams).

    A window's result is the same, to the last bit, whatever windows are scored with it, though a matrix product's
    rounding depends on the number of rows: a window is always one of FEW, padded with zeros, or of MANY if that makes
    no difference on this machine.
    """

    def __init__(self, model: keras.Model) -> None:
        self._shape: tuple[int | None, ...] = model.input_shape  # looked up once: it is slow in Keras
        normalise, rebuild, denormalise = _parts(model)
        self._denormalise = denormalise

        def score(windows: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
            x = normalise(windows)
            rebuilt = rebuild(x)
            return x, rebuilt, denormalise(rebuilt)

        def repair(window: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            n_streams = self._shape[2]
            copies = tf.repeat(normalise(window), n_streams, axis=0)
            own = tf.cast(tf.eye(n_streams), tf.bool)[:, None]
            for _ in range(REPAIRS):
                copies = tf.where(own, rebuild(copies), copies)
            return copies, rebuild(copies)

        # Traced now and once, the first for any number of windows: calling a concrete function skips the search for
        # a matching signature, which takes as long as scoring a window.
        windows = tf.TensorSpec(self._shape, tf.float32)
        self._score = tf.function(score, input_signature=[windows]).get_concrete_function()
        self._repair = tf.function(repair, input_signature=[tf.TensorSpec((1, *self._shape[1:]), tf.float32)])

    def score(self, windows: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the MSE of each window, shape (n,), and of each of its streams, shape (n, n_streams).

        Errors are in units of each stream's standard deviation in training, so that no stream drowns
        another: mean(((x - reconstruction) / std)²), from inside the model, before float32 has to carry the
        offset again. A model without the two `Normalization` layers is scored in the units it works in.
        Windows that are not finite have a score that is not finite. Raises ValueError if the windows' shape
        is not the model's.
        """
        return self.rebuilt(windows)[:2]

    def rebuilt(self, windows: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        """Return what `score` returns, and the reconstructions, in the streams' own units, of the windows' shape."""
        x = _as_windows(self._shape, windows)
        scored = [self._score(tf.constant(chunk)) for chunk in self._chunks(x)]
        normal, rebuilt, in_units = (np.concatenate(part)[: len(x)] for part in zip(*scored, strict=True))
        per_stream = _errors(normal, rebuilt)
        return per_stream.mean(axis=1), per_stream, in_units

    def _chunks(self, windows: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
        """Yield the windows in chunks of FEW or MANY, at least one; the last is padded with zeros."""
        start = 0
        while start < max(1, len(windows)):
            size = MANY if len(windows) - start > 3 * FEW and self._many_are_alike else FEW
            chunk = windows[start : start + size]
            yield np.concatenate([chunk, np.zeros((size - len(chunk), *chunk.shape[1:]), np.float32)])
            start += size

    @cached_property
    def _many_are_alike(self) -> bool:
        """Whether MANY windows at once give the same bits as FEW at a time; tried with random ones."""
        windows = self._denormalise(tf.random.stateless_normal((MANY, *self._shape[1:]), seed=(0, 0)))
        few = [self._score(windows[start : start + FEW]) for start in range(0, MANY, FEW)]
        alike = zip(self._score(windows), zip(*few, strict=True), strict=True)
        return all(np.array_equal(at_once, np.concatenate(parts)) for at_once, parts in alike)

    def repaired(self, window: ArrayLike) -> NDArray[np.float64]:
        """Return, for each stream, the errors that are left when it is replaced by its reconstruction.

        `window` has the shape (n_steps, n_streams). Row i, column j of the result, shape (n_streams, n_streams), is
        the error of stream j, as in `score`, once stream i is repaired. If only stream i was wrong, the others are
        then rebuilt well.
        """
        copies, rebuilt = self._repair(_as_windows(self._shape, np.asarray(window)[None]))
        return _errors(copies.numpy(), rebuilt.numpy())


def _errors(x: NDArray[np.float32], rebuilt: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the mean squares of x - rebuilt over the steps, shape (n, n_streams).

    Not with TensorFlow, where the order of a sum's terms depends on where in memory they are.
    """
    with np.errstate(invalid="ignore"):  # infinite - infinite
        squares = np.square(np.subtract(x, rebuilt, dtype=np.float64))  # float64: none overflows
    errors: NDArray[np.float64] = squares.mean(axis=1)
    return errors


def _as_windows(shape: tuple[int | None, ...], windows: ArrayLike) -> NDArray[np.float32]:
    with np.errstate(over="ignore"):  # what float32 cannot hold becomes infinite, and so does its score
        x = np.asarray(windows, np.float32)
    if x.ndim != 3 or x.shape[1:] != shape[1:]:
        raise ValueError(f"windows of shape (n, {shape[1]}, {shape[2]}) expected, not {x.shape}")
    return x


def _parts(model: keras.Model) -> tuple[keras.Model, keras.Model, Callable[[tf.Tensor], tf.Tensor]]:
    """Return what normalises windows, what rebuilds them in normalised units, and what takes them out of these."""
    found = [layer for layer in model.layers if isinstance(layer, layers.Normalization)]
    if [layer.invert for layer in found] == [False, True]:
        normalise, core = keras.Model(model.inputs, found[0].output), keras.Model(found[0].output, found[1].input)
        return normalise, fused(core), found[1]
    return keras.Model(model.inputs, model.inputs), model, tf.identity
