"""What the nodes print reaches the terminal harmless."""

import asyncio
import sys

from launch.nodes import Node
from launch.supervisor import run_process


def test_the_output_of_a_node_is_harmless():
    program = r"print('\tplain\n\x1b[2J\u202e'); import sys; sys.stdout.buffer.write(b'\xff\x9b\n')"
    lines: list[str] = []
    assert asyncio.run(run_process(Node("test", [sys.executable, "-X", "utf8", "-c", program]), lines.append)) == 0
    assert lines == ["        plain", r"\x1b[2J\u202e", "��"]
