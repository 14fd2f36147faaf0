"""When another domain's directory counts as there, as restarted and as gone."""

from __future__ import annotations

import pytest

from gravity.directory.state.neighbours import Appeared, Neighbours, Vanished
from gravity.protocol.directory_messages import Broadcast
from gravity.protocol.limits import MOST_DOMAINS

URL = "tcp://10.0.0.2:5555"


def far(started: int = 1, *, url: str = URL, rate: int = 10, domain: str = "far") -> Broadcast:
    return Broadcast(domain, url, started, rate)


def heard(times: int = 3) -> Neighbours:
    """One domain, heard so many times, last at 0 s."""
    neighbours = Neighbours("home", ["far"])
    for _ in range(times):
        neighbours.hear(far(), 0)
    return neighbours


def test_a_domain_is_there_after_its_third_broadcast() -> None:
    neighbours = Neighbours("home", ["far"])
    assert [neighbours.hear(far(), now) for now in (0, 10)] == [None, None]
    assert neighbours.domains == []
    assert neighbours.hear(far(), 20) == Appeared("far", URL)
    assert neighbours.domains == ["far"]
    assert neighbours.hear(far(), 30) is None


@pytest.mark.parametrize("wanted", [[], ["other"], ["fa"]])
def test_domains_that_nobody_wants(wanted: list[str]) -> None:
    neighbours = Neighbours("home", wanted)
    assert [neighbours.hear(far(), now) for now in range(5)] == [None] * 5


def test_all_domains_but_the_own() -> None:
    neighbours = Neighbours("home", ["*"])
    for now in range(3):
        for domain in ("home", "b", "a"):
            neighbours.hear(far(domain=domain), now)
    assert neighbours.domains == ["a", "b"]


def test_a_directory_that_has_started_anew_appears_again() -> None:
    neighbours = heard()
    assert neighbours.hear(far(2, url="tcp://10.0.0.3:5555"), 10) == Appeared("far", "tcp://10.0.0.3:5555")
    assert neighbours.hear(far(2), 20) is None


def test_a_domain_is_gone_when_three_broadcasts_are_missed() -> None:
    neighbours = heard()
    assert list(neighbours.miss(34.9)) == []
    assert neighbours.domains == ["far"]
    assert list(neighbours.miss(35)) == [Vanished("far")]
    assert neighbours.domains == []
    assert list(neighbours.miss(100)) == []


def test_two_missed_broadcasts_are_forgiven() -> None:
    neighbours = heard()
    assert list(neighbours.miss(25)) == []
    neighbours.hear(far(), 26)
    assert list(neighbours.miss(50)) == []
    assert list(neighbours.miss(51 + 10)) == [Vanished("far")]


def test_a_domain_that_was_never_there_does_not_vanish() -> None:
    neighbours = heard(2)
    assert list(neighbours.miss(1000)) == []
    assert [neighbours.hear(far(), 1000 + n) for n in range(3)] == [None, None, Appeared("far", URL)]


def test_a_domain_that_is_gone_must_be_heard_three_times_again() -> None:
    neighbours = heard()
    assert list(neighbours.miss(1000)) == [Vanished("far")]
    assert [neighbours.hear(far(), 1000 + n) for n in range(3)] == [None, None, Appeared("far", URL)]


def test_a_rate_of_zero_counts_as_a_second() -> None:
    neighbours = Neighbours("home", ["far"])
    for _ in range(3):
        neighbours.hear(far(rate=0), 0)
    assert list(neighbours.miss(3.4)) == []
    assert list(neighbours.miss(3.5)) == [Vanished("far")]


def test_the_number_of_domains_is_limited() -> None:
    neighbours = Neighbours("home", ["*"])
    for now in range(3):
        for number in range(2 * MOST_DOMAINS):
            neighbours.hear(far(domain=f"d{number:03}"), now)
    assert len(neighbours.domains) == MOST_DOMAINS
    list(neighbours.miss(100))
    assert neighbours.domains == []


def test_a_domain_with_an_unprintable_name() -> None:
    neighbours = Neighbours("home", ["*"])
    assert [neighbours.hear(far(domain="x\x1b[2J"), now) for now in range(5)] == [None] * 5


def test_a_domain_that_promises_to_come_back_in_years_is_gone_in_hours() -> None:
    neighbours = Neighbours("home", ["far"])
    for _ in range(3):
        neighbours.hear(far(rate=2**31), 0)
    assert list(neighbours.miss(20_000)) == [Vanished("far")]
