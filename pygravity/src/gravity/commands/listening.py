"""What `gravity echo` and `gravity hz` share: a data product's messages as they arrive."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from queue import Empty, SimpleQueue

from ..callbacks import GravitySubscriber
from ..GravityDataProduct import GravityDataProduct
from ..node import GravityNode
from .common import check


def add_product(command: argparse.ArgumentParser) -> None:
    """Add the arguments that `messages` evaluates."""
    command.add_argument("product", metavar="PRODUCT", help="the id of a data product")
    command.add_argument("--filter", default="", help="only messages whose filter text starts with this")
    command.add_argument("--domain", default="", help="the publishers' domain (default: the directory's)")
    command.add_argument("--count", type=int, default=0, metavar="N", help="stop after N lines")


class _Queue(GravitySubscriber):
    """Queues arriving data products."""

    def __init__(self) -> None:
        self.arrived: SimpleQueue[GravityDataProduct] = SimpleQueue()

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Queue data products."""
        for product in dataProducts:
            self.arrived.put(product)


def messages(node: GravityNode, arguments: argparse.Namespace) -> Iterator[GravityDataProduct | None]:
    """Yield arriving messages, and None whenever none has arrived for a while."""
    queue = _Queue()
    code = node.subscribe(arguments.product, queue, arguments.filter, arguments.domain)
    check(node, code, f"subscribe to {arguments.product}")
    while True:
        try:
            yield queue.arrived.get(timeout=0.1)
        except Empty:
            yield None
