"""Settings from Gravity.ini, read through the node and checked."""

from __future__ import annotations

import math
import os
import re
from argparse import ArgumentParser
from collections.abc import Callable, Container
from importlib.util import find_spec
from pathlib import Path
from typing import NoReturn

from node.errors import UserError

INI = os.environ.get("GRAVITY_INI") or "Gravity.ini"  # only the embedded Gravity follows GRAVITY_INI

# The values that count for keys that are missing in Gravity.ini; the file as shipped says the same.
DEFAULTS = {
    "ServiceDirectoryURL": "tcp://localhost:5555",
    "subscription_name": "AutoencoderExample",
    "streams": "off",
    "message_types": "off",
    "increment1": "0.05",
    "increment2": "0.05",
    "sample_rate": "10",
    "training_size": "2000",
    "training_epochs": "10",
    "model_file": "model.json",
    "tensorboard_dir": "off",
    "window_stride": "20",
    "alarm_margin": "2.5",
    "alarm_after": "1",
    "score_name": "AnomalyScore",
    "service_name": "AnomalyDetection",
    "lateness": "1.0",
    "max_gap": "2",
    "tolerance": "auto",
    "address": "127.0.0.1",
    "port": "5006",
    "history": "24",
}


def add_component(parser: ArgumentParser, default: str) -> None:
    """Add an option to a node's command line: another component than `default`."""
    parser.add_argument(
        "--component", metavar="NAME", default=default,
        help="join under this name, and with the settings of this section of Gravity.ini (default: %(default)s)",
    )  # fmt: skip


class Settings:
    """A component's parameters; a value that cannot be used raises UserError with file, line and key."""

    def __init__(self, get: Callable[[str, str], str], component_id: str) -> None:
        """`get(key, default)` returns a parameter's text: a node's `getStringParam`."""
        self._get = get
        self._component_id = component_id

    def text(self, key: str, other_than: Container[str] = ()) -> str:
        """Return a parameter's text, which must not be empty, nor a name of a data product in `other_than`."""
        text = self._raw(key) or self._fail(key, "some text")
        if text in other_than:
            self._fail(key, "another name than that of the streams' data product")
        return text

    def writable_file(self, key: str) -> str:
        """Return the name of a file in a folder that can be written to."""
        file = self.text(key)
        if not os.access(Path(file).resolve().parent, os.W_OK):
            self._fail(key, "a file in a folder that can be written to")
        return file

    def package_folder(self, key: str, package: str) -> Path | None:
        """Return a folder for what `package` shows, None if the setting is `off`; the package must be installed."""
        folder = Path(self.text(key))
        if str(folder) == "off":
            return None
        if find_spec(package) is None:
            raise UserError(f"{self._place(key)}: {key} requires the package {package}: pip install {package}")
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            self._fail(key, f"off, or a folder that can be made ({error.strerror})")
        if not os.access(folder, os.W_OK):
            self._fail(key, "off, or a folder that can be written to")
        return folder

    def integer(self, key: str, at_least: int, at_most: int | None = None) -> int:
        """Return a whole number that is not below `at_least`, nor above `at_most`."""
        value = self._float(key)  # arithmetic in the file gives six decimals
        if value.is_integer() and value >= at_least and (at_most is None or value <= at_most):
            return int(value)
        self._fail(key, f"a whole number, {at_least} {'or more' if at_most is None else f'to {at_most}'}")

    def number(
        self, key: str, *, above: float = -math.inf, at_least: float = -math.inf, wanted: str = "a number"
    ) -> float:
        """Return a finite number greater than `above` and not below `at_least`."""
        value = self._float(key)
        if above < value < math.inf and value >= at_least:
            return value
        bounds = [f"above {above:g}"] * (above > -math.inf) + [f"{at_least:g} or more"] * (at_least > -math.inf)
        self._fail(key, " ".join([wanted, *bounds]))

    def number_or_auto(self, key: str, *, at_least: float) -> float | None:
        """Return a finite number that is not below `at_least`, or None if the setting is `auto`."""
        return (
            None
            if self._raw(key).lower() == "auto"
            else self.number(key, at_least=at_least, wanted="auto or a number")
        )

    def refuse(self, key: str, why: str) -> NoReturn:
        """Raise UserError with the place of a parameter that cannot be used, and the reason."""
        raise UserError(f"{self._place(key)}: {key}: {why}")

    def _raw(self, key: str) -> str:
        return self._get(key, DEFAULTS[key])

    def _float(self, key: str) -> float:
        try:
            return float(self._raw(key))
        except ValueError:
            return math.nan  # fails every comparison

    def _fail(self, key: str, wanted: str) -> NoReturn:
        raise UserError(f"{self._place(key)}: {key} = {self._raw(key)!r}, but it must be {wanted}")

    def _place(self, key: str) -> str:
        """Return where a key is set, as far as a look at the file can tell."""
        section = ""
        places: dict[str, int] = {}
        for number, line in enumerate(Path(INI).read_text(errors="replace").splitlines(), start=1):
            if match := re.match(r"\s*\[\s*([^]\s]+)\s*\]", line):
                section = match[1].lower()
            elif re.match(rf'\s*"?{re.escape(key)}"?\s*=', line, re.IGNORECASE):
                places.setdefault(section, number)
        for section in (self._component_id.lower(), "general"):
            if section in places:
                return f"{INI}, line {places[section]}"
        return INI
