"""Small plots of many streams, as the page gets them."""

import json

import numpy as np
import pytest

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from dashboard.live import Live
from dashboard.small_plots import FINE, MOST, small_plots
from streams.points import Point
from tests.dashboard.test_live import Run

NAMES = tuple(f"s{number:02}" for number in range(64))


@pytest.fixture
def run() -> Run:
    run = Run()
    run.samples(1000, NAMES)
    run.found()
    run.samples(20, NAMES, jump=5)
    run.found(AnomalyScorePB.ANOMALY, 7.0, blamed="s40", kind=AnomalyScorePB.FROZEN)
    run.samples(30, NAMES)
    return run


def test_all_is_whole_numbers_within_the_plot(run: Run):
    shown = small_plots(run.live, 60, 64)
    assert len(shown["plots"]) == 64
    for plot in shown["plots"]:
        (x, y), _rebuilt = plot["curves"]
        assert x == sorted(x) and x[-1] == FINE and len(x) == len(y) <= MOST + 2
        assert all(isinstance(number, int) and 0 <= number <= FINE for number in [*x, *y])
        assert (plot["low"], plot["high"]) == pytest.approx((-1, 1), abs=1e-3)
        assert 0 < min(y) < 0.1 * FINE and 0.9 * FINE < max(y) < FINE
    assert len(json.dumps(shown)) < 64 * MOST * 10


def test_alarms_and_gaps_are_where_they_belong(run: Run):
    shown = small_plots(run.live, 60, 64)
    [(begin, end)] = shown["alarms"]
    assert (begin, end) == (pytest.approx(FINE * 0.95, abs=2), FINE)
    assert [plot["blamed"] for plot in shown["plots"]] == [[True]] + 63 * [[False]]  # that one comes first
    [(begin, end)] = shown["gaps"]
    assert begin < end < FINE and np.isclose(end - begin, FINE * 0.6 / 60, atol=2)


def test_a_constant_has_a_plot_and_so_has_no_data_at_all():
    live = Live(86400)
    live.points(Point("constant", 1_700_000_000_000_000 + number, 7.0) for number in range(50))
    [plot] = small_plots(live, 60, 64)["plots"]
    assert (plot["low"], plot["high"]) == (7, 7)
    assert set(plot["curves"][0][1]) == {FINE // 2} and plot["curves"][1] == [[], []]
    assert small_plots(Live(86400), 60, 64) == {"plots": [], "gaps": [], "alarms": []}
