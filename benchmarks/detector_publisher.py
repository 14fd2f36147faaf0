"""Publishes sine waves for benchmarks.detector: `python -m benchmarks.detector_publisher N_STREAMS`.

Each line `RATE COUNT` on standard input asks for so many samples, so many a second. The answer is a line of JSON:
the seconds that it took, and when the last point of each sample was published, in nanoseconds of the monotonic
clock, which all processes share. The points' own time goes on by PERIOD from sample to sample whatever the rate,
so that a pause between two commands is no gap.
"""

from __future__ import annotations

import json
import math
import sys
import time

from anomaly import points

from gravity import GravityDataProduct, GravityNode, gravity

CHANNEL = "AutoencoderExample"
PERIOD = 1000  # microseconds
STEP = 0.05  # growth of the phase


def stream_names(count: int) -> list[str]:
    """Return the names of so many streams: the two of the shipped model, or others."""
    return ["cos", "sin"] if count == 2 else [f"s{number:02}" for number in range(count)]


def main(n_streams: int) -> None:
    """Join the cluster, wait for a subscriber, then publish what is asked for."""
    node = GravityNode()
    if node.init("DataPublisher") or node.registerDataProduct(CHANNEL, gravity.TCP):
        raise SystemExit("benchmarks.detector_publisher: no Service Directory answers")
    while not node.subscribersExist(CHANNEL)[1]:
        time.sleep(0.05)
    print("{}", flush=True)
    phases = [(name, math.pi / 2 * number) for number, name in enumerate(reversed(stream_names(n_streams)))]
    number, start = 0, time.time_ns() // 1000
    product = GravityDataProduct(CHANNEL)
    for line in sys.stdin:
        rate, count = line.split()
        interval = 1e9 / float(rate)
        published = []
        begin = time.monotonic_ns()
        for index in range(int(count)):
            while (early := begin + index * interval - time.monotonic_ns()) > 0:
                time.sleep(early / 1e9)
            for name, phase in phases:
                value = math.sin(STEP * number + phase)
                product.data = points.message(name, start + PERIOD * number, value).SerializeToString()
                node.publish(product)
            number += 1
            published.append(time.monotonic_ns())
        seconds = (time.monotonic_ns() - begin) / 1e9
        print(json.dumps({"seconds": seconds, "published": published}), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]))
