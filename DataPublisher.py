"""The publisher node: parallel streams on one Gravity data product, sine waves or the columns of a CSV file.

Each sample is one message per stream, all with the same timestamp. From sample ANOMALY_START on, the phase of the
second sine wave grows twice as fast, so that the two no longer belong together as before.
"""

from __future__ import annotations

from node.lifecycle import run  # isort: split

import argparse
import logging
import time

from node.membership import check, join, publish

from streams import points, publisher_options, sources

from gravity import GravityNode, gravity

COMPONENT_ID = "DataPublisher"
LAST_MESSAGES_TIME = 1.0  # seconds for them to leave; Gravity does not say when they have

log = logging.getLogger(COMPONENT_ID)


def main(options: argparse.Namespace) -> None:
    """Publish a source's samples: sine waves until the program is stopped, or a CSV file to its end."""
    csv_file = publisher_options.open_csv(options)  # before joining: an error in the file needs no cluster
    node, settings = join(COMPONENT_ID)
    channel = settings.text("subscription_name")
    source = sources.choose(options, settings, csv_file)

    check(node, node.registerDataProduct(channel, gravity.TCP), f"registering {channel}")
    log.info("publishing on %s: %s", channel, source.description)
    if source.ends:
        wait_for_subscriber(node, channel)
    count = 0
    for timestamp, values in source.samples:
        for stream, value in values.items():
            publish(node, channel, points.message(stream, timestamp, value))
        if values:  # a row may have no usable value
            count += 1
    publish(node, channel, points.end_message(source.streams))
    log.info("the data ended: %d samples published", count)
    time.sleep(LAST_MESSAGES_TIME)  # without unregistering: a slow subscriber would drop what it has not read yet


def wait_for_subscriber(node: GravityNode, channel: str) -> None:
    """Wait until a node subscribes, so that it receives the data from the start."""
    if not node.subscribersExist(channel)[1]:
        log.info("waiting for a subscriber to %s", channel)
    while not node.subscribersExist(channel)[1]:
        time.sleep(0.05)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="DataPublisher.py", description=__doc__)
    arguments = publisher_options.parse(parser)
    run(COMPONENT_ID, lambda: main(arguments))
