"""The dashboard node: a live view in the browser of the streams, of what the detector finds, and of who is there.

It subscribes to the streams and to the detector's findings and nothing else, so it can run on any host.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
from typing import NoReturn

from node.errors import UserError
from node.lifecycle import run
from node.membership import check, join
from node.settings import add_component

from google.protobuf.message import DecodeError

from anomaly.AnomalyScore_pb2 import AnomalyScorePB
from dashboard.live import Live
from streams import decoding
from streams.decoding import Decoder
from streams.points import END_TYPE, BadPoint, Point, ended_streams

from gravity import GravityDataProduct, GravityNode, GravityRequestor, GravitySubscriber

COMPONENT_ID = "Dashboard"
NICENESS = 5  # the detector comes first
DETECTOR_TIME = 10.0  # seconds that the streams wait for a detector
LOOK = 2.0  # seconds between two looks at whether the Service Directory answers
SILENCE = 5.0  # seconds without a message after which to subscribe again, in case the directory was restarted
NO_SERVICE_DIRECTORY = -2  # by number, since a real pyGravity does not name all codes
NO_SERVICE = "DashboardAsksForNothing"  # a service that nobody offers: the answer shows that a directory is there


class Receiver(GravitySubscriber):
    """Hands on what arrives; `last`: when something did, on the monotonic clock."""

    def __init__(self, live: Live) -> None:
        GravitySubscriber.__init__(self)
        self._live = live
        self.last = time.monotonic()


class PointReceiver(Receiver):
    """Takes the points of the streams."""

    def __init__(self, live: Live, decoder: Decoder) -> None:
        super().__init__(live)
        self.decoder = decoder

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Take what has arrived; a cached message is an old one."""
        self.last = time.monotonic()
        points: list[Point] = []
        for product in dataProducts:
            try:
                if product.isCachedDataproduct:
                    continue
                if product.typeName == END_TYPE:
                    self._live.points(points)
                    points = []
                    self._live.ended(ended_streams(product.data))
                else:
                    for point in self.decoder.points(product):  # not extend: those before a bad one count
                        points.append(point)
            except BadPoint:
                self._live.refused()
        self._live.points(points)


class FindingReceiver(Receiver):
    """Takes what the detector finds; `heard` is set once it is there."""

    def __init__(self, live: Live) -> None:
        super().__init__(live)
        self.heard = threading.Event()

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Take what has arrived."""
        self.last = time.monotonic()
        for product in dataProducts:
            try:
                self._live.finding(AnomalyScorePB.FromString(product.data), product.timestamp)
            except DecodeError:
                self._live.refused()
        self.heard.set()


class Nobody(GravityRequestor):
    """Waits for no response."""

    def __init__(self) -> None:
        GravityRequestor.__init__(self)


def main(component_id: str) -> None:
    """Join the cluster, serve the page, follow the streams and the findings."""
    try:
        from dashboard.server import LOOPBACK, serve
    except ImportError as error:
        raise UserError(f"the live view needs a package ({error}); run `pip install -r requirements.txt`") from None
    node, settings = join(component_id)
    decoder = decoding.configured(settings)
    scores = settings.text("score_name", other_than=decoder.products)
    live = Live(3600 * settings.number("history", above=0))
    server = serve(live, settings.text("address"), settings.integer("port", at_least=0, at_most=65535))
    print(f"the live view is at http://{'localhost' if server.address in LOOPBACK else node.getIP()}:{server.port}/")
    os.nice(NICENESS)
    points, findings = PointReceiver(live, decoder), FindingReceiver(live)
    check(node, node.subscribe(scores, findings), f"subscribing to {scores}")
    follower = threading.Thread(target=follow, args=(node, live, scores, findings, points), daemon=True)
    follower.start()
    server.io_loop.start()


def follow(node: GravityNode, live: Live, scores: str, findings: FindingReceiver, points: PointReceiver) -> NoReturn:
    """Subscribe to the streams once the detector has, and from then on look whether the Service Directory answers.

    The publisher of a file waits for a subscriber, and that should be the detector: it needs all of the file.
    """
    nobody = Nobody()
    findings.heard.wait(DETECTOR_TIME)
    points.last = -SILENCE
    while True:
        if node.request(NO_SERVICE, GravityDataProduct(NO_SERVICE), nobody) != NO_SERVICE_DIRECTORY:
            live.directory_answered()
            for product, receiver in (
                (scores, findings),
                *((product, points) for product in points.decoder.products),
            ):
                if time.monotonic() - receiver.last > SILENCE:
                    node.unsubscribe(product, receiver)
                    node.subscribe(product, receiver)
        time.sleep(LOOK)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="Dashboard.py", description=__doc__)
    add_component(parser, COMPONENT_ID)
    component = parser.parse_args().component
    run(component, lambda: main(component))
