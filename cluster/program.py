"""What each node does around its own story: find Gravity, join the cluster, end with the right exit code."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

from cluster import output
from cluster.errors import UserError
from cluster.settings import INI, Settings

try:
    import gravity as package
    from gravity import GravityNode, gravity
except ImportError as import_error:
    raise SystemExit(
        f"gravity cannot be imported, or is another project of that name ({import_error}): "
        "make a fresh virtual environment and run `pip install -r requirements.txt`"
    ) from None

RETRY_PAUSE = 1.0  # seconds between two attempts to find the Service Directory
# What to do about a return code. By number, since a real pyGravity has no names for some of them.
NEXT_STEPS = {
    -5: "another node is registered at this address; start this one again, or stop that one",  # REGISTRATION_CONFLICT
    -11: f"give MinPort and MaxPort in {INI} a range with free ports",  # NO_PORTS_AVAILABLE
    -12: f"choose another name in {INI}",  # INVALID_PARAMETER
    -14: f"Gravity keeps this name for itself; choose another one in {INI}",  # a reserved name
}


def run(name: str, main: Callable[[], None]) -> NoReturn:
    """Run a node and exit: 0 when `main` returns, 1 for a user's mistake, 130 for Ctrl-C, 143 for SIGTERM."""

    def terminate(_number: int, _frame: FrameType | None) -> NoReturn:
        raise SystemExit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # see cluster.interruptible
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]  # also where it is no terminal
    try:
        main()
    except UserError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:  # whoever read the output is gone
        output.discard()
        sys.exit(1)
    sys.exit(0)


def connect(component_id: str) -> tuple[GravityNode, Settings]:
    """Return a node that has joined the cluster, and its settings; keep trying until a Service Directory answers.

    Raises UserError if Gravity.ini cannot be used.
    """
    try:
        Path(INI).open().close()
    except OSError as error:
        raise UserError(
            f"{Path(INI).resolve()} cannot be read ({error.strerror}); start the node in the folder that has it"
        ) from None
    version = getattr(package, "__version__", None)
    kind = f"the embedded pygravity {version}" if version else "the installed pyGravity"
    if not version and INI != "Gravity.ini":
        raise UserError(f"{kind} does not read {INI}, which GRAVITY_INI names, but Gravity.ini; unset GRAVITY_INI")
    print(f"running on {kind} in {Path(package.__file__ or '').parent}")
    node = GravityNode()
    while (code := node.init(component_id)) != gravity.SUCCESS:
        if code == gravity.INVALID_PARAMETER:
            raise UserError(f"{INI} is malformed (see the line above); mend that line")
        url = node.getStringParam("ServiceDirectoryURL", "tcp://localhost:5555")
        print(f"no Service Directory answers at {url} ({INI}); trying again")
        time.sleep(RETRY_PAUSE)
    return node, Settings(node, component_id)


def check(node: GravityNode, code: int, what: str) -> None:
    """Raise UserError, which says what failed, why and what to do next, if `code` is not SUCCESS."""
    if code != gravity.SUCCESS:
        next_step = NEXT_STEPS.get(code, "is the Service Directory still running?")
        raise UserError(f"{what} failed: {node.getCodeString(code)}; {next_step}")
