"""How far a training has come, as messages for other nodes. Imports no TensorFlow: collecting samples needs none."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import Enum, auto

from node.pulse import Pulse

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from streams.samples import Sample

INTERVAL = 0.5  # seconds between two messages about the samples that are collected


class TrainingState(Enum):
    """How far the training has come."""

    COLLECTING = auto()
    TRAINING = auto()
    TRAINED = auto()


class Progress:
    """Tells how far a training has come, by `tell`, which publishes a message."""

    def __init__(self, tell: Callable[[AnomalyScorePB], object], wanted: int, epochs: int) -> None:
        """`wanted`: samples. `epochs`: to train for."""
        self._tell = tell
        self._wanted = wanted
        self._epochs = epochs
        self._now = Pulse(INTERVAL)
        self._samples: Sequence[Sample] = ()

    def collecting(self, samples: Sequence[Sample]) -> None:
        """Tell of the samples so far, from time to time."""
        if self._now():
            self._tell(message(samples, self._wanted))

    def training(self, samples: Sequence[Sample]) -> None:
        """Tell that the training with all samples begins."""
        self._samples = samples
        self._tell(message(samples, self._wanted, self._epochs))

    def epoch_ended(self, number: int, logs: Mapping[str, float]) -> None:
        """Tell of an epoch, `number` from 0 on, as Keras calls it."""
        self._tell(message(self._samples, self._wanted, self._epochs, number + 1, logs["loss"]))


def starting(now: int) -> AnomalyScorePB:
    """Return the message that a detector has started; `now` in microseconds since the epoch."""
    return AnomalyScorePB(timestamp=now, sample=0, mse=0, state=AnomalyScorePB.UNKNOWN)


def message(
    samples: Sequence[Sample], wanted: int, epochs: int | None = None, epoch: int | None = None, loss: float = 0.0
) -> AnomalyScorePB:
    """Return the message after some of `wanted` samples were collected, or after an epoch of training, with its loss.

    `epochs`: to train for, from the start of the training on. `epoch` counts from 1.
    """
    pb = AnomalyScorePB(timestamp=samples[-1].timestamp, sample=len(samples), mse=loss, state=AnomalyScorePB.UNKNOWN)
    pb.training.samples = wanted
    if epochs is not None:
        pb.training.epochs = epochs
    if epoch is not None:
        pb.training.epoch, pb.training.loss = epoch, loss
    return pb
