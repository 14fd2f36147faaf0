"""Write the log messages that nodes publish to files in this folder, named YYYY_mm_dd_HH_MM_SS.

A node publishes its log messages if AppNetworkLogLevel is set in its section of Gravity.ini, or in [general]. A new
file begins after 12345 messages. There are no settings but those of any node; the component is GravityLogRecorder.
If a file cannot be written, for example on a full disk, the program ends.

Examples:
  LogRecorder                         with Gravity.ini in this folder:
      [general]
      ServiceDirectoryURL = "tcp://localhost:5555"
      AppNetworkLogLevel = info
  GRAVITY_INI=/etc/plant.ini LogRecorder

Exit codes: 0 after SIGTERM, 130 after Ctrl-C, 1 after an error, 2 for wrong arguments.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from queue import SimpleQueue

from ..callbacks import GravitySubscriber
from ..GravityDataProduct import GravityDataProduct
from ..GravityLogMessagePB_pb2 import GravityLogMessagePB
from ..log.text import harmless, indented
from ..node import GravityNode
from ..protocol.envelope import MalformedFrame, checked_text, parse
from ..protocol.names import LOG_PRODUCT
from . import program
from gravity_recording.files import WholeRecords

NAME, COMPONENT_ID = "LogRecorder", "GravityLogRecorder"
MESSAGES_PER_FILE = 12345


def line(product: GravityDataProduct) -> str:
    """Return a log message as `[domain level MM/DD/YY HH:MM:SS] text`, its time in UTC; raise MalformedFrame.

    Gravity's messages end with a line break, which makes an empty line.
    """
    message = checked_text(parse(GravityLogMessagePB, product.data))
    when = time.strftime("%m/%d/%y %H:%M:%S", time.gmtime(product.timestamp // 1_000_000))
    end = "\n\n" if message.message.endswith("\n") else "\n"
    return f"[{harmless(product.domain)} {harmless(message.level)} {when}] {indented(message.message)}{end}"


def _file_name() -> str:
    return time.strftime("%Y_%m_%d_%H_%M_%S")


class LogRecorder(GravitySubscriber):
    """Writes log messages, to a new file after each `MESSAGES_PER_FILE` of them."""

    def __init__(self) -> None:
        """Raises OSError if the first file cannot be created."""
        self._begin_file()
        self.failures: SimpleQueue[OSError] = SimpleQueue()

    def _begin_file(self) -> None:
        self.path = Path(_file_name())
        self._file = WholeRecords(self.path, "ab")  # it may have begun in this second
        self._messages = 0

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Write log messages."""
        if not self.failures.empty():
            return
        try:
            for product in dataProducts:
                self._write(product)
        except OSError as error:
            self.failures.put(error)

    def _write(self, product: GravityDataProduct) -> None:
        try:
            self._file.append(line(product).encode())
        except MalformedFrame as error:
            program.warn(NAME, f"dropped a message of {product.componentID!r}: {error}")
            return
        self._messages += 1
        if self._messages == MESSAGES_PER_FILE:
            self._file.close()
            self._begin_file()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def record(node: GravityNode) -> None:
    """Record until a file cannot be written."""
    try:
        recorder = LogRecorder()
    except OSError as error:
        raise program.ProgramError(f"cannot write {error.filename}: {error.strerror}") from None
    try:
        program.check(node, node.subscribe(LOG_PRODUCT, recorder), f"subscribe to {LOG_PRODUCT}")
        program.say(NAME, f"writing {recorder.path}")
        raise program.ProgramError(f"cannot write {recorder.path}: {recorder.failures.get().strerror}")
    finally:
        node.close()  # first, since a callback may be writing
        recorder.close()


def main() -> int:
    """Run the program; return the exit code."""
    return program.run(NAME, COMPONENT_ID, __doc__, record)


if __name__ == "__main__":
    sys.exit(main())
