"""Many streams' curves as whole numbers, which a page draws faster, and gets in fewer bytes, than full plots."""

from __future__ import annotations

from typing import Any

import numpy as np

from dashboard.history import Array
from dashboard.live import Live

FINE = 1000  # a curve's highest x and y
MOST = 240  # points of a curve
ROOM = 0.08  # above and below the curves, of their height
LEAST_HEIGHT = 1e-3  # of a plot, in the stream's unit, or relative to a value above 1


def small_plots(live: Live, seconds: float, places: int) -> dict[str, Any]:
    """Return the last `seconds` of the streams in `places` places, as JSON can hold it.

    x and y of `curves`, measured and rebuilt, and of the spans of `gaps` and `alarms` go from 0 to FINE. `low` and
    `high`: the least and the greatest value.
    """
    shown = live.shown(seconds, places, MOST)

    def across(times: Array | list[float]) -> list[int]:
        return _fine(np.asarray(times, np.float64), shown.begin, shown.end)

    plots = []
    for name, *curves in shown.streams:
        values = np.concatenate([y for _, y in curves])
        low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 0.0)
        room = ROOM * (high - low) or LEAST_HEIGHT / 2 * max(1.0, abs(high))
        plots.append(
            {
                "name": name,
                "low": low,
                "high": high,
                "curves": [[across(x), _fine(y, low - room, high + room)] for x, y in curves],
                "blamed": [alarm.blamed == name for alarm in shown.alarms],
            }
        )
    return {
        "plots": plots,
        "gaps": [across(gap) for gap in map(list, shown.gaps)],
        "alarms": [across([alarm.begin, shown.end if alarm.end is None else alarm.end]) for alarm in shown.alarms],
    }


def _fine(values: Array, low: float, high: float) -> list[int]:
    """Return where values lie between `low` and `high`, in steps of 1 / FINE."""
    where: list[int] = np.rint(FINE * np.clip((values - low) / ((high - low) or 1), 0, 1)).astype(int).tolist()
    return where
