"""The detector node: learns how the streams of a data product belong together, and scores what comes after.

train: collects samples, fits an LSTM autoencoder to them and saves it.
detect: prints the reconstruction error (MSE) of each window of samples; it rises when the streams no longer
belong together as they did in training.
"""

from __future__ import annotations

import cluster.interruptible  # noqa: F401  before all that takes time to import

import argparse
import os
import sys
from datetime import datetime
from enum import Enum, auto
from pathlib import Path
from queue import SimpleQueue

from anomaly.samples import Window, WindowBuilder, windows
from cluster.errors import UserError
from cluster.program import check, connect, run
from cluster.progress import counted
from cluster.quiet import importing_tensorflow
from cluster.settings import Settings
from cluster.streams import Arrived, StreamReader

from gravity import GravityDataProduct, GravitySubscriber

COMPONENT_ID = "AnomalyDetector"
N_STEPS = 20  # samples in a window


class TrainingState(Enum):
    """How far the training is."""

    COLLECTING = auto()
    TRAINING = auto()
    TRAINED = auto()


class PointReceiver(GravitySubscriber):
    """Hands arriving points to the main thread, so that receiving never waits for Keras."""

    def __init__(self) -> None:
        GravitySubscriber.__init__(self)
        self.arrived: Arrived = SimpleQueue()

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Take what has arrived since the last call."""
        self.arrived.put(dataProducts)


def main(mode: str) -> None:
    """Join the cluster, subscribe to the streams, and train or detect."""
    node, settings = connect(COMPONENT_ID)
    channel = settings.text("subscription_name", "AutoencoderExample")
    receiver = PointReceiver()
    reader = StreamReader(receiver.arrived, settings.number("lateness", 1.0, above=0))
    check(node, node.subscribe(channel, receiver), f"subscribing to {channel}")
    if mode == "train":
        train(settings, reader)
    else:
        detect(settings, reader)
    node.unsubscribe(channel, receiver)


def train(settings: Settings, reader: StreamReader) -> None:
    """Collect samples, fit the autoencoder to their windows, save it."""
    training_size = settings.integer("training_size", 2000, at_least=N_STEPS)
    epochs = settings.integer("training_epochs", 10, at_least=1)
    model_file = settings.text("model_file", "model.json")
    if not os.access(Path(model_file).resolve().parent, os.W_OK):  # said now, not after minutes of collecting
        raise UserError(f"{model_file} cannot be written there; choose another model_file in Gravity.ini")

    print(f"{TrainingState.COLLECTING}: {training_size} samples")
    streams = reader.streams(at_least=2)
    samples = list(counted(reader.samples(streams), training_size, "samples collected"))
    training_windows, gaps = windows(samples, N_STEPS)
    if not len(training_windows):
        raise UserError(f"{training_size} samples with {gaps} gaps hold no {N_STEPS} in a row; train on more")

    print(f"{TrainingState.TRAINING}: {len(training_windows)} windows of {', '.join(streams)}; {gaps} gaps")
    with importing_tensorflow():  # only here, since it takes seconds
        from anomaly import autoencoder, model_files

    model = autoencoder.build(N_STEPS, len(streams))
    autoencoder.fit(model, training_windows, epochs=epochs, verbose=1 if sys.stdout.isatty() else 2)
    try:
        model_files.save_model(model, model_file, {"streams": streams})
    except OSError as error:
        raise UserError(f"{error}; mend that, then train again") from error
    print(f"Training Complete {TrainingState.TRAINED}")


def detect(settings: Settings, reader: StreamReader) -> None:
    """Print the reconstruction error of one window after the other, until the program is stopped."""
    model_file = settings.text("model_file", "model.json")
    stride = settings.integer("window_stride", N_STEPS, at_least=1)
    with importing_tensorflow():
        from anomaly import autoencoder, model_files

    try:
        model, metadata = model_files.load_model(model_file)
    except model_files.ModelFileError as error:
        raise UserError(str(error)) from error
    _, n_steps, n_streams = model.input_shape
    scorer = autoencoder.Scorer(model)
    streams = reader.expect(metadata.get("streams"), n_streams, model_file)
    builder = WindowBuilder(n_steps, stride)
    for sample in reader.samples(streams):
        if window := builder.add(sample):
            mse, _ = scorer.score(window.values[None])
            print(describe(window, float(mse[0])))


def describe(window: Window, mse: float) -> str:
    """Return the line that is printed for a window: time and number of its samples, and its error."""
    time = datetime.fromtimestamp(window.timestamp / 1e6).strftime("%H:%M:%S.%f")[:-3]
    first = window.number - len(window.values) + 1
    return f"{time}  samples {first}-{window.number}  MSE = {mse:.3e}{'  (after a gap)' if window.after_gap else ''}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="AnomalyDetector.py", description=__doc__)
    parser.add_argument("mode", choices=("train", "detect"))
    arguments = parser.parse_args()
    run(COMPONENT_ID, lambda: main(arguments.mode))
