"""What arrives, and what a slow subscriber costs its publisher."""

from __future__ import annotations

import json
import statistics
from typing import Any

from tests.soak.conftest import Soak
from tests.support import PROJECT, Folder

NUMBERS = str(PROJECT / "tests" / "soak" / "numbered.py")
P99, P99_WHEN_BUSY = 0.001, 0.02  # seconds that `publish` may take; the default run shares its processors
LONGEST = 1.2  # seconds: a second's patience with a slow subscriber


def run(
    folder: Folder, *, count: int, rate: int, size: int = 8, pause: float = 0, stall: float = 0
) -> dict[str, Any]:
    """Send numbered messages from one process to another; return what both have measured."""
    if not folder.processes():
        folder.directory()
    subscriber = folder.node(NUMBERS, "subscribe", str(pause), str(stall))
    publisher = folder.node(NUMBERS, "publish", str(count), str(rate), str(size))
    assert publisher.wait(300) == subscriber.wait(60) == 0, publisher.errors + subscriber.errors
    sent, received = json.loads(publisher.lines[-1]), json.loads(subscriber.lines[-1])
    return sent | received | {"reports": sent["reports"], "full": received["reports"]}


def test_nothing_is_lost_at_10_000_a_second(folder: Folder, soak: Soak):
    """Nothing comes twice or out of order either."""
    found = run(folder, count=1_000_000 if soak.long else 20_000, rate=10_000)
    soak.report(
        f"{found['sent']} sent at {found['rate']:.0f}/s, {found['sent'] - found['received']} lost, "
        f"{found['twice']} twice, {found['out_of_order']} out of order"
    )
    assert found["rate"] > 9_000
    assert found["received"] == found["sent"]
    assert found["twice"] == found["out_of_order"] == 0


def test_a_subscriber_that_sleeps_does_not_delay_its_publisher(folder: Folder, soak: Soak):
    found = run(folder, count=60_000 if soak.long else 1_000, rate=1_000, pause=0.02)
    soak.report(f"{found['sent']} sent, p99 of publish {found['p99'] * 1000:.3f} ms, all received")
    assert found["received"] == found["sent"]
    assert found["p99"] < (P99 if soak.long else P99_WHEN_BUSY)


def test_a_subscriber_that_is_slower_delays_its_publisher_and_loses_nothing(folder: Folder, soak: Soak):
    found = run(folder, count=100_000 if soak.long else 4_000, rate=0, size=10_000, pause=0.02)
    soak.report(f"{found['sent']} sent at {found['rate']:.0f}/s, longest publish {found['longest'] * 1000:.0f} ms")
    assert found["longest"] < LONGEST
    assert found["received"] == found["sent"]
    assert found["reports"] == found["twice"] == found["out_of_order"] == 0


def test_what_a_stuck_subscriber_misses_is_reported(folder: Folder, soak: Soak):
    """The publisher says how often a message found no room; the subscriber missed at least as many."""
    stall = 3 if soak.long else 2
    rounds = soak.rounds(quick=1, long=20, minutes=5)
    runs = [run(folder, count=10_000, rate=5_000, size=10_000, stall=stall) for _ in rounds]
    totals = {key: sum(found[key] for found in runs) for key in ("sent", "received", "reports", "full")}
    with_room = statistics.median(found["p99_with_room"] for found in runs)
    longest = max(found["longest"] for found in runs)
    soak.report(
        f"{len(runs)} stalls: {totals['sent']} sent, {totals['received']} received, "
        f"{totals['sent'] - totals['received']} lost; reported {totals['reports']} times by the publisher and "
        f"{totals['full']} by the subscriber; p99 of publish while there is room {with_room * 1000:.3f} ms, "
        f"longest publish {longest * 1000:.0f} ms"
    )
    for found in runs:
        assert 0 < found["reports"] <= found["sent"] - found["received"] and found["full"] > 0
        assert found["twice"] == found["out_of_order"] == 0
    assert with_room < (P99 if soak.long else P99_WHEN_BUSY)
    assert longest < LONGEST
