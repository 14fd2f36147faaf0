"""The detector node: learns how streams of data belong together, and reports when that changes.

train: collect samples, fit an LSTM autoencoder to their windows and save it.
detect: print and publish the reconstruction error (MSE) of each window, and report when an anomaly begins and ends.
"""

from __future__ import annotations

from node.lifecycle import run  # isort: split

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from node.membership import check, join, publish, subscribe, unsubscribe
from node.pulse import Pulse
from node.settings import Settings, add_component
from node.tensorflow_import import importing_tensorflow
from node.terminal import Terminal

from anomaly import progress
from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from anomaly.progress import Progress, TrainingState
from anomaly.run import Run
from anomaly.windows import cut, sliding
from pictures import output
from recording import files
from recording.recorder import Recorder
from streams.inbox import Inbox
from streams.reader import StreamReader

from gravity import gravity

COMPONENT_ID = "AnomalyDetector"
N_STEPS = 20  # samples in a window
RELATIONS = 5.0  # seconds between two messages that say which streams belong together

Tell = Callable[[AnomalyScorePB], None]  # publishes a message


def main(options: argparse.Namespace) -> None:
    """Join the cluster, subscribe to the streams, and train or detect."""
    if options.report:
        output.check(options.report)
    files.check(options.record, options.record_alarms, options.report)
    node, settings = join(options.component)
    with Recorder(options.record, options.record_alarms) as recorder:
        inbox = Inbox(recorder.taken)
        reader = StreamReader.configured(inbox, settings)
        products = reader.decoder.products
        scores = settings.text("score_name", other_than=products)
        subscribe(node, products, inbox)
        check(node, node.registerDataProduct(scores, gravity.TCP), f"registering {scores}")

        def tell(message: AnomalyScorePB) -> None:
            product = publish(node, scores, message)
            recorder.told(product, message.timestamp if message.state == AnomalyScorePB.ANOMALY else None)

        tell(progress.starting(time.time_ns() // 1000))
        if options.mode == "train":
            train(settings, reader, tell, lambda: unsubscribe(node, products, inbox), options.report)
        else:
            detect(settings, reader, tell, options.report)


def train(
    settings: Settings, reader: StreamReader, tell: Tell, unsubscribe: Callable[[], object], picture: Path | None
) -> None:
    """Collect samples, fit the autoencoder to their windows, save it; tell how far that has come."""
    training_size = settings.integer("training_size", at_least=N_STEPS)
    epochs = settings.integer("training_epochs", at_least=1)
    model_file = settings.writable_file("model_file")
    stride = settings.integer("window_stride", at_least=1)
    margin = settings.number("alarm_margin", at_least=1)
    board = settings.package_folder("tensorboard_dir", "tensorboard")

    print(f"{TrainingState.COLLECTING}: {training_size} samples")
    streams = reader.streams(at_least=len(reader.decoder.streams) or 2)
    so_far = Progress(tell, training_size, epochs)
    samples = reader.collect(streams, training_size, so_far.collecting)
    unsubscribe()
    so_far.training(samples)
    windows, gaps = sliding(samples, N_STEPS)

    print(f"{TrainingState.TRAINING}: {len(windows)} windows of {', '.join(streams)}; {gaps} gaps")
    with importing_tensorflow():  # only here, because it takes seconds
        from keras.callbacks import LambdaCallback

        from anomaly import detector, model_files, tensorboard
        from pictures import training

    log = tensorboard.Log(board)
    callbacks = [*log.callbacks, LambdaCallback(on_epoch_end=so_far.epoch_ended)]
    trained = detector.train(windows, streams, epochs, 1 if sys.stdout.isatty() else 2, callbacks=callbacks)
    log.write_errors(streams, trained.errors)
    model_files.save_model(trained.model, model_file, trained.metadata)
    print("\n".join(trained.remarks))
    if picture:
        output.write(training.page(trained, streams, stride, margin), picture)
        print(f"wrote {picture}")
    print(f"Training Complete {TrainingState.TRAINED}")


def detect(settings: Settings, reader: StreamReader, tell: Tell, picture: Path | None) -> None:
    """Show and tell what is found in each window, until the data end or the program is stopped."""
    model_file = settings.text("model_file")
    with Terminal() as terminal:
        terminal.wait_for(f"loading {model_file}")
        with importing_tensorflow():
            from anomaly import detector, report
            from pictures import detection
        watch = detector.Detector.configured(settings)
        terminal.wait_for("waiting for the streams")
        streams = reader.expect(watch.streams, watch.n_streams, model_file)

        print(report.opening(watch.has_alarm, model_file))
        now = Pulse(RELATIONS)
        so_far = (detection.Recording if picture else Run)(streams, reader.losses)
        try:
            for windows in cut(so_far.noting(reader.samples(streams)), watch.n_steps, watch.stride):
                found = watch.examine(windows)
                so_far.add(found)
                terminal.show(report.lines(found, streams), report.status(so_far))
                for finding in found:
                    tell(report.message(finding, streams, watch.shares if now() else None))
        finally:
            terminal.close(report.summary(so_far))
            if isinstance(so_far, detection.Recording) and picture:
                output.write(detection.page(so_far), picture)
                terminal.close([f"wrote {picture}"])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="AnomalyDetector.py", description=__doc__)
    parser.add_argument("mode", choices=("train", "detect"))
    parser.add_argument(
        "--report", metavar="FILE", type=output.picture_file, help=f"draw it in FILE: {output.FORMATS}"
    )
    files.add_options(parser)
    add_component(parser, COMPONENT_ID)
    arguments = parser.parse_args()
    run(arguments.component, lambda: main(arguments))
