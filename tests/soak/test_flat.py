"""Memory, threads and descriptors stay flat, at any rate, and also if more arrives than can be scored."""

from __future__ import annotations

import contextlib
import re
import time
from pathlib import Path

import pytest

from tests.soak.cluster import Cluster, Footprint, growth
from tests.soak.conftest import Soak
from tests.support import NODES, PROJECT, eventually

MOST_GROWTH = 4.0  # MB from the middle third of the time to the last
SLOW_DETECTOR = str(PROJECT / "tests" / "soak" / "slow_detector.py")


def watch(cluster: Cluster, seconds: float) -> dict[str, list[Footprint]]:
    """Return what each node took, looked at many times."""
    taken: dict[str, list[Footprint]] = {name: [] for name in NODES}
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        for name in NODES:
            taken[name].append(cluster.footprint(name))
        time.sleep(min(5.0, seconds / 30))
    return taken


def described(taken: dict[str, list[Footprint]]) -> str:
    return "; ".join(
        f"{name} {f[-1].memory:.1f} MB ({growth(f).memory:+.2f}), {f[-1].threads} threads ({growth(f).threads:+g}), "
        f"{f[-1].descriptors} descriptors ({growth(f).descriptors:+g})"
        for name, f in taken.items()
    )


@pytest.mark.parametrize(("rate", "minutes"), [(10, 60), (2000, 10)])
def test_everything_stays_flat(detecting: Cluster, soak: Soak, rate: int, minutes: int):
    if not soak.long and rate < 100:
        pytest.skip("takes an hour")
    alarms = len(detecting.alarms)
    detecting.set_rate(rate)
    detecting.streams(30)
    begin, before = time.monotonic(), detecting.progress
    taken = watch(detecting, minutes * 60 if soak.long else 3)
    scored = (detecting.progress - before) * 20 / (time.monotonic() - begin)
    soak.report(f"{scored:.0f} samples/s scored; {described(taken)}; {len(detecting.alarms) - alarms} alarms")
    for name in NODES:
        grown = growth(taken[name])
        assert grown.memory < MOST_GROWTH and grown.threads == grown.descriptors == 0, name
    assert scored > 0.8 * rate - 20
    assert len(detecting.alarms) == alarms


def test_an_overload_drops_the_oldest_and_invents_no_alarm(tmp_path: Path, soak: Soak):
    """Three times as many samples arrive as the detector can carry, or more."""
    rate = 3_000 if soak.long else 600  # samples a second
    room = 300_000 if soak.long else 400  # points that may wait; the long form has the reader's own limit
    detector = (SLOW_DETECTOR, str(3 / rate), str(room))
    dropped = re.compile(r"dropped the oldest points.*?(?:\((\d+) so far\))?$")
    slow = Cluster(tmp_path / "cluster", detector, sample_rate=rate, window_stride=1)
    with contextlib.closing(slow) as cluster:
        cluster.start(*NODES)
        cluster.streams(180)
        lines = cluster.nodes["AnomalyDetector"].lines
        eventually(lambda: any(dropped.search(line) for line in list(lines)), 300)
        begin, before = time.monotonic(), cluster.progress
        taken = watch(cluster, 180 if soak.long else 4)
        carried = (cluster.progress - before) / (time.monotonic() - begin)
        counts = [m[1] for line in list(lines) if (m := dropped.search(line))]
        soak.report(f"{carried:.0f} of {rate} samples/s scored; {described(taken)}; dropped {counts[-1]} so far")
        assert carried < rate / 3
        assert growth(taken["AnomalyDetector"]).memory < (MOST_GROWTH if soak.long else 20)
        assert not cluster.alarms
