"""A PNG or SVG image of a page."""

from __future__ import annotations

import io
import warnings
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgba
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from pictures.page import (
    ALARM,
    APART,
    GAP,
    LIMIT,
    LINE,
    Bars,
    Chart,
    Page,
    Ridges,
    Rows,
    Span,
    Table,
    apart,
    colours,
    ends,
    place,
    shortened,
)
from pictures.thinned import Thinned

WIDTH = 11.0  # inches, as all lengths here
MARGIN_LEFT, MARGIN_RIGHT = 0.9, 0.25
LINE_HEIGHT = 0.22
CHART, FIRST_CHART = 0.62, 1.25
ROW = 0.32
BETWEEN = 0.3  # pictures, for the title of the next
AXIS = 0.25  # for the numbers below a chart
POINTS = 1500  # stretches of a line: more than there are pixels
ALL_POINTS = 60_000  # of all lines: bounds the size of an SVG
MOST_ROWS = 40  # of a table
LONGEST = 60  # characters of a name
DPI = 120
SOFT = "#555555"
PLAIN = FuncFormatter(lambda value, _: f"{value:g}")
STYLE = {
    "font.size": 9,
    "font.family": "sans-serif",
    "text.parse_math": False,  # names are text
    "axes.edgecolor": "#cccccc",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "svg.fonttype": "none",  # text stays text
    "svg.hashsalt": "picture",
}


def image(page: Page, kind: str) -> bytes:
    """Return the page as an image; `kind`: png or svg."""
    charts = [picture for picture in page.pictures if isinstance(picture, Chart)]
    edges = charts[:1] + charts[-1:]  # these show the times
    heights = [
        _height(picture, bool(charts) and picture is charts[0], any(picture is edge for edge in edges))
        for picture in page.pictures
    ]
    key = colours(charts)
    points = min(POINTS, ALL_POINTS // max(len(charts), 1))
    head = LINE_HEIGHT * (len(page.remarks) + 1.6 + bool(key))
    total = head + sum(heights) + 0.1
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # no font holds all that a name may
        figure = Figure((WIDTH, total))
        top = total - 0.08
        _text(figure, 0.15, top, page.title, size=13, weight="bold")
        for remark in page.remarks:
            top -= LINE_HEIGHT
            _text(figure, 0.15, top - 0.12, shortened(remark, 150))
        left = 0.15
        for colour, text in key:
            _text(figure, left, top - 0.12 - LINE_HEIGHT, "■", color=colour)
            _text(figure, left + 0.15, top - 0.12 - LINE_HEIGHT, text, color=SOFT)
            left += 0.4 + 0.07 * len(text)
        top = total - head
        for picture, height in zip(page.pictures, heights, strict=True):
            _text(figure, 0.15, top - 0.1, shortened(picture.title, 2 * LONGEST), weight="bold")
            if isinstance(picture, Chart):
                shows_x = any(picture is edge for edge in edges)
                below = AXIS if shows_x else 0.04
                axes = _axes(figure, MARGIN_LEFT, top - height + below, WIDTH - MARGIN_RIGHT, top - BETWEEN)
                _chart(axes, picture, ends(charts), points, numbers=picture is charts[0], shows_x=shows_x)
            elif isinstance(picture, Rows):
                _rows(figure, picture, top - BETWEEN)
            else:
                _table(figure, picture, top - BETWEEN)
            top -= height
        file = io.BytesIO()
        figure.savefig(file, format=kind, dpi=DPI, metadata={"Date": None} if kind == "svg" else None)
    return file.getvalue()


def _height(picture: Chart | Rows | Table, first: bool, shows_x: bool) -> float:
    if isinstance(picture, Chart):
        return BETWEEN + (FIRST_CHART if first else CHART) + (AXIS if shows_x else 0.04)
    if isinstance(picture, Rows):
        return BETWEEN + LINE_HEIGHT + ROW * len(picture.names) + AXIS + 0.1
    return BETWEEN + LINE_HEIGHT * (min(len(picture.rows), MOST_ROWS + 1) + 1) + 0.15


def _axes(figure: Figure, left: float, bottom: float, right: float, top: float) -> Axes:
    """Return axes between these edges, in inches."""
    width, height = figure.get_size_inches()
    return figure.add_axes((left / width, bottom / height, (right - left) / width, (top - bottom) / height))


def _text(figure: Figure, left: float, top: float, text: str, **style: Any) -> None:
    width, height = figure.get_size_inches()
    figure.text(left / width, top / height, text, va="top", **style)


def _chart(axes: Axes, chart: Chart, ends: tuple[float, float], points: int, numbers: bool, shows_x: bool) -> None:
    x, y = _thinned(chart.x, chart.y, points)
    if chart.time:
        x = x / 86_400_000
        locator = AutoDateLocator(maxticks=9)
        axes.xaxis.set_major_locator(locator)
        axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))
    axes.set_xlim(*(_at(chart, end) for end in ends))
    axes.plot(x, y, color=LINE, linewidth=0.8, marker="o" if chart.dots else "", markersize=3)
    axes.set_yscale("log" if chart.log else "linear")
    if chart.log:
        axes.yaxis.set_major_locator(LogLocator(numticks=5))
        axes.yaxis.set_major_formatter(PLAIN)
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.yaxis.set_major_locator(MaxNLocator(3, steps=[1, 2, 5, 10]))
    axes.tick_params(which="both", length=0, labelbottom=shows_x)
    if chart.limit:
        axes.axhline(chart.limit[0], color=LIMIT, linewidth=1.5)
    axes.set_ylim(*axes.get_ylim())  # what is shaded does not count
    _shade(axes, chart, chart.gaps, GAP)
    _shade(axes, chart, chart.alarms, ALARM)
    if numbers:
        for span in apart(chart.alarms, APART * (ends[1] - ends[0])):
            axes.annotate(
                span.label, (_at(chart, span.begin), 1), xycoords=("data", "axes fraction"), xytext=(0, 1),
                textcoords="offset points", va="bottom", color=ALARM, weight="bold", size=8,
            )  # fmt: skip


