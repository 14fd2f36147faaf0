"""The picture of a training: loss, each stream's errors beside the threshold, and what the model can see."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from anomaly.alarm import Normal, levels
from anomaly.detector import Trained
from pictures.page import Bars, Chart, Page, Ridges, Rows

BINS = 60
LOWEST = 1e-4  # of the threshold


def page(trained: Trained, streams: Sequence[str], stride: int, margin: float) -> Page:
    """Return what a picture of the training shows.

    Errors are as the alarm compares them with its threshold: smoothed, and relative to the stream's average.
    `stride` and `margin` are those of the alarm.
    """
    n_windows, n_streams = trained.errors.shape
    normal = Normal.from_metadata(trained.metadata["normal"], n_streams)
    relative = np.maximum(levels(normal, trained.errors, stride, margin), LOWEST)
    low, high = np.log10(relative.min()), max(0.0, np.log10(relative.max()))
    edges = np.logspace(low - 0.2, high + 0.3, BINS + 1)
    shares = np.array([np.histogram(column, edges)[0] / n_windows for column in relative.T])
    columns: list[Bars | Ridges] = [Ridges("errors of its windows ÷ threshold", edges, shares, (1.0, "alarm"))]
    remarks = trained.remarks
    if sight := trained.sight:
        constant = ~np.isfinite(sight.relative) | (sight.relative <= 0)
        told = tuple(f"{r:.2g} σ = {b:.2g}" for r, b in zip(sight.relative, sight.bias, strict=True))
        columns += [
            Bars("smallest lasting bias found", np.where(constant, np.nan, sight.relative), told, log=True),
            Bars("explained by the others", sight.explained, tuple(f"{share:.0%}" for share in sight.explained)),
        ]
        remarks = remarks[1 + n_streams :]  # the table comes first
    epochs = np.arange(1.0, len(trained.losses) + 1)
    loss = Chart("loss of each epoch", epochs, np.array(trained.losses), log=True, dots=True)
    summary = f"{n_windows:,} windows of {n_streams} streams, {len(epochs)} epochs"
    return Page(
        "Training", (summary, *remarks), (loss, Rows("What the model can see", tuple(streams), tuple(columns)))
    )
