"""How far anomalous windows stand out from normal ones: `python -m benchmarks.separation [--seeds 20]`.

Two streams, sin(phase 1) and cos(phase 2), both phases growing by 0.05 a sample; in the anomaly phase 2 grows
by 0.1. Each seed trains a model on 2000 samples. Its separation is

    lowest MSE of any window wholly inside the anomaly ÷ highest MSE of any normal window,

the training windows included, over start phases all round the circle, so that anomalies of more than a full
beat begin at any point of the rhythm. Above 1 there is a threshold without a single error.

For comparison the usual design of many tutorials and its usual training: ReLU, Adam 1e-3, batches of 64, on the
streams as they are. Its errors are in the streams' own units, ours in normalised ones: only separations compare.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from anomaly.autoencoder import Scorer, build, fit
from benchmarks.report import Row, describe, table, write_json

N_STEPS = 20
STEP = 0.05  # growth of a phase a sample
BEAT = round(2 * np.pi / STEP)  # samples until two phases, one at double speed, meet again

Windows = NDArray[np.float32]


class Result(NamedTuple):
    """The result of one seed."""

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


def rows(train: Callable[[int], tuple[keras.Model, float]], seeds: int) -> Iterator[Row]:
    """Yield a table of `seeds` trainings with their worst and their median."""

    def row(name: object, r: Result) -> Row:
        errors = {"final loss": r.loss, "worst normal": r.normal, "lowest anomaly": r.anomaly}
        return {"seed": str(name), **errors, "separation": r.separation, "fit s": r.seconds}

    results = []
    for seed in range(seeds):
        results.append(measure(train, seed))
        yield row(seed, results[-1])
    loss, normal, anomaly, ratio, elapsed = np.array(results).T.tolist()
    yield row("worst", Result(max(loss), max(normal), min(anomaly), min(ratio), max(elapsed)))
    yield row("median", Result(*np.median(results, axis=0).tolist()))


def main() -> None:
    """Read the command line, print both tables, write JSON if asked."""
    parser = argparse.ArgumentParser(description="Measure the separation of anomalous from normal windows.")
    parser.add_argument("--seeds", type=int, default=20, help="trainings of our model")
    parser.add_argument("--usual-seeds", type=int, default=3, help="trainings of the usual design")
    parser.add_argument("--json", metavar="FILE", help="write the result there, too")
    given = parser.parse_args()
    result: dict[str, object] = {"machine": describe("tensorflow", "keras", "numpy")}
    for title, train, seeds in (
        ("LSTM autoencoder of anomaly.autoencoder", ours, given.seeds),
        ("usual: LSTM 32-16-16-32 ReLU, Adam 1e-3, batch 64, streams not normalised", usual, given.usual_seeds),
    ):
        if seeds > 0:
            result[title] = found = list(rows(train, seeds))
            print(table(title, found), flush=True)
    if given.json:
        write_json(given.json, result)


if __name__ == "__main__":
    main()
