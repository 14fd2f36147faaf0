"""Send nodes the parameters that are not in their own configuration, from config_file.ini in this folder.

Each node gets the section [general] of that file and, taking precedence, the section named as the node. What is in
its own Gravity.ini stays. The file is read anew for each node that starts. A node does not ask if NoConfigServer is
true.

Examples:
  ConfigServer                        with Gravity.ini in this folder:
      [general]
      ServiceDirectoryURL = "tcp://localhost:5555"
    and config_file.ini:
      [general]
      sample_rate = 10
      [Pump]
      sample_rate = 100
  GRAVITY_INI=/etc/plant.ini ConfigServer

Exit codes: 0 after SIGTERM, 130 after Ctrl-C, 1 after an error, 2 for wrong arguments.
"""

from __future__ import annotations

import sys
from pathlib import Path

from .. import gravity
from ..callbacks import GravityServiceProvider
from ..GravityDataProduct import GravityDataProduct
from ..node import GravityNode
from ..protocol.config import ConfigError, read_served
from ..protocol.envelope import MalformedFrame, checked_text, parse
from ..protocol.ServiceDirectoryPB_pb2 import ConfigeResponsePB, ConfigRequestPB
from . import program

NAME = COMPONENT_ID = "ConfigServer"
SERVICE = "ConfigService"
FILE = Path("config_file.ini")


class ConfigServer(GravityServiceProvider):
    """Responds with a component's parameters."""

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        """Return the parameters of the component that asks; none if that or the file is malformed."""
        values: dict[str, str] = {}
        try:
            component_id = checked_text(parse(ConfigRequestPB, dataProduct.data)).componentID
            values = read_served(FILE, component_id)
            program.say(NAME, f"sent {len(values)} parameters to {component_id!r}")
        except (MalformedFrame, ConfigError) as error:
            program.warn(NAME, f"sent no parameters: {error}")
        response = GravityDataProduct("ConfigResponsePB")
        response.data = ConfigeResponsePB(key=values.keys(), value=values.values())
        return response


def serve(node: GravityNode) -> None:
    """Serve until the program is stopped."""
    try:
        read_served(FILE, "general")
    except ConfigError as error:
        raise program.ProgramError(str(error)) from None
    server = ConfigServer()
    program.check(node, node.registerService(SERVICE, gravity.TCP, server), f"offer the service {SERVICE}")
    program.say(NAME, f"serving {FILE}")
    node.waitForExit()


def main() -> int:
    """Run the program; return the exit code."""
    return program.run(NAME, COMPONENT_ID, __doc__, serve)


if __name__ == "__main__":
    sys.exit(main())
