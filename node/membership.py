"""A node as a member of the cluster: it joins, and Gravity's return codes become errors with a remedy."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Iterable
from pathlib import Path

from node.errors import UserError
from node.log import log_to
from node.settings import INI, Settings

from google.protobuf.message import Message

try:
    import gravity as package
    from gravity import GravityDataProduct, GravityNode, GravitySubscriber, SpdLogHandler, gravity
except ImportError as import_error:
    raise SystemExit(
        f"cannot import gravity, or it is another project of that name ({import_error}): "
        "make a fresh virtual environment and run `pip install -r requirements.txt`"
    ) from None

RETRY_PAUSE = 1.0  # seconds between two attempts to find the Service Directory
# By number, since a real pyGravity does not name all of them.
REMEDIES = {
    -5: "the Service Directory refuses it, and its log says why",  # REGISTRATION_CONFLICT
    -11: f"give MinPort and MaxPort in {INI} a range with free ports",  # NO_PORTS_AVAILABLE
    -12: f"choose another name in {INI}",  # INVALID_PARAMETER
    -14: f"Gravity reserves this name; choose another one in {INI}",  # RESERVED_DATA_PRODUCT_ID
}

log = logging.getLogger(__name__)


def join(component_id: str) -> tuple[GravityNode, Settings]:
    """Return a node that has joined the cluster, and its settings; retry until a Service Directory answers.

    From then on, what the program logs goes to Gravity's log. Raises UserError if Gravity.ini cannot be used.
    """
    log_to(SpdLogHandler(True))
    try:
        ini = Path(INI).read_text(errors="replace")
    except OSError as error:
        raise UserError(
            f"cannot read {Path(INI).resolve()} ({error.strerror}); start the node in the folder that has it"
        ) from None
    version = getattr(package, "__version__", None)
    kind = f"the embedded pygravity {version}" if version else "the installed pyGravity"
    if not version and INI != "Gravity.ini":
        raise UserError(f"{kind} reads Gravity.ini, not {INI}, which GRAVITY_INI names; unset GRAVITY_INI")
    print(f"running on {kind} in {Path(package.__file__ or '').parent}")
    node = GravityNode()
    settings = Settings(node.getStringParam, component_id)
    code = node.init(component_id)
    if not version and node.getStringParam("CurveKeyFile", ""):
        log.warning("CurveKeyFile (%s) has no effect on a real Gravity: nothing is encrypted", INI)
    while code != gravity.SUCCESS:
        if code == gravity.INVALID_PARAMETER:
            raise UserError(f"{INI} cannot be used (see the previous message); fix what it names")
        log.warning("no Service Directory answers at %s (%s); retrying", settings.text("ServiceDirectoryURL"), INI)
        time.sleep(RETRY_PAUSE)
        code = node.init(component_id)
    if not re.search(rf"(?im)^\s*\[\s*{re.escape(component_id)}\s*\]", ini):
        log.info("%s has no section [%s]: its section [general] and the defaults count", INI, component_id)
    if not node.getIP().startswith("127."):
        log.info("listening at %s, where other hosts can reach this node", node.getIP())
    return node, settings


def check(node: GravityNode, code: int, action: str) -> None:
    """Raise UserError with the action, the reason and a remedy if `code` is not SUCCESS."""
    if code != gravity.SUCCESS:
        remedy = REMEDIES.get(code, "is the Service Directory still running?")
        raise UserError(f"{action} failed: {node.getCodeString(code)}; {remedy}")


def subscribe(node: GravityNode, products: Iterable[str], subscriber: GravitySubscriber) -> None:
    """Subscribe to data products; raise UserError if that fails."""
    for product in products:
        check(node, node.subscribe(product, subscriber), f"subscribing to {product}")


def unsubscribe(node: GravityNode, products: Iterable[str], subscriber: GravitySubscriber) -> None:
    """Take subscriptions back."""
    for product in products:
        node.unsubscribe(product, subscriber)


def product_of(channel: str, message: Message) -> GravityDataProduct:
    """Return a data product that holds `message`."""
    product = GravityDataProduct(channel)  # a new one each time: a real one keeps all that it has ever held
    product.data = message
    return product


def publish(node: GravityNode, channel: str, message: Message) -> GravityDataProduct:
    """Publish `message` on a data product that the node has registered; return what was published."""
    product = product_of(channel, message)
    node.publish(product)
    return product
