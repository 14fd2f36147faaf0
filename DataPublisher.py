"""The publisher node: two parallel streams, sin and cos, on one Gravity data product.

Each sample is two messages with the same timestamp, one of each stream. From sample ANOMALY_START on, the
second stream's phase grows twice as fast, so that the two no longer belong together as before.
"""

from __future__ import annotations

import cluster.interruptible  # noqa: F401  before all that takes time to import

import argparse
import math
import time
from collections.abc import Iterator
from datetime import datetime

from anomaly import points
from cluster.program import check, connect, run
from cluster.settings import positive

from gravity import GravityDataProduct, GravityNode, gravity

COMPONENT_ID = "DataPublisher"


def main(anomaly_start: int | None) -> None:
    """Publish until the program is stopped, with an anomaly from sample `anomaly_start` on, if given."""
    node, settings = connect(COMPONENT_ID)
    channel = settings.text("subscription_name", "AutoencoderExample")
    increments = [settings.number("increment1", 0.05), settings.number("increment2", 0.05)]
    rate = settings.number("sample_rate", 10, above=0)

    check(node, node.registerDataProduct(channel, gravity.TCP), f"registering {channel}")
    print(f"publishing sin and cos on {channel}, {rate:g} samples a second")

    phases = [0.0, 0.0]
    for number, timestamp in clock(rate):
        if number == anomaly_start:
            increments[1] *= 2
            time_of_day = datetime.fromtimestamp(timestamp / 1e6).strftime("%H:%M:%S.%f")[:-3]
            print(f"{time_of_day}  the anomaly begins with sample {number}")
        publish(node, channel, "sin", timestamp, math.sin(phases[0]))
        publish(node, channel, "cos", timestamp, math.cos(phases[1]))
        phases = [phase + increment for phase, increment in zip(phases, increments, strict=True)]


def publish(node: GravityNode, channel: str, stream: str, timestamp: int, value: float) -> None:
    """Publish one point of one stream."""
    product = GravityDataProduct(channel)
    product.data = points.message(stream, timestamp, value)
    node.publish(product)


def clock(rate: float) -> Iterator[tuple[int, int]]:
    """Yield a sample's number (from 1 on) and its time in microseconds since the epoch, when that time has come.

    The times are counted from the first one, so that they do not drift, however long a sample takes.
    """
    start, start_time = time.monotonic(), time.time()
    number = 1
    while True:
        elapsed = (number - 1) / rate
        time.sleep(max(0.0, start + elapsed - time.monotonic()))
        yield number, round((start_time + elapsed) * 1e6)
        number += 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="DataPublisher.py", description=__doc__)
    parser.add_argument(
        "anomaly_start", metavar="ANOMALY_START", nargs="?", type=positive, help="a sample number, 1 or more"
    )
    arguments = parser.parse_args()
    run(COMPONENT_ID, lambda: main(arguments.anomaly_start))
