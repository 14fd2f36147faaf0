"""How far a training has come, as messages for other nodes. Imports no TensorFlow: collecting samples needs none."""

from __future__ import annotations

from collections.abc import Sequence

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from streams.samples import Sample


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
