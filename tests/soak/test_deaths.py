"""Nodes that are killed at any moment and come back, in any order: the streams go on, and nothing raises an alarm."""

from __future__ import annotations

import contextlib
import itertools
import time
from pathlib import Path

from tests.soak.cluster import Cluster
from tests.soak.conftest import Soak
from tests.support import NODES

LIMIT = 5.0  # seconds until streaming
LOADING_TIME = 10.0  # seconds within which TensorFlow is loaded even on a busy machine; the long form measures it


def test_killed_nodes_stream_again(detecting: Cluster, soak: Soak):
    """Each node alone, and each two at once; a node that starts later finds all of them, too.

    A detector is back when it has loaded TensorFlow.
    """
    victims = [(name,) for name in NODES] * 60 + list(itertools.combinations(NODES, 2)) * 20
    soak.random.shuffle(victims)
    if not soak.long:
        victims = [("ServiceDirectory", "DataPublisher"), ("AnomalyDetector",), ("ServiceDirectory",)]
    loading = detecting.loading_time() if soak.long else LOADING_TIME
    slowest = dict.fromkeys(NODES, 0.0)
    killed = dict.fromkeys(NODES, 0)
    late = 0
    before = len(detecting.alarms)
    for number in soak.rounds(quick=len(victims), long=len(victims), minutes=60):
        dying = victims[number]
        time.sleep(soak.random.random())  # the moment is what is tested
        detecting.kill(*dying)
        time.sleep(soak.random.random() * 2)
        back = detecting.start(*soak.random.sample(dying, len(dying)))
        detecting.streams(4 * LIMIT)
        detecting.newcomer_receives("AutoencoderExample", "AnomalyScore", seconds=LIMIT)
        took = time.monotonic() - back
        late += took > LIMIT + (loading if "AnomalyDetector" in dying else 0)
        for name in dying:
            killed[name] += 1
            slowest[name] = max(slowest[name], took)
        print(f"{' and '.join(dying)}: {took:.2f} s")
    counts = ", ".join(f"{name} {killed[name]} times (slowest {slowest[name]:.1f} s)" for name in NODES)
    alarms = len(detecting.alarms) - before
    soak.report(f"killed {counts}, TensorFlow takes {loading:.1f} s; {late} too late, {alarms} false alarms")
    assert late == alarms == 0


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
