"""How much was published and received, sample by sample."""

from __future__ import annotations

from gravity.GravityMetricsDataPB_pb2 import GravityMetricsDataPB, GravityMetricsPB
from gravity.roles.metrics import PUBLICATION, SUBSCRIPTION, Metrics


def test_samples_in_parallel_lists() -> None:
    metrics = Metrics()
    metrics.begin(100)
    for size in (10, 20):
        metrics.count(PUBLICATION, "P", size)
    metrics.count(SUBSCRIPTION, "P", 5)
    metrics.sample(200)
    metrics.count(PUBLICATION, "P", 1)
    metrics.sample(300)
    assert metrics.samples == 2
    published = GravityMetricsPB(
        dataProductID="P",
        messageType="PUBLICATION",
        startTime=[100, 200],
        endTime=[200, 300],
        numBytes=[30, 1],
        numMessages=[2, 1],
    )
    received = GravityMetricsPB(
        dataProductID="P",
        messageType="SUBSCRIPTION",
        startTime=[100, 200],
        endTime=[200, 300],
        numBytes=[5, 0],
        numMessages=[1, 0],
    )
    assert metrics.take("Comp", "10.0.0.1") == GravityMetricsDataPB(
        componentID="Comp", ipAddress="10.0.0.1", metrics=[published, received]
    )


def test_what_is_taken_is_gone() -> None:
    metrics = Metrics()
    metrics.count(PUBLICATION, "P", 10)
    metrics.sample(200)
    metrics.take("Comp", "")
    assert metrics.samples == 0
    metrics.sample(300)
    [again] = metrics.take("Comp", "").metrics
    assert (list(again.startTime), list(again.endTime), list(again.numMessages)) == ([200], [300], [0])


def test_nothing_counted() -> None:
    metrics = Metrics()
    metrics.sample(100)
    assert metrics.take("Comp", "ip") == GravityMetricsDataPB(componentID="Comp", ipAddress="ip")


def test_taken_within_a_sample() -> None:
    metrics = Metrics()
    metrics.count(PUBLICATION, "P", 10)
    [counted] = metrics.take("Comp", "").metrics
    assert (counted.dataProductID, list(counted.numMessages)) == ("P", [])
    metrics.sample(100)
    assert list(metrics.take("Comp", "").metrics[0].numMessages) == [1]
