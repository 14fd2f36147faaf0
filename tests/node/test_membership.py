"""How a node joins the cluster."""

import sys

from node.errors import UserError
from node.membership import check

import pytest

from tests.support import Folder

from gravity import GravityNode, gravity


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (gravity.REQUEST_TIMEOUT, "subscribing failed: REQUEST_TIMEOUT; is the Service Directory still running?"),
        (gravity.NO_SERVICE_DIRECTORY, "NO_SERVICE_DIRECTORY; is the Service Directory still running?"),
        (gravity.REGISTRATION_CONFLICT, "REGISTRATION_CONFLICT; the Service Directory refuses it"),
        (gravity.NO_PORTS_AVAILABLE, "NO_PORTS_AVAILABLE; give MinPort and MaxPort in Gravity.ini"),
        (gravity.INVALID_PARAMETER, "INVALID_PARAMETER; choose another name in"),
        (gravity.RESERVED_DATA_PRODUCT_ID, "RESERVED_DATA_PRODUCT_ID; Gravity reserves this name; choose"),
    ],
)
def test_a_return_code_comes_with_a_remedy(code: int, said: str):
    with pytest.raises(UserError, match=said):
        check(GravityNode(), code, "subscribing")


def test_gravity_ini_may_be_another_file(folder: Folder):
    """All programs of the embedded Gravity follow GRAVITY_INI, and name it."""
    other = folder.path / "other.ini"
    (folder.path / "Gravity.ini").rename(other)
    cluster = folder.run(sys.executable, "-E", "-m", "launch", "train", GRAVITY_INI="other.ini")
    assert cluster.prints("listening at").string.endswith(str(folder.port))
    cluster.prints("COLLECTING")
    other.write_text(other.read_text().replace("sample_rate = 1000", "sample_rate = 0"))
    publisher = folder.run(sys.executable, "DataPublisher.py", GRAVITY_INI="other.ini")
    assert publisher.wait() == 1 and "DataPublisher: other.ini, line" in publisher.errors[0]
    missing = folder.run(sys.executable, "-E", "-m", "launch", "train", GRAVITY_INI="no.ini")
    assert missing.wait() == 1 and "no.ini is missing" in missing.errors[0]


def test_a_component_without_a_section_is_told(folder: Folder):
    folder.directory()
    detector = folder.node("AnomalyDetector.py", "train", "--component", "PumpDetctor")
    detector.prints(r"Gravity\.ini has no section \[PumpDetctor\]: its section \[general\] and the defaults count")


STAND_IN = """
import logging
class GravityNode: ...
class GravitySubscriber: ...
class GravityDataProduct: ...
class SpdLogHandler(logging.Handler): ...
class gravity: SUCCESS, TCP = 0, 0
"""


def test_a_real_gravity_that_does_not_know_gravity_ini_is_not_misunderstood(folder: Folder):
    package = folder.path / "real" / "gravity"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(STAND_IN)
    (folder.path / "other.ini").write_text((folder.path / "Gravity.ini").read_text())
    publisher = folder.run(
        sys.executable, "DataPublisher.py", GRAVITY_INI="other.ini", PYTHONPATH=str(package.parent)
    )
    assert publisher.wait() == 1
    assert publisher.errors == [
        "DataPublisher: the installed pyGravity reads Gravity.ini, not other.ini, which GRAVITY_INI names; "
        "unset GRAVITY_INI"
    ]


UNENCRYPTED = """
import logging
class GravityNode:
    def init(self, component_id): return -12
    def getStringParam(self, key, default): return "Gravity.key" if key == "CurveKeyFile" else default
class GravitySubscriber: ...
class GravityDataProduct: ...
class SpdLogHandler(logging.StreamHandler):
    def __init__(self, convert): super().__init__()
class gravity: SUCCESS, TCP, INVALID_PARAMETER = 0, 0, -12
"""


def test_a_real_gravity_does_not_encrypt_and_a_user_who_thinks_so_is_told(folder: Folder):
    package = folder.path / "real" / "gravity"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(UNENCRYPTED)
    publisher = folder.run(sys.executable, "DataPublisher.py", PYTHONPATH=str(package.parent))
    assert publisher.wait() == 1
    assert publisher.errors[0] == "CurveKeyFile (Gravity.ini) has no effect on a real Gravity: nothing is encrypted"
