"""Nodes that are killed at any moment and come back, in any order: the streams go on, and nothing raises an alarm."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections import Counter
from pathlib import Path

from tests.soak.cluster import Cluster
from tests.soak.conftest import Soak
from tests.support import NODES

LIMIT = 5.0  # seconds until streaming
LOADING_TIME = 120.0  # seconds that a detector may take to load TensorFlow on a busy machine


def test_killed_nodes_stream_again(detecting: Cluster, soak: Soak):
    """Each node alone, and each two at once; a node that starts later finds all of them, too."""
    victims = [(name,) for name in NODES] * 60 + list(itertools.combinations(NODES, 2)) * 20
    soak.random.shuffle(victims)
    if not soak.long:
        victims = [("ServiceDirectory", "DataPublisher"), ("AnomalyDetector",), ("ServiceDirectory",)]
    killed = Counter[str]()
    loading, others = [], []  # seconds from the return of the last until streaming, with TensorFlow to load or not
    before = len(detecting.alarms)
    for number in soak.rounds(quick=len(victims), long=len(victims), minutes=60):
        dying = victims[number]
        time.sleep(soak.random.random())  # the moment is what is tested
        detecting.kill(*dying)
        time.sleep(soak.random.random() * 2)
        back = detecting.start(*soak.random.sample(dying, len(dying)))
        detecting.streams(LOADING_TIME)
        detecting.newcomer_receives("AutoencoderExample", "AnomalyScore", seconds=LIMIT)
        (loading if "AnomalyDetector" in dying else others).append(time.monotonic() - back)
        killed.update(dying)
    alarms = len(detecting.alarms) - before
    counts = ", ".join(f"{name} {count} times" for name, count in killed.items())
    soak.report(
        f"killed {counts}; streaming after {max(others):.1f} s at most, or {min(loading):.1f} to {max(loading):.1f} s"
        f" with TensorFlow to load; {alarms} false alarms"
    )
    assert max(others) < LIMIT
    assert not alarms


def test_the_nodes_start_in_any_order(tmp_path: Path, soak: Soak):
    """The detector trains, and so needs no TensorFlow to begin."""
    orders = list(itertools.permutations(NODES))
    soak.random.shuffle(orders)
    times = []
    for number in soak.rounds(quick=3, long=20 * len(orders), minutes=30):
        training = Cluster(tmp_path / str(number), ("AnomalyDetector.py", "train"), training_size=5_000)
        with contextlib.closing(training) as cluster:
            for name in orders[number % len(orders)]:
                began = cluster.start(name)
                time.sleep(soak.random.random() * 0.5)
            cluster.streams(4 * LIMIT)
            times.append(time.monotonic() - began)
    late = sum(t > LIMIT for t in times)
    soak.report(f"{len(times) - late} of {len(times)} within {LIMIT:g} s, slowest {max(times):.1f} s")
    assert not late
