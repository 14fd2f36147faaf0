"""Publishes sine waves for benchmarks.detector: `python -m benchmarks.detector_publisher`.

Each line `RATE COUNT` on standard input asks for so many samples, so many a second. The answer is a line of JSON:
the seconds that it took, and when the last point of the last sample was published, in nanoseconds of the monotonic
clock, which all processes share. The line `times` then asks for a list of this time for each of the samples: at
a high rate it is too long to be sent while somebody waits. The points' own time goes on by PERIOD from sample to
sample whatever the rate, so that a pause between two commands is not a gap.
"""

from __future__ import annotations

import json
import math
import sys
import time

from streams import points

from gravity import GravityDataProduct, GravityNode, gravity

CHANNEL = "AutoencoderExample"
PERIOD = 1000  # microseconds
STEP = 0.05  # growth of the phase
PHASES = {"sin": 0.0, "cos": math.pi / 2}  # by stream of the shipped model


def main() -> None:
    """Join the cluster, wait for a subscriber, then publish what is asked for."""
    node = GravityNode()
    if node.init("DataPublisher") or node.registerDataProduct(CHANNEL, gravity.TCP):
        raise SystemExit("benchmarks.detector_publisher: no Service Directory answers")
    while not node.subscribersExist(CHANNEL)[1]:
        time.sleep(0.05)
    print("{}", flush=True)
    number, start = 0, time.time_ns() // 1000
    product = GravityDataProduct(CHANNEL)
    published: list[int] = []
    for line in sys.stdin:
        if line == "times\n":
            print(json.dumps({"published": published}), flush=True)
            continue
        rate, count = line.split()
        interval = 1e9 / float(rate)
        published = []
        begin = time.monotonic_ns()
        for index in range(int(count)):
            while (early := begin + index * interval - time.monotonic_ns()) > 0:
                time.sleep(early / 1e9)
            for name, phase in PHASES.items():
                value = math.sin(STEP * number + phase)
                product.data = points.message(name, start + PERIOD * number, value).SerializeToString()
                now = time.monotonic_ns()
                node.publish(product)
            number += 1
            published.append(now)
        seconds = (time.monotonic_ns() - begin) / 1e9
        print(json.dumps({"seconds": seconds, "last": published[-1]}), flush=True)


if __name__ == "__main__":
    main()
