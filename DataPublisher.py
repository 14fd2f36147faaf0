"""The publisher node: parallel streams on one Gravity data product, sin and cos or the columns of a CSV file.

Each sample is a message of each stream, all with the same timestamp. From sample ANOMALY_START on, the second
stream's phase (that of cos) grows twice as fast, so that the two no longer belong together as before.
"""

from __future__ import annotations

import cluster.interruptible  # noqa: F401  before all that takes time to import

import argparse
import math
import time
from datetime import datetime

from anomaly import points
from cluster import replay_options
from cluster.pacing import Samples, at_own_times, at_rate, clock
from cluster.program import check, connect, run
from cluster.settings import positive

from gravity import GravityDataProduct, GravityNode, gravity

COMPONENT_ID = "DataPublisher"
LAST_MESSAGES_TIME = 1.0  # seconds that they have to leave; Gravity does not say when they have


def main(options: argparse.Namespace) -> None:
    """Publish sin and cos until the program is stopped, or a CSV file to its end."""
    replay = replay_options.replay(options)  # what is wrong with the file is said first, it needs no cluster
    node, settings = connect(COMPONENT_ID)
    channel = settings.text("subscription_name", "AutoencoderExample")
    rate = options.rate or settings.number("sample_rate", 10, above=0)
    if replay is None:
        increments = [settings.number("increment1", 0.05), settings.number("increment2", 0.05)]
        samples = sine_waves(rate, increments, options.anomaly_start)
    else:
        samples = at_rate(replay, rate) if options.time is None else at_own_times(replay, options.speed)

    check(node, node.registerDataProduct(channel, gravity.TCP), f"registering {channel}")
    streams = f"{', '.join(replay.columns)} of {options.csv}" if replay else "sin and cos"
    by_time = options.time and f"{options.speed:g} times as fast as {options.time} tells"
    print(f"publishing {streams} on {channel}, {by_time or f'{rate:g} samples a second'}")
    if replay:
        wait_for_subscriber(node, channel)
    count = 0
    for timestamp, values in samples:
        for stream, value in values.items():
            publish(node, channel, stream, timestamp, value)
        count += bool(values)
    print(f"{options.csv} has ended: {count} samples published")
    time.sleep(LAST_MESSAGES_TIME)  # and not unregistered: a subscriber that lags would drop what it has yet to read


def publish(node: GravityNode, channel: str, stream: str, timestamp: int, value: float) -> None:
    """Publish one point of one stream."""
    product = GravityDataProduct(channel)
    product.data = points.message(stream, timestamp, value)
    node.publish(product)


def wait_for_subscriber(node: GravityNode, channel: str) -> None:
    """Wait until somebody subscribes, so that a replay is heard from its first row on."""
    if not node.subscribersExist(channel)[1]:
        print(f"waiting for a subscriber to {channel}")
    while not node.subscribersExist(channel)[1]:
        time.sleep(0.05)


def sine_waves(rate: float, increments: list[float], anomaly_start: int | None) -> Samples:
    """Yield sin and cos for ever, `rate` samples a second; their phases grow by `increments`, in radians."""
    phases = [-increment for increment in increments]  # the first sample's are 0
    for number, timestamp in clock(rate):
        if number == anomaly_start:
            increments[1] *= 2
            time_of_day = datetime.fromtimestamp(timestamp / 1e6).strftime("%H:%M:%S.%f")[:-3]
            print(f"{time_of_day}  the anomaly begins with sample {number}")
        phases = [phase + increment for phase, increment in zip(phases, increments, strict=True)]
        yield timestamp, {"sin": math.sin(phases[0]), "cos": math.cos(phases[1])}


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="DataPublisher.py", description=__doc__)
    parser.add_argument(
        "anomaly_start", metavar="ANOMALY_START", nargs="?", type=positive, help="a sample number, 1 or more"
    )
    replay_options.add(parser)
    arguments = parser.parse_args()
    replay_options.check(parser, arguments)
    run(COMPONENT_ID, lambda: main(arguments))
