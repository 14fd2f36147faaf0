"""Archive data products, as they are received, in a file that Playback can play.

Settings, in section [FileArchiver] of Gravity.ini:
  DataProductList  the data products, separated by commas
  ArchiveFilename  the file (archive.bin), which is overwritten; auto: archive_YYYYmmdd_HHMMSS.bin
  StartSuspended   true: archive nothing until resumed (false)

The service FileArchiverControlRequest suspends and resumes archiving: its request is a FileArchiverControlRequestPB.
If the file cannot be written, for example on a full disk, the program ends; all it has archived can be played.

Examples:
  Archiver                            with Gravity.ini in this folder:
      [general]
      ServiceDirectoryURL = "tcp://localhost:5555"
      [FileArchiver]
      DataProductList = "Temperature, Pressure"
      ArchiveFilename = auto
  GRAVITY_INI=/etc/plant.ini Archiver

Exit codes: 0 after SIGTERM, 130 after Ctrl-C, 1 after an error, 2 for wrong arguments.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from queue import SimpleQueue

from .. import gravity
from ..callbacks import GravityServiceProvider, GravitySubscriber
from ..FileArchiverControlRequestPB_pb2 import FileArchiverControlRequestPB
from ..FileArchiverControlResponsePB_pb2 import FileArchiverControlResponsePB
from ..GravityDataProduct import GravityDataProduct
from ..node import GravityNode
from ..protocol.envelope import MalformedFrame, parse
from . import program
from gravity_recording.archive import MARK, record
from gravity_recording.files import WholeRecords

NAME, COMPONENT_ID = "Archiver", "FileArchiver"
SERVICE = "FileArchiverControlRequest"


class Archiver(GravitySubscriber, GravityServiceProvider):
    """Writes data products to a file unless it is suspended."""

    def __init__(self, file: WholeRecords, *, suspended: bool) -> None:
        self._file = file
        self._suspended = suspended
        self.failures: SimpleQueue[OSError] = SimpleQueue()

    def subscriptionFilled(self, dataProducts: list[GravityDataProduct]) -> None:
        """Write data products."""
        if self._suspended:
            return
        try:
            for product in dataProducts:
                self._file.append(record(product.serializeToString()))
        except OSError as error:
            self._suspended = True
            self.failures.put(error)

    def request(self, serviceID: str, dataProduct: GravityDataProduct) -> GravityDataProduct:
        """Suspend or resume; respond whether the request was understood."""
        response = GravityDataProduct("FileArchiverControlResponse")
        try:
            self._suspended = parse(FileArchiverControlRequestPB, dataProduct.data).suspend
        except MalformedFrame as error:
            program.warn(NAME, f"ignored a request to {serviceID}: {error}")
            response.data = FileArchiverControlResponsePB(status=False)
        else:
            program.say(NAME, "suspended" if self._suspended else "resumed")
            response.data = FileArchiverControlResponsePB(status=True)
        return response


def archive(node: GravityNode) -> None:
    """Archive until the file cannot be written."""
    ids = program.required_product_list(node)
    path = Path(node.getStringParam("ArchiveFilename") or "archive.bin")
    if str(path) == "auto":
        path = Path(time.strftime("archive_%Y%m%d_%H%M%S.bin"))
    try:
        file = WholeRecords(path)
        file.append(MARK)
    except OSError as error:
        raise program.ProgramError(f"cannot write {path}: {error.strerror}") from None
    archiver = Archiver(file, suspended=node.getBoolParam("StartSuspended"))
    try:
        program.check(node, node.registerService(SERVICE, gravity.TCP, archiver), f"offer the service {SERVICE}")
        for id in ids:
            program.check(node, node.subscribe(id, archiver), f"subscribe to {id}")
        program.say(NAME, f"writing {', '.join(ids)} to {path}")
        reason = archiver.failures.get().strerror
        raise program.ProgramError(f"cannot write {path}: {reason}; all that was archived can be played")
    finally:
        node.close()  # first, since a callback may be writing
        file.close()


def main() -> int:
    """Run the program; return the exit code."""
    return program.run(NAME, COMPONENT_ID, __doc__, archive)


if __name__ == "__main__":
    sys.exit(main())