def _at(chart: Chart, x: float) -> float:
    """Return x in the units of the axis: matplotlib's times are days since 1970."""
    return x / 86_400_000 if chart.time else x


def _shade(axes: Axes, chart: Chart, spans: tuple[Span, ...], colour: str) -> None:
    places = [(_at(chart, span.begin), _at(chart, span.end) - _at(chart, span.begin)) for span in spans]
    shades = [to_rgba(colour, 0.4 if span.here else 0.15) for span in spans]
    # The line makes a stretch visible that is shorter than a pixel.
    axes.broken_barh(
        places, (0, 1), transform=axes.get_xaxis_transform(), facecolors=shades, edgecolors=shades, linewidth=0.6,
        zorder=3,
    )  # fmt: skip


def _thinned(x: np.ndarray, y: np.ndarray, points: int) -> tuple[np.ndarray, np.ndarray]:
    if len(x) <= 2 * points:
        return x, y
    thinned = Thinned(1, points // 2 * 2)
    thinned.add(x.astype(np.int64).tolist(), y[:, None].tolist())
    times, values = thinned.lines()
    breaks = x[np.isnan(y)]
    at = np.searchsorted(times, breaks, side="right")
    return np.insert(times.astype(float), at, breaks), np.insert(values[:, 0], at, np.nan)


def _rows(figure: Figure, rows: Rows, top: float) -> None:
    """Draw pictures side by side, with a row for each name."""
    longest = min(max(map(len, rows.names)), 30)
    left = 0.3 + 0.075 * longest
    each = (WIDTH - MARGIN_RIGHT - left) / len(rows.columns)
    bottom = top - LINE_HEIGHT - ROW * len(rows.names)
    for number, name in enumerate(rows.names):
        _text(figure, 0.15, top - LINE_HEIGHT - ROW * (number + 0.25), shortened(name, 30))
    for number, column in enumerate(rows.columns):
        begin = left + number * each
        _text(figure, begin, top - 0.03, column.title, color=SOFT)
        share = 0.6 if isinstance(column, Bars) else 0.92
        axes = _axes(figure, begin, bottom, begin + each * share, top - LINE_HEIGHT)
        axes.set_ylim(len(rows.names), 0)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.tick_params(which="both", length=0)
        if isinstance(column, Bars):
            _bars(axes, column)
        else:
            _ridges(axes, column)


def _bars(axes: Axes, bars: Bars) -> None:
    at = place(bars.values, bars.log)
    middle = np.arange(len(at)) + 0.5
    axes.set_xlim(-0.03, 1.03)
    axes.set_xticks([])
    axes.grid(False)
    axes.spines["bottom"].set_visible(False)
    axes.hlines(middle, 0, 1, color="#dddddd", linewidth=0.8, zorder=0)
    if bars.log:
        axes.plot(at, middle, "o", color=LINE, markersize=5)
    else:
        axes.barh(middle, at, height=0.45, color=LINE)
    for y, text in zip(middle, bars.texts, strict=True):
        axes.annotate(text, (1.06, y), va="center", annotation_clip=False)


def _ridges(axes: Axes, ridges: Ridges) -> None:
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(PLAIN)
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set_xlim(ridges.edges[0], ridges.edges[-1])
    for number, shares in enumerate(ridges.shares):
        height = 0.9 * shares / max(shares.max(), 1e-12)
        axes.stairs(number + 1 - height, ridges.edges, baseline=number + 1, fill=True, color=LINE)
    axes.axvline(ridges.limit[0], color=LIMIT, linewidth=1.5)


def _table(figure: Figure, table: Table, top: float) -> None:
    shown = [tuple(shortened(cell, LONGEST) for cell in row) for row in table.rows[-MOST_ROWS:]]
    widths = [max(map(len, column)) for column in zip(table.header, *shown, strict=True)]
    for number, row in enumerate([table.header, *shown]):
        left = 0.15
        for cell, width in zip(row, widths, strict=True):
            _text(figure, left, top - number * LINE_HEIGHT, cell, color=SOFT if number == 0 else "black")
            left += 0.25 + 0.075 * width
    if len(shown) < len(table.rows):
        _text(
            figure,
            0.15,
            top - (len(shown) + 1) * LINE_HEIGHT,
            f"the last {len(shown)} of {len(table.rows)}",
            color=SOFT,
        )
