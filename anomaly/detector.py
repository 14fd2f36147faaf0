"""Trains a model on windows, and examines windows with a trained model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from node.errors import UserError
from node.settings import Settings

import keras
import numpy as np
from numpy.typing import NDArray

from anomaly import insight
from anomaly.alarm import Alarm, Normal, Verdict, learn
from anomaly.autoencoder import Scorer, build, code_size, fit
from anomaly.blame import blame
from anomaly.diagnosis import Diagnosis, Kind, refined
from anomaly.model_files import load_model
from anomaly.prediction import explained_by_others
from anomaly.relations import FEWEST, Relations, Watch
from anomaly.windows import Window

BATCH = 1024  # samples: bounds the memory
SETTLING = 20  # samples after which the kind of an anomaly shows that was not clear at its start
LARGEST_SPREAD = 1e19  # standard deviation; Keras keeps its square as float32


class Finding(NamedTuple):
    """The result for a window: its MSE, its streams' errors, float64 of shape (n_streams,), verdict and diagnosis.

    `verdict` is None if the model came without error statistics. `diagnosis` is that of the present anomaly, None if
    there is none; `news`: whether this window is the first with it. `rebuilt`: the window's newest samples, as many
    as there are from one window to the next, as the model rebuilds them, float32 of shape (n, n_streams).
    """

    window: Window
    mse: float
    errors: NDArray[np.float64]
    verdict: Verdict | None
    diagnosis: Diagnosis | None
    news: bool = False
    rebuilt: NDArray[np.float32] | None = None


class BadStream(UserError):
    """A stream cannot be learned."""


class BadMetadata(UserError):
    """A model's metadata do not fit the model."""


class Sight(NamedTuple):
    """What relations can see of each stream, arrays of shape (n_streams,).

    The smallest lasting bias that raises an alarm, in the stream's unit and in its standard deviations, and the share
    of its variance, 0 to 1, that the others explain.
    """

    bias: NDArray[np.float64]
    relative: NDArray[np.float64]
    explained: NDArray[np.float64]


class Trained(NamedTuple):
    """A model, the metadata to save with it, and what to tell whoever trained it, in lines.

    `losses`: each epoch's. `errors`: of the training windows, shape (n, n_streams). `sight`: None if there were too
    few windows.
    """

    model: keras.Model
    metadata: dict[str, Any]
    remarks: list[str]
    losses: list[float]
    errors: NDArray[np.float64]
    sight: Sight | None = None


