"""Samples are yielded when they are due."""

import logging
import math
from itertools import islice

import pytest

from streams import sources
from streams.csv_file import Row


class Clock:
    """Stands in for the module `time`: sleeping takes no time."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def time(self) -> float:
        return 1000.0 + self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(sources, "time", clock)
    return clock


def test_rows_with_times_keep_them_and_come_at_the_speed(clock: Clock, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    rows = [Row(5_000_000, {"a": 1.0}), Row(7_000_000, {"a": 2.0}), Row(8_000_000, {}), Row(108_000_000, {"a": 3.0})]
    came = [(clock.now, timestamp) for timestamp, _ in sources.at_own_times(rows, speed=4)]
    assert came == [(0, 5_000_000), (0.5, 7_000_000), (0.75, 8_000_000), (25.75, 108_000_000)]
    assert caplog.messages == ["the next data are due in 25 s"]


def test_a_time_centuries_away_can_be_waited_for(clock: Clock):
    rows = [Row(0, {}), Row(20_000_000_000_000_000, {})]
    assert len(list(sources.at_own_times(rows, speed=1))) == 2
    assert max(clock.slept) <= 1e6 and clock.now == pytest.approx(2e10)


def test_rows_without_times_are_stamped_by_the_clock_also_where_one_is_empty(clock: Clock):
    rows = [Row(0, {"a": 1.0}), Row(0, {}), Row(0, {"a": 3.0})]
    samples = list(sources.at_rate(rows, rate=4))
    assert samples == [(1_000_000_000, {"a": 1.0}), (1_000_250_000, {}), (1_000_500_000, {"a": 3.0})]
    assert clock.now == 0.5  # nothing is waited for after the last row


def test_sine_waves_change_at_the_anomaly(clock: Clock, caplog: pytest.LogCaptureFixture):
    samples = list(islice(sources.sine_waves(10, (0.05, 0.05), anomaly_start=5), 8))
    assert [values["sin"] for _, values in samples] == pytest.approx([math.sin(0.05 * n) for n in range(8)])
    phases = [0.05 * n for n in (0, 1, 2, 3, 5, 7, 9, 11)]  # sample 5 is the first that differs
    assert [values["cos"] for _, values in samples] == pytest.approx([math.cos(phase) for phase in phases])
    assert caplog.messages == ["the anomaly starts at sample 5"]
