"""The publisher node: parallel streams on one Gravity data product: sine waves, a CSV file's columns, or a recording.

Each sample is one message per stream, all with the same timestamp. From sample ANOMALY_START on, the phase of the
second sine wave grows twice as fast, so that the two no longer belong together as before.
"""

from __future__ import annotations

from node.lifecycle import run  # isort: split

import argparse
import logging
import time
from collections.abc import Sequence

from node.membership import check, join

from streams import publisher_options, sources

from gravity import GravityNode, gravity

COMPONENT_ID = "DataPublisher"
LAST_MESSAGES_TIME = 1.0  # seconds for them to leave; Gravity does not say when they have

log = logging.getLogger(COMPONENT_ID)


def main(options: argparse.Namespace) -> None:
    """Publish what a source yields: sine waves until the program is stopped, or a file to its end."""
    file = publisher_options.open_file(options)  # before joining: an error in the file needs no cluster
    node, settings = join(COMPONENT_ID)
    source = sources.choose(options, settings, file)

    for channel in source.channels:
        check(node, node.registerDataProduct(channel, gravity.TCP), f"registering {channel}")
    log.info("publishing on %s: %s", ", ".join(source.channels), source.description)
    if source.ends:
        wait_for_subscribers(node, source.channels)
    for product in source.products:
        node.publish(product, "", product.timestamp)
    time.sleep(LAST_MESSAGES_TIME)  # without unregistering: a slow subscriber would drop what it has not read yet


def wait_for_subscribers(node: GravityNode, channels: Sequence[str]) -> None:
    """Wait until a node subscribes, so that it receives the data from the start."""
    for channel in channels:
        if not node.subscribersExist(channel)[1]:
            log.info("waiting for a subscriber to %s", channel)
        while not node.subscribersExist(channel)[1]:
            time.sleep(0.05)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="DataPublisher.py", description=__doc__)
    arguments = publisher_options.parse(parser)
    run(COMPONENT_ID, lambda: main(arguments))
