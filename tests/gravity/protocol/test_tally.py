"""What happens often is told now and then, and every time is counted."""

from __future__ import annotations

from gravity.protocol.tally import Tally


def test_the_first_is_told_at_once_and_later_ones_together() -> None:
    tally = Tally(pause=10)
    assert [tally.add(now) for now in (100, 101, 109, 110, 111)] == [1, 0, 0, 3, 0]
    assert tally.total == 5


def test_the_rest_is_told_once() -> None:
    tally = Tally()
    assert tally.rest() == 0
    for now in (1, 2, 3):
        tally.add(now)
    assert [tally.rest(), tally.rest()] == [2, 0]
