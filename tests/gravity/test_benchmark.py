"""The benchmark of messages works: its ends find each other, and nothing of what they count is lost."""

from __future__ import annotations

import pytest

from benchmarks.messaging_session import ENCRYPTED, OURS, PLAIN, Contender, Session
from benchmarks.report import median, ratio, table


@pytest.mark.parametrize("contender", [OURS, ENCRYPTED, PLAIN], ids=["ours", "encrypted", "plain"])
def test_both_ends_agree(contender: Contender) -> None:
    with Session(contender, subscribers=2, products=3) as session:
        for _ in range(2):
            ran = session.run(rate=1000, seconds=0.2)
            assert (ran["sent"], ran["lost"]) == (200, 0)
            assert 0 < ran["p50"] <= ran["p99"]
            assert ran["publisher"] > 0 and ran["subscriber"] > 0


def test_tables() -> None:
    assert median([3.0, None, 1.0, 2.0]) == 2 and median([None]) is None
    assert ratio(1.0, 4.0) == 0.25 and ratio(None, 4.0) is None and ratio(1.0, 0.0) is None
    text = table("Title", [{"what": "a", "figure": 12345.6}, {"what": "longer", "figure": None}])
    assert text.splitlines()[1:] == ["Title", "what    figure", "a       12,346", "longer       -"]
