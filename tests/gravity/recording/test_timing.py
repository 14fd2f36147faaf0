"""When recorded messages are due, and the pace that a user can change."""

from __future__ import annotations

import math

import pytest

from gravity_recording import Recorded
from gravity_recording.timing import Pace, timed


def received(*times: int) -> list[Recorded]:
    return [Recorded(at, b"", "P", "", "") for at in times]


@pytest.mark.parametrize(
    ("times", "due"),
    [
        ([], []),
        ([10**15, 10**15 + 7], [0, 7e-6]),
        ([100, 90, 1_000_100], [0, 0, 1]),  # the clock went backwards
    ],
)
def test_recorded_times(times: list[int], due: list[float]) -> None:
    assert [at for at, _ in timed(received(*times))] == due


def test_recorded_times_from_a_beginning() -> None:
    assert [at for at, _ in timed(received(3_000_000), 1_000_000)] == [2]


def test_a_pace() -> None:
    pace = Pace(100.0, speed=2.0)
    assert pace.at(101) == 2 and pace.wait(6, 101) == 2 and pace.wait(1, 101) < 0
    pace.change(101, speed=4.0)
    assert pace.at(101) == 2 and pace.at(102) == 6 and pace.wait(10, 102) == 1


def test_a_pause() -> None:
    pace = Pace(0.0, paused=True)
    assert pace.wait(0, 0) == pace.wait(5, 100) == math.inf
    pace.move(3, 100)  # a step
    assert pace.at(200) == 3 and pace.wait(3, 200) == math.inf
    pace.change(200, paused=False)
    assert pace.wait(4, 200) == 1 and pace.at(201) == 4
    pace.change(201, paused=True)
    assert pace.at(300) == 4
