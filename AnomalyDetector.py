"""The detector node: learns how the streams of a data product belong together, and says when that changes.

train: collects samples, fits an LSTM autoencoder to them and saves it.
detect: prints the reconstruction error (MSE) of each window of samples, which rises when the streams no longer
belong together as they did in training; says when an anomaly begins and ends; publishes what it finds.
"""

from __future__ import annotations

import cluster.interruptible  # noqa: F401  before all that takes time to import

import argparse
import gc
import os
import signal
import sys
from collections.abc import Callable
from enum import Enum, auto
from itertools import chain
from pathlib import Path

from anomaly.windows import windows
from cluster.arrivals import Arrivals
from cluster.errors import UserError
from cluster.program import check, connect, run
from cluster.progress import counted
from cluster.quiet import importing_tensorflow
from cluster.settings import Settings
from cluster.streams import StreamReader

from gravity import GravityDataProduct, GravityNode, GravitySubscriber, gravity

COMPONENT_ID = "AnomalyDetector"
N_STEPS = 20  # samples in a window
ENOUGH = 0.9  # of training_size


class TrainingState(Enum):
    """How far the training is."""

    COLLECTING = auto()
    TRAINING = auto()
    TRAINED = auto()


class PointReceiver(GravitySubscriber):
    """Hands arriving points to the main thread, so that receiving never waits for Keras."""

    def __init__(self) -> None:
        GravitySubscriber.__init__(self)
        self.arrived = Arrivals()

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Take what has arrived since the last call."""
        self.arrived.put(dataProducts)


def main(mode: str) -> None:
    """Join the cluster, subscribe to the streams, and train or detect."""
    node, settings = connect(COMPONENT_ID)
    channel = settings.text("subscription_name", "AutoencoderExample")
    receiver = PointReceiver()
    reader = StreamReader(
        receiver.arrived,
        lateness=settings.number("lateness", 1.0, above=0),
        max_gap=settings.integer("max_gap", 2, at_least=0),
        tolerance=settings.number("tolerance", 0.0, at_least=0),
    )
    signal.signal(signal.SIGUSR1, lambda *_: receiver.arrived.put(None))  # train.sh, detect.sh: a file has ended
    check(node, node.subscribe(channel, receiver), f"subscribing to {channel}")
    if mode == "train":
        train(settings, reader, lambda: node.unsubscribe(channel, receiver))
    else:
        detect(node, settings, reader)


def train(settings: Settings, reader: StreamReader, unsubscribe: Callable[[], object]) -> None:
    """Collect samples, fit the autoencoder to their windows, save it."""
    training_size = settings.integer("training_size", 2000, at_least=N_STEPS)
    epochs = settings.integer("training_epochs", 10, at_least=1)
    model_file = settings.text("model_file", "model.json")
    if not os.access(Path(model_file).resolve().parent, os.W_OK):  # said now, not after minutes of collecting
        raise UserError(f"{model_file} cannot be written there; choose another model_file in Gravity.ini")

    print(f"{TrainingState.COLLECTING}: {training_size} samples")
    streams = reader.streams(at_least=2)
    arriving = chain.from_iterable(reader.samples(streams))
    samples = list(counted(arriving, training_size, "samples collected"))
    unsubscribe()
    if len(samples) < training_size:  # a few lost ones are no reason to have collected in vain
        if len(samples) < ENOUGH * training_size:
            raise UserError(
                f"the data have ended after {len(samples)} samples; set training_size in Gravity.ini to fewer"
            )
        print(f"the data have ended after {len(samples)} samples, which is enough")
    training_windows, gaps = windows(samples, N_STEPS)
    if not len(training_windows):
        raise UserError(f"{len(samples)} samples with {gaps} gaps hold no {N_STEPS} in a row; train on more")

    print(f"{TrainingState.TRAINING}: {len(training_windows)} windows of {', '.join(streams)}; {gaps} gaps")
    with importing_tensorflow():  # only here, since it takes seconds
        from anomaly import detector, model_files

    try:
        model, metadata = detector.train(training_windows, streams, epochs, verbose=1 if sys.stdout.isatty() else 2)
    except detector.BadStream as error:
        raise UserError(str(error)) from error
    try:
        model_files.save_model(model, model_file, metadata)
    except OSError as error:
        raise UserError(f"{error}; mend that, then train again") from error
    print(f"Training Complete {TrainingState.TRAINED}")


def detect(node: GravityNode, settings: Settings, reader: StreamReader) -> None:
    """Print and publish what is found in one window after the other, until the program is stopped."""
    model_file = settings.text("model_file", "model.json")
    scores = settings.text("score_name", "AnomalyScore")
    if scores == settings.text("subscription_name", "AutoencoderExample"):
        raise UserError(f"score_name and subscription_name are both {scores}; choose two names in Gravity.ini")
    stride = settings.integer("window_stride", N_STEPS, at_least=1)
    margin = settings.number("alarm_margin", 2.5, at_least=1)
    after = settings.integer("alarm_after", 1, at_least=1)
    with importing_tensorflow():
        from anomaly import detector, model_files, report

    try:
        model, metadata = model_files.load_model(model_file)
        watch = detector.Detector(model, metadata, stride, margin, after)
    except (model_files.ModelFileError, detector.BadMetadata) as error:
        raise UserError(str(error)) from error
    gc.freeze()  # TensorFlow's objects stay: the garbage collector need not look through a million of them again
    check(node, node.registerDataProduct(scores, gravity.TCP), f"registering {scores}")
    _, n_steps, n_streams = model.input_shape
    streams = reader.expect(metadata.get("streams"), n_streams, model_file)
    if watch.threshold:
        print(f"an alarm begins with a score above {watch.threshold:.2f}; 1 is usual in training")
    else:
        print(
            f"{model_file} does not say which errors are normal, so there is no alarm; ./train.sh makes one that does"
        )

    for found in map(watch.examine, reader.windows(streams, n_steps, stride)):
        print("\n".join(report.lines(found, streams)))  # one write for all: each costs more than its line
        for finding in found:
            product = GravityDataProduct(scores)  # not one for all: the original would keep all that it has held
            product.data = report.message(finding, streams, watch.threshold)
            node.publish(product)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="AnomalyDetector.py", description=__doc__)
    parser.add_argument("mode", choices=("train", "detect"))
    arguments = parser.parse_args()
    run(COMPONENT_ID, lambda: main(arguments.mode))
