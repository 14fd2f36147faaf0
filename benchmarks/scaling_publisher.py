"""Publishes samples for benchmarks.scaling: `python -m benchmarks.scaling_publisher PRODUCTS STREAMS`.

A sample is a message with STREAMS values on each of the data products P0, P1, ... Each line `RATE COUNT` on standard
input asks for so many samples, so many a second; the answer is a line of JSON, the seconds that it took. The samples'
own time goes on by PERIOD whatever the rate, so that a pause is not a gap.
"""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from benchmarks.Scaling_pb2 import ScalingPB

from gravity import GravityDataProduct, GravityNode, gravity

PERIOD = 1000  # microseconds
REPEATED = 2000  # samples after which the values come again


def values(streams: int, product: int, count: int = REPEATED) -> np.ndarray:
    """Return the samples of a data product, shape (count, streams): sums of two waves and noise."""
    phase = 2 * np.pi / count * np.arange(count)
    waves = np.stack([np.sin(20 * phase), np.cos(20 * phase), np.sin(30 * phase), np.cos(30 * phase)], axis=1)
    random = np.random.default_rng(product)
    made: np.ndarray = waves @ random.normal(size=(4, streams)) + random.normal(0, 0.05, size=(count, streams))
    return made


def messages(streams: int, product: int) -> list[ScalingPB]:
    """Return the messages that carry them, without a time."""
    names = [f"s{number:02}" for number in range(streams)]
    return [ScalingPB(**dict(zip(names, row, strict=True))) for row in values(streams, product).tolist()]


def main(products: int, streams: int) -> None:
    """Join the cluster, wait for subscribers, then publish what is asked for."""
    node = GravityNode()
    names = [f"P{number}" for number in range(products)]
    if node.init("ScalingPublisher") or any(node.registerDataProduct(name, gravity.TCP) for name in names):
        raise SystemExit("benchmarks.scaling_publisher: no Service Directory answers")
    made = [(name, messages(streams, number)) for number, name in enumerate(names)]
    while not all(node.subscribersExist(name)[1] for name in names):
        time.sleep(0.05)
    print("{}", flush=True)
    number, start = 0, time.time_ns() // 1000
    for line in sys.stdin:
        rate, count = line.split()
        begin = time.monotonic()
        for index in range(int(count)):
            while (early := begin + index / float(rate) - time.monotonic()) > 0:
                time.sleep(early)
            for name, prepared in made:
                message = prepared[number % REPEATED]
                message.time = start + PERIOD * number
                product = GravityDataProduct(name)
                product.data = message
                node.publish(product)
            number += 1
        print(json.dumps({"seconds": time.monotonic() - begin}), flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
