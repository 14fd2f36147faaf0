"""What happens often is told now and then, and every time is counted."""

from __future__ import annotations

from gravity.log.throttle import ThrottledCount


def test_the_first_is_told_at_once_and_later_ones_together() -> None:
    count = ThrottledCount(pause=10)
    assert [count.add(now) for now in (100, 101, 109, 110, 111)] == [1, 0, 0, 3, 0]
    assert count.total == 5


def test_the_rest_is_told_once() -> None:
    count = ThrottledCount()
    assert count.take_unreported() == 0
    for now in (1, 2, 3):
        count.add(now)
    assert [count.take_unreported(), count.take_unreported()] == [2, 0]
