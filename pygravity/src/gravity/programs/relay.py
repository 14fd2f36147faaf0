"""Relay data products: each crosses the network once, and subscribers get it from the relay.

Settings, in section [Relay] of Gravity.ini:
  DataProductList   the data products, separated by commas
  ProvideLocalOnly  true: for subscribers on this host only; false: for all (true)

Subscribers switch to the relay when it starts and back to the publishers when it ends; either time they lose the
messages of some milliseconds. A relay passes on no filter texts: subscribers with a filter get nothing from it.

Examples:
  Relay                               with Gravity.ini in this folder:
      [general]
      ServiceDirectoryURL = "tcp://plant:5555"
      [Relay]
      DataProductList = "Temperature, Pressure"
  GRAVITY_INI=/etc/plant.ini Relay

Exit codes: 0 after SIGTERM, 130 after Ctrl-C, 1 after an error, 2 for wrong arguments.
"""

from __future__ import annotations

import sys

from .. import gravity
from ..callbacks import GravitySubscriber
from ..GravityDataProduct import GravityDataProduct
from ..node import GravityNode
from . import program

NAME = COMPONENT_ID = "Relay"


class Relay(GravitySubscriber):
    """Publishes what it receives, with its original time, component and domain."""

    def __init__(self, node: GravityNode) -> None:
        self._node = node

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Publish data products."""
        for product in dataProducts:
            product.isRelayedDataproduct = True
            self._node.publish(product)


def relay(node: GravityNode) -> None:
    """Relay until the program is stopped."""
    ids = program.required_product_list(node)
    local_only = node.getBoolParam("ProvideLocalOnly", True)
    relay = Relay(node)
    for id in ids:
        program.check(node, node.registerRelay(id, relay, local_only, gravity.TCP), f"relay {id}")
    program.say(NAME, f"relaying {', '.join(ids)} to {f'subscribers at {node.getIP()}' if local_only else 'all'}")
    node.waitForExit()


def main() -> int:
    """Run the program; return the exit code."""
    return program.run(NAME, COMPONENT_ID, __doc__, relay)


if __name__ == "__main__":
    sys.exit(main())
