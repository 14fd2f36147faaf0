"""How far anomalous windows stand out from normal ones: `python -m benchmarks.separation [--seeds 20]`.

Two streams, sin(phase 1) and cos(phase 2), both phases growing by 0.05 a sample; in the anomaly phase 2 grows
by 0.1. Each seed trains a model on 2000 samples. Its separation is

    lowest MSE of any window wholly inside the anomaly ÷ highest MSE of any normal window,

the training windows included, over start phases all round the circle, so that anomalies of more than a full
beat begin at any point of the rhythm. Above 1 there is a threshold without a single error.

For comparison the usual design of many tutorials and its usual training: ReLU, Adam 1e-3, batches of 64.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from anomaly.autoencoder import Scorer, build, fit

N_STEPS = 20
STEP = 0.05  # growth of a phase a sample
BEAT = round(2 * np.pi / STEP)  # samples until two phases, one at double speed, meet again

Windows = NDArray[np.float32]


class Result(NamedTuple):
    """What one seed reached; MSEs are in normalised units."""

    loss: float
    normal: float
    anomaly: float
    separation: float
    seconds: float


def windows(n_samples: int, start: float = 0.0, growth: float = STEP) -> Windows:
    """Return all windows of sin and cos, both from phase `start`, where the cosine's phase grows by `growth`.

    The shape is (n_samples - N_STEPS + 1, N_STEPS, 2).
    """
    steps = np.arange(n_samples)
    streams = np.stack([np.sin(start + STEP * steps), np.cos(start + growth * steps)])
    return np.lib.stride_tricks.sliding_window_view(streams, N_STEPS, axis=1).transpose(1, 2, 0).astype("f4")


TRAINING = windows(2000)
STARTS = [2 * np.pi * k / 24 + STEP / 3 for k in range(24)]  # never the training's own samples
NORMAL = np.concatenate([TRAINING, *(windows(2 * BEAT, start) for start in STARTS)])
ANOMALY = np.concatenate([windows(2 * BEAT, start, 2 * STEP) for start in STARTS])


def separation(model: keras.Model) -> tuple[float, float]:
    """Return the highest MSE of a normal window and the lowest of a window inside the anomaly."""
    scorer = Scorer(model)
    return float(scorer.score(NORMAL)[0].max()), float(scorer.score(ANOMALY)[0].min())


def ours(seed: int) -> tuple[keras.Model, float]:
    """Train the model of `anomaly.autoencoder` and return it with its final loss."""
    model = build(N_STEPS, 2, seed)
    return model, fit(model, TRAINING, seed=seed, verbose=0)[-1]


def usual(seed: int) -> tuple[keras.Model, float]:
    """Train the usual design, on the streams as they are, and return it with its final loss."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((N_STEPS, 2)),
            layers.LSTM(32, activation="relu", return_sequences=True),
            layers.LSTM(16, activation="relu"),
            layers.RepeatVector(N_STEPS),
            layers.LSTM(16, activation="relu", return_sequences=True),
            layers.LSTM(32, activation="relu", return_sequences=True),
            layers.TimeDistributed(layers.Dense(2)),
        ]
    )
    model.compile("adam", loss="mse")
    history = model.fit(TRAINING, TRAINING, batch_size=64, epochs=10, verbose=0)
    return model, float(history.history["loss"][-1])


def measure(train: Callable[[int], tuple[keras.Model, float]], seed: int) -> Result:
    """Train one model and measure it; the seconds are those of the training alone."""
    start = time.perf_counter()
    model, loss = train(seed)
    seconds = time.perf_counter() - start
    normal, anomaly = separation(model)
    return Result(loss, normal, anomaly, anomaly / normal, seconds)


def report(title: str, train: Callable[[int], tuple[keras.Model, float]], seeds: int) -> None:
    """Print a table of `seeds` trainings with their worst and their median."""
    print(f"\n{title}\n{'seed':>6}  final loss  worst normal  lowest anomaly  separation  fit s")

    def row(name: object, r: Result) -> None:
        errors = f"{r.loss:10.2e}  {r.normal:12.2e}  {r.anomaly:14.2e}"
        print(f"{name:>6}  {errors}  {r.separation:10.1f}  {r.seconds:5.1f}", flush=True)

    results = []
    for seed in range(seeds):
        results.append(measure(train, seed))
        row(seed, results[-1])
    loss, normal, anomaly, ratio, elapsed = np.array(results).T
    row("worst", Result(loss.max(), normal.max(), anomaly.min(), ratio.min(), elapsed.max()))
    row("median", Result(*np.median(results, axis=0)))


def main() -> None:
    """Read the command line and print both tables."""
    parser = argparse.ArgumentParser(description="Measure the separation of anomalous from normal windows.")
    parser.add_argument("--seeds", type=int, default=20, help="trainings of our model")
    parser.add_argument("--usual-seeds", type=int, default=3, help="trainings of the usual design")
    arguments = parser.parse_args()
    if arguments.seeds > 0:
        report("LSTM autoencoder of anomaly.autoencoder", ours, arguments.seeds)
    if arguments.usual_seeds > 0:
        report("usual: LSTM 32-16-16-32 ReLU, Adam 1e-3, batch 64", usual, arguments.usual_seeds)


if __name__ == "__main__":
    main()
