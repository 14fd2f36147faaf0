"""The large plots of one viewer's page, brought up to date from what is live."""

from __future__ import annotations

from typing import Any

import numpy as np
from bokeh.document import Document
from bokeh.models import ColumnDataSource, DataRange1d, NumeralTickFormatter, Range1d, Span
from bokeh.plotting import figure

from dashboard.history import Array
from dashboard.live import LEAST_SCORE, Live

MOST = 800  # points of a curve
# How much an alarm is shaded: in all plots, and in that of the stream to blame.
FAINT, STRONG = 0.15, 0.25
LABEL = 28  # characters of what is said of an alarm
HIGHEST = 60.0  # score on the axis, unless there are higher ones
LABEL_AT = 35.0  # on that axis
# Okabe and Ito's colours, and greys. What has a tag gets another colour in the dark: see page.js.
ALARM, BLUE, GREEN, GREY, INK = "#D55E00", "#0072B2", "#009E73", "#767676", "#222222"


class Plots:
    """The score, a plot for each of a few places of the page, and the loss of a training."""

    def __init__(self, document: Document, live: Live, seconds: float, places: int, training: bool) -> None:
        """`seconds`: how far back to show. `places`: how many streams have a large plot. `training`: has the loss?"""
        self._live, self._seconds = live, seconds
        self._x = Range1d(0, 1)
        self._alarms = _source("x0", "x1")
        self._gaps = _source("x0", "x1")
        self._labels = _source("x", "text", "align")
        self._score, self._loss = _source("x", "y"), _source("x", "y")
        self._places = [(_source("x", "y"), _source("x", "y"), _source("x0", "x1")) for _ in range(places)]
        self._threshold = Span(
            location=1, dimension="width", line_color=ALARM, line_width=1.5, line_dash=[6, 4], tags=["alarm"]
        )
        for number, sources in enumerate(self._places):
            document.add_root(self._stream_plot(f"place{number}", *sources))
        document.add_root(self._score_plot())
        if training:
            document.add_root(self._loss_plot())

    def update(self) -> None:
        """Show what is new."""
        shown = self._live.shown(self._seconds, len(self._places), MOST)
        local = shown.offset
        alarms = [
            (max(alarm.begin, shown.begin) + local, (shown.end if alarm.end is None else alarm.end) + local, alarm)
            for alarm in shown.alarms
        ]
        _set(self._gaps, x0=[begin + local for begin, _ in shown.gaps], x1=[end + local for _, end in shown.gaps])
        _set(self._alarms, x0=[begin for begin, _, _ in alarms], x1=[end for _, end, _ in alarms])
        for begin, _, alarm in alarms[-1:]:
            late = begin - local > (shown.begin + shown.end) / 2  # then there is more room to the left
            text = f"{_short(alarm.said)} " if late else f" {_short(alarm.said)}"
            _set(self._labels, x=[begin], text=[text], align=["right" if late else "left"])
        for (values, rebuilt, blamed), (name, *curves) in zip(self._places, shown.streams, strict=False):
            for source, (x, y) in zip((values, rebuilt), curves, strict=True):
                _set(source, x=x + local, y=y)
            own = [(begin, end) for begin, end, alarm in alarms if alarm.blamed == name]
            _set(blamed, x0=[begin for begin, _ in own], x1=[end for _, end in own])
        _set(self._score, x=shown.score[0] + local, y=shown.score[1])
        _set(self._loss, x=shown.loss[0], y=shown.loss[1])
        if shown.threshold != self._threshold.location:
            self._threshold.location = shown.threshold
        if (shown.begin + local, shown.end + local) != (self._x.start, self._x.end):
            self._x.update(start=shown.begin + local, end=shown.end + local)

    def _stream_plot(
        self, name: str, values: ColumnDataSource, rebuilt: ColumnDataSource, blamed: ColumnDataSource
    ) -> figure:
        plot = self._plot(name, 180)
        plot.vstrip("x0", "x1", source=blamed, fill_color=ALARM, fill_alpha=STRONG, line_color=None)
        curves = [
            plot.line("x", "y", source=values, line_color=BLUE, line_width=1.8),
            plot.line("x", "y", source=rebuilt, line_color=GREEN, line_width=1.8, line_dash=[5, 4]),
        ]
        for curve, tag in zip(curves, ("stream", "rebuilt"), strict=True):
            curve.glyph.tags = [tag]
        plot.y_range = DataRange1d(renderers=curves, range_padding=0.15, default_span=1e-3)
        plot.yaxis[0].ticker.desired_num_ticks = 4
        plot.xaxis[0].formatter.context = None  # the date stands below the score
        return plot

    def _score_plot(self) -> figure:
        plot = self._plot("score", 200, y_axis_type="log", y_range=(LEAST_SCORE, HIGHEST))
        curve = plot.line("x", "y", source=self._score, line_color=INK, line_width=1.8)
        dots = plot.scatter("x", "y", source=self._score, size=4, fill_color=INK, line_color=None)
        words = plot.text(
            "x", LABEL_AT, text="text", source=self._labels, text_color=INK, text_font_size="12px",
            text_font_style="bold", text_baseline="middle", text_align="align",
        )  # fmt: skip
        for part in (curve, dots, words):
            part.glyph.tags = ["ink"]
        plot.add_layout(self._threshold)
        plot.yaxis[0].formatter = NumeralTickFormatter(format="0.[000]")
        return plot

    def _loss_plot(self) -> figure:
        plot = self._plot("loss", 180, x_axis_type="linear", y_axis_type="log", x_range=DataRange1d(), shaded=False)
        plot.xaxis.axis_label = "epoch"
        plot.xaxis[0].ticker.min_interval = 1
        for part in (
            plot.line("x", "y", source=self._loss, line_color=BLUE, line_width=1.8),
            plot.scatter("x", "y", source=self._loss, size=6, fill_color=BLUE, line_color=None),
        ):
            part.glyph.tags = ["stream"]
        return plot

    def _plot(self, name: str, height: int, shaded: bool = True, **options: Any) -> figure:
        settings: dict[str, Any] = {"x_range": self._x, "x_axis_type": "datetime"} | options
        plot = figure(
            name=name, height=height, sizing_mode="stretch_width", toolbar_location=None, tools="",
            background_fill_color=None, border_fill_color=None, outline_line_color=None,
            min_border_left=52, min_border_right=10, min_border_top=6, **settings,
        )  # fmt: skip
        for axis in (*plot.xaxis, *plot.yaxis):
            axis.update(
                minor_tick_line_color=None, major_label_text_font_size="11px", axis_label_text_font_size="12px"
            )
        if shaded:
            plot.vstrip("x0", "x1", source=self._alarms, fill_color=ALARM, fill_alpha=FAINT, line_color=None)
            plot.vstrip(
                "x0", "x1", source=self._gaps, fill_color=GREY, fill_alpha=0.2, line_color=None,
                hatch_pattern="/", hatch_color=GREY, hatch_alpha=0.6,
            )  # fmt: skip
        return plot


def _source(*columns: str) -> ColumnDataSource:
    return ColumnDataSource({column: [] for column in columns})


def _set(source: ColumnDataSource, **columns: Array | list[float] | list[str]) -> None:
    """Change a source's data, if they are other data: each change goes to the browser."""
    if not all(np.array_equal(source.data[name], column) for name, column in columns.items()):
        source.data = columns


def _short(text: str) -> str:
    return text if len(text) <= LABEL else text[: LABEL - 1] + "…"
