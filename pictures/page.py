"""What a picture shows, whatever format it gets."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# Okabe and Ito's colours, which colour-blind readers can tell apart.
LINE, LINE_ON_DARK, LIMIT, ALARM, GAP = "#0072B2", "#56B4E9", "#CC79A7", "#D55E00", "#999999"

APART = 0.02  # of the width of a chart: numbers of alarms that are closer together would overlap

Floats = NDArray[np.floating]


class Span(NamedTuple):
    """A stretch of the x axis, with a number and what it is; `here`: whether it concerns this chart above all."""

    begin: float
    end: float
    label: str = ""
    text: str = ""
    here: bool = False


class Chart(NamedTuple):
    """A line of `y` over `x`, both of shape (n,).

    `time`: whether x are milliseconds since 1970, local time. `limit`: a horizontal line with a name.
    """

    title: str
    x: Floats
    y: Floats
    time: bool = False
    log: bool = False
    limit: tuple[float, str] | None = None
    alarms: tuple[Span, ...] = ()
    gaps: tuple[Span, ...] = ()
    dots: bool = False


class Bars(NamedTuple):
    """A bar, or a dot on a logarithmic axis, and a text for each row; `values`, shape (n_rows,); NaN for none."""

    title: str
    values: Floats
    texts: tuple[str, ...]
    log: bool = False


class Ridges(NamedTuple):
    """A distribution for each row: `shares`, shape (n_rows, n_bins), between `edges`, powers of ten.

    At `limit` there is a vertical line with a name.
    """

    title: str
    edges: Floats
    shares: Floats
    limit: tuple[float, str]


class Rows(NamedTuple):
    """Pictures side by side, with a row for each name."""

    title: str
    names: tuple[str, ...]
    columns: tuple[Bars | Ridges, ...]


class Table(NamedTuple):
    """Cells of text below a header."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


class Page(NamedTuple):
    """A title, what there is to say, and pictures from top to bottom."""

    title: str
    remarks: tuple[str, ...]
    pictures: tuple[Chart | Rows | Table, ...]


def colours(charts: Sequence[Chart]) -> list[tuple[str, str]]:
    """Return the colours that occur, and what they mean."""
    kinds = [
        (ALARM, "alarm (darker: score, and the stream to blame)", any(chart.alarms for chart in charts)),
        (GAP, "samples are missing", any(chart.gaps for chart in charts)),
        *((LIMIT, name, True) for name in dict.fromkeys(chart.limit[1] for chart in charts if chart.limit)),
    ]
    return [(colour, text) for colour, text, there in kinds if there]


def place(values: Floats, log: bool) -> Floats:
    """Return where values lie between the ends of an axis, from 0 to 1: of 0 to 1, or of whole powers of ten."""
    if not log:
        return np.clip(values, 0, 1)
    logs = np.log10(values)
    low, high = np.floor(np.nanmin(logs)), np.ceil(np.nanmax(logs))
    placed: Floats = (logs - low) / max(high - low, 1)
    return placed


def ends(charts: Sequence[Chart]) -> tuple[float, float]:
    """Return the ends of the x axis that charts share."""
    found = [end for chart in charts if len(chart.x) for end in (chart.x[0], chart.x[-1])] or [0.0]
    margin = 0.01 * (max(found) - min(found)) or 1.0
    return float(min(found) - margin), float(max(found) + margin)


def apart(spans: Iterable[Span], least: float) -> list[Span]:
    """Return those spans that begin at least so far from the one before that their labels do not overlap."""
    chosen: list[Span] = []
    for span in spans:
        if not chosen or span.begin - chosen[-1].begin >= least:
            chosen.append(span)
    return chosen


def shortened(text: str, most: int) -> str:
    """Return `text`, or as much of it as fits into `most` characters."""
    return text if len(text) <= most else text[: most - 1] + "…"
