from queue import Empty

import pytest

from cluster.arrivals import MOST, Arrivals

from gravity import GravityDataProduct


def some(count: int) -> list[GravityDataProduct]:
    return [GravityDataProduct("P")] * count


def test_all_that_wait_come_at_once_and_the_end_after_them():
    arrivals = Arrivals()
    first = some(2)
    for products in (first, some(3), None):
        arrivals.put(products)
    assert len(arrivals.get(timeout=1) or ()) == 5 and len(first) == 2, "a callback's list is left as it is"
    assert arrivals.get(timeout=1) is None


def test_a_long_backlog_comes_in_portions():
    arrivals = Arrivals()
    for _ in range(3):
        arrivals.put(some(MOST - 1))
    assert [len(arrivals.get(timeout=1) or ()) for _ in range(2)] == [2 * (MOST - 1), MOST - 1]
    with pytest.raises(Empty):
        arrivals.get(timeout=0.01)
