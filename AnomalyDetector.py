"""The detector node: learns how the streams of a data product belong together, and reports when that changes.

train: collect samples, fit an LSTM autoencoder to their windows and save it; publish how far that has come.
detect: print and publish the reconstruction error (MSE) of each window, and report when an anomaly begins and ends.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from enum import Enum, auto
from queue import SimpleQueue

from node.lifecycle import run
from node.membership import check, join, publish
from node.pulse import Pulse
from node.settings import Settings
from node.tensorflow_import import importing_tensorflow

from anomaly import progress
from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.windows import cut, sliding
from streams.reader import StreamReader

from gravity import GravityDataProduct, GravitySubscriber, gravity

COMPONENT_ID = "AnomalyDetector"
Tell = Callable[[AnomalyScorePB], None]  # publishes a message

N_STEPS = 20  # samples in a window
PROGRESS = 0.5  # seconds between two messages about the samples that are collected for training
RELATIONS = 5.0  # seconds between two messages that say which streams belong together


class TrainingState(Enum):
    """How far the training has come."""

    COLLECTING = auto()
    TRAINING = auto()
    TRAINED = auto()


class PointReceiver(GravitySubscriber):
    """Hands arriving points to the main thread, so that receiving never waits for Keras."""

    def __init__(self) -> None:
        GravitySubscriber.__init__(self)
        self.queue: SimpleQueue[list[GravityDataProduct]] = SimpleQueue()

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Take what has arrived since the last call."""
        self.queue.put(dataProducts)


def main(mode: str) -> None:
    """Join the cluster, subscribe to the streams, and train or detect."""
    node, settings = join(COMPONENT_ID)
    channel = settings.text("subscription_name")
    receiver = PointReceiver()
    reader = StreamReader.configured(receiver.queue, settings)
    scores = settings.text("score_name", other_than="subscription_name")
    check(node, node.subscribe(channel, receiver), f"subscribing to {channel}")
    check(node, node.registerDataProduct(scores, gravity.TCP), f"registering {scores}")

    def tell(message: AnomalyScorePB) -> None:
        publish(node, scores, message)

    tell(progress.starting(time.time_ns() // 1000))
    if mode == "train":
        train(settings, reader, tell, lambda: node.unsubscribe(channel, receiver))
    else:
        detect(settings, reader, tell)


def train(settings: Settings, reader: StreamReader, tell: Tell, unsubscribe: Callable[[], object]) -> None:
    """Collect samples, fit the autoencoder to their windows, save it; tell how far that has come."""
    training_size = settings.integer("training_size", at_least=N_STEPS)
    epochs = settings.integer("training_epochs", at_least=1)
    model_file = settings.writable_file("model_file")

    print(f"{TrainingState.COLLECTING}: {training_size} samples")
    streams = reader.streams(at_least=2)
    now = Pulse(PROGRESS)
    samples = reader.collect(
        streams, training_size, lambda some: now() and tell(progress.message(some, training_size))
    )
    unsubscribe()
    tell(progress.message(samples, training_size, epochs))
    windows, gaps = sliding(samples, N_STEPS)

    print(f"{TrainingState.TRAINING}: {len(windows)} windows of {', '.join(streams)}; {gaps} gaps")
    with importing_tensorflow():  # only here, because it takes seconds
        from keras.callbacks import LambdaCallback

        from anomaly import detector, model_files

    def epoch_ended(number: int, logs: dict[str, float]) -> None:
        tell(progress.message(samples, training_size, epochs, number + 1, logs["loss"]))

    verbose = 1 if sys.stdout.isatty() else 2
    trained = detector.train(windows, streams, epochs, verbose, callbacks=[LambdaCallback(on_epoch_end=epoch_ended)])
    model_files.save_model(trained.model, model_file, trained.metadata)
    print("\n".join(trained.remarks))
    print(f"Training Complete {TrainingState.TRAINED}")


def detect(settings: Settings, reader: StreamReader, tell: Tell) -> None:
    """Print and tell what is found in each window, until the data end or the program is stopped."""
    model_file = settings.text("model_file")
    stride = settings.integer("window_stride", at_least=1)
    margin = settings.number("alarm_margin", at_least=1)
    after = settings.integer("alarm_after", at_least=1)
    with importing_tensorflow():
        from anomaly import detector, model_files, report
    model, metadata = model_files.load_model(model_file)
    watch = detector.Detector(model, metadata, stride=stride, margin=margin, after=after)
    _, n_steps, n_streams = model.input_shape
    streams = reader.expect(metadata.get("streams"), n_streams, model_file)

    now = Pulse(RELATIONS)
    print(report.opening(watch.has_alarm, model_file))
    for windows in cut(reader.samples(streams), n_steps, stride):
        found = watch.examine(windows)
        print("\n".join(report.lines(found, streams)))  # one write per batch: writing costs more than formatting
        for finding in found:
            tell(report.message(finding, streams, watch.shares if now() else None))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="AnomalyDetector.py", description=__doc__)
    parser.add_argument("mode", choices=("train", "detect"))
    arguments = parser.parse_args()
    run(COMPONENT_ID, lambda: main(arguments.mode))