def train(
    windows: NDArray[np.float32],
    streams: Sequence[str],
    epochs: int,
    verbose: int | str = 0,
    seed: int = 0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> Trained:
    """Train a model on normal windows.

    `windows`: finite float32 of shape (n, n_steps, n_streams), in order of time. `streams`: the streams' names.
    `verbose` and `callbacks`: Keras's. `seed` decides the first weights and the order of the windows. Raises
    BadStream if a stream varies too much for float32.
    """
    n_windows, n_steps, n_streams = windows.shape
    for stream, spread in zip(streams, windows.std(axis=(0, 1), dtype=np.float64), strict=True):
        if spread > LARGEST_SPREAD:
            raise BadStream(
                f"stream {stream} varies by {spread:.0e}, too much for float32; publish it in a larger unit"
            )
    model = build(n_steps, n_streams, seed)
    losses = fit(model, windows, epochs=epochs, seed=seed, verbose=verbose, callbacks=callbacks)
    _, errors = Scorer(model).score(windows)
    normal = learn(windows, errors, code_size(n_steps, n_streams))
    metadata = {"streams": list(streams), "normal": normal.to_metadata()}
    if n_windows < FEWEST:
        return Trained(model, metadata, [insight.too_few(n_windows)], losses, errors)
    relations, held_out = Relations.learn(windows)
    metadata["relations"] = relations.to_metadata()
    bias = insight.smallest_bias(relations)
    sight = Sight(bias * relations.features.spread, bias, explained_by_others(held_out))
    remarks = list(insight.remarks(streams, windows, relations, held_out))
    return Trained(model, metadata, remarks, losses, errors, sight)


class Detector:
    """Scores windows in order of time and runs the alarm."""

    def __init__(
        self, model: keras.Model, metadata: dict[str, Any], stride: int, margin: float, after: int = 1
    ) -> None:
        """`metadata` come from `train`: without error statistics there is no alarm, and without relations only the
        reconstruction error counts.

        `stride`: from one window to the next, in samples. `margin`: limit ÷ the highest error expected of normal
        windows; the limits of the checks change in proportion. `after`: how many windows in a row start an alarm.
        Raises BadMetadata.
        """
        _, n_steps, n_streams = model.input_shape
        self.n_steps, self.n_streams, self.stride = n_steps, n_streams, stride
        self.streams: list[str] | None = metadata.get("streams")  # None: the model does not say
        if "streams" in metadata and not _are_names(metadata["streams"], n_streams):
            raise BadMetadata(f"the model does not name its {n_streams} streams; train again with ./train.sh")
        try:
            self._normal, self._relations = None, None
            if "normal" in metadata:
                self._normal = Normal.from_metadata(metadata["normal"], n_streams)
                if "relations" in metadata:
                    self._relations = Relations.from_metadata(metadata["relations"], n_steps, n_streams)
        except ValueError as error:
            raise BadMetadata(f"the model was saved with {error}; train again with ./train.sh") from None
        self._scorer = Scorer(model)
        self._settings = stride, margin, after
        self.start()

    @classmethod
    def configured(cls, settings: Settings, stride: int | None = None) -> Detector:
        """Return a detector with the model and the settings that Gravity.ini names; `stride`: another than there.

        Raises UserError.
        """
        model_file = settings.text("model_file")
        stride = stride or settings.integer("window_stride", at_least=1)
        margin = settings.number("alarm_margin", at_least=1)
        after = settings.integer("alarm_after", at_least=1)
        return cls(*load_model(model_file), stride, margin, after)

    def start(self) -> None:
        """Forget the windows so far: the next one is the first."""
        stride, margin, after = self._settings
        self._alarm = Alarm(self._normal, stride, margin, after=after) if self._normal else None
        self._watch = Watch(self._relations, margin) if self._relations else None
        self._diagnosis: Diagnosis | None = None
        self._settled: int | None = None  # number of the sample at which the diagnosis is made again

    @property
    def shares(self) -> NDArray[np.float32] | None:
        """Which share of each stream's variance each stream predicts, as in Relations; None if that is unknown."""
        return self._relations.shares if self._relations else None

    @property
    def has_alarm(self) -> bool:
        """Whether the model came with the error statistics that an alarm requires."""
        return self._alarm is not None

    def examine(self, windows: Sequence[Window]) -> list[Finding]:
        """Return the finding for each window; those of up to BATCH samples are scored at once."""
        count = max(1, BATCH // self._settings[0])
        batches = [windows[start : start + count] for start in range(0, len(windows), count)]
        return [finding for batch in batches for finding in self._examine(batch)]

    def _examine(self, windows: Sequence[Window]) -> list[Finding]:
        # Joined, then parted: np.stack takes three times as long for many small arrays.
        values = np.concatenate([window.values for window in windows]).reshape(len(windows), *windows[0].values.shape)
        mse, errors, rebuilt = self._scorer.rebuilt(values)
        rebuilt = rebuilt[:, -self._settings[0] :]
        if not self._alarm or not self._normal:
            return [
                Finding(window, float(mse[index]), errors[index], None, None, rebuilt=rebuilt[index])
                for index, window in enumerate(windows)
            ]
        relative = self._normal.relative(errors).tolist()
        levels = self._watch.levels(windows) if self._watch else [0.0] * len(windows)
        findings = []
        for index, (window, error, level) in enumerate(zip(windows, relative, levels, strict=True)):
            verdict = self._alarm.judge(error, level)
            news = self._diagnose(index, window, errors[index], verdict)
            findings.append(
                Finding(window, float(mse[index]), errors[index], verdict, self._diagnosis, news, rebuilt[index])
            )
        return findings

    def _diagnose(self, index: int, window: Window, errors: NDArray[np.float64], verdict: Verdict) -> bool:
        """Bring the diagnosis up to date; return whether it is new."""
        before = self._diagnosis
        if not verdict.alarm:
            self._diagnosis = None
        elif verdict.changed:
            self._settled = window.number + SETTLING
            self._diagnosis = self._watch.diagnose(index, first=True) if self._watch else None
            if self._diagnosis is None:
                self._diagnosis = Diagnosis(Kind.RELATION if self._watch else None, self._blame(window, errors))
        elif self._watch and before and self._settled is not None and window.number >= self._settled:
            self._settled = None
            self._diagnosis = refined(before, self._watch.diagnose(index))
        return self._diagnosis is not None and self._diagnosis != before

    def _blame(self, window: Window, errors: NDArray[np.float64]) -> int | None:
        assert self._normal
        found = blame(errors, self._scorer.repaired(window.values), self._normal.typical)
        return found.column if found else None


def _are_names(names: object, count: int) -> bool:
    return isinstance(names, list) and all(isinstance(name, str) for name in names) and len(set(names)) == count
