"""Trains an autoencoder with each epoch as one compiled graph, several times as fast as Keras's own `fit`.

Two things make it fast, and neither changes the mathematics: an epoch is one call into TensorFlow instead of one per
batch, and on a CPU an LSTM is one operation instead of a loop of many small ones per time step.
"""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf
from keras import layers
from numpy.typing import NDArray


def train(
    model: keras.Model,
    optimizer: keras.Optimizer,
    windows: NDArray[np.float32],
    *,
    epochs: int,
    batch_size: int,
    seed: int,
    verbose: int | str,
) -> list[float]:
    """Train `model` to reproduce `windows`, and return each epoch's MSE.

    `windows` are finite and have the shape that the model takes. `seed` decides their order in each epoch; `verbose`
    is that of Keras's `fit`. The model must not have layers that draw random numbers or keep a state.
    """
    twin = fused(model)
    optimizer.build(twin.trainable_variables)
    run_epoch = _epoch(twin, optimizer, tf.constant(windows), batch_size)
    shuffle = np.random.default_rng(seed).permutation
    batches = -(-len(windows) // batch_size)
    progress = keras.callbacks.CallbackList(
        add_progbar=verbose != 0, model=twin, epochs=epochs, steps=batches, verbose=verbose
    )
    losses = []
    for epoch in range(epochs):
        progress.on_epoch_begin(epoch)
        losses.append(float(run_epoch(tf.constant(shuffle(len(windows))))))
        progress.on_epoch_end(epoch, {"loss": losses[-1]})
    model.set_weights(twin.get_weights())
    return losses


def fused(model: keras.Model) -> keras.Model:
    """Return a copy of `model` that computes the same, on a CPU several times as fast if it has LSTMs."""
    kind = None if tf.config.list_physical_devices("GPU") else _fused
    twin = keras.models.clone_model(model, clone_function=kind)
    twin.set_weights(model.get_weights())
    return twin


def _epoch(
    model: keras.Model, optimizer: keras.Optimizer, windows: tf.Tensor, batch_size: int
) -> tf.types.experimental.PolymorphicFunction:
    """Return a function that trains on all windows once, in the given order, and returns the MSE."""
    variables = model.trainable_variables

    def epoch(order: tf.Tensor) -> tf.Tensor:
        squares = tf.constant(0.0)
        for start in tf.range(0, len(windows), batch_size):
            batch = tf.gather(windows, order[start : start + batch_size])
            with tf.GradientTape() as tape:
                loss = tf.reduce_mean(tf.square(model(batch, training=True) - batch))
            optimizer.apply(tape.gradient(loss, variables), variables)
            squares += loss * tf.cast(tf.shape(batch)[0], tf.float32)
        return squares / len(windows)

    return tf.function(epoch)


_USUAL = {
    "activation": "tanh",
    "recurrent_activation": "sigmoid",
    "use_bias": True,
    "return_state": False,
    "go_backwards": False,
    "stateful": False,
}  # the configuration that the fused operation implements


class _FusedLSTM(layers.LSTM):  # type: ignore[misc]  # Keras has no types
    """Keras's LSTM, with the same weights, as one operation for all time steps.

    The operation implements Graves's LSTM ("Generating Sequences With Recurrent Neural Networks", 2013); without
    peepholes, cell clipping and forget bias, that is Keras's default LSTM. (Its successor, BlockLSTMV2, orders the
    gates differently in the forward pass and in the gradient, up to TensorFlow 2.21 at least.)
    """

    def call(
        self, sequences: tf.Tensor, initial_state: None = None, mask: None = None, training: bool = False
    ) -> tf.Tensor:
        if mask is not None:
            return super().call(sequences, initial_state, mask, training)

        def reordered(weights: tf.Tensor) -> tf.Tensor:
            input_gate, forget_gate, cell, output_gate = tf.split(weights, 4, axis=-1)
            return tf.concat([input_gate, cell, forget_gate, output_gate], axis=-1)

        state = tf.zeros([tf.shape(sequences)[0], self.units])
        no_peephole = tf.zeros([self.units])
        weights = tf.concat([self.cell.kernel, self.cell.recurrent_kernel], axis=0)
        hidden = tf.raw_ops.BlockLSTM(
            seq_len_max=tf.shape(sequences, tf.int64)[1], x=tf.transpose(sequences, [1, 0, 2]),
            cs_prev=state, h_prev=state, w=reordered(weights), b=reordered(tf.convert_to_tensor(self.cell.bias)),
            wci=no_peephole, wcf=no_peephole, wco=no_peephole,
            forget_bias=0.0, cell_clip=-1.0, use_peephole=False,
        ).h  # fmt: skip
        return tf.transpose(hidden, [1, 0, 2]) if self.return_sequences else hidden[-1]


def _fused(layer: keras.Layer) -> keras.Layer:
    """Return a copy of `layer`; an LSTM that the operation implements becomes a fused one."""
    config = layer.get_config()
    can_be = type(layer) is layers.LSTM and all(config[key] == value for key, value in _USUAL.items())
    return (_FusedLSTM if can_be else type(layer)).from_config(config)
