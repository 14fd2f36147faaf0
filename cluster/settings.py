"""Settings from Gravity.ini, read through the node and checked."""

from __future__ import annotations

import os
import re
from argparse import ArgumentTypeError
from pathlib import Path
from typing import NoReturn, Protocol

from cluster.errors import UserError

INI = os.environ.get("GRAVITY_INI") or "Gravity.ini"  # as the embedded Gravity does; a real one knows no GRAVITY_INI


def positive(text: str) -> int:
    """Return `text` as a whole number, 1 or more; raise ArgumentTypeError, for argparse, if it is none."""
    if not text.isdecimal() or int(text) < 1:
        raise ArgumentTypeError(f"{text!r} is no whole number, 1 or more")
    return int(text)


class Parameters(Protocol):
    """The part of GravityNode that reads parameters."""

    def getStringParam(self, key: str, default_value: str, /) -> str:
        """Return a parameter's text."""


class Settings:
    """A component's parameters; a value that cannot be is an error that names file, line and key."""

    def __init__(self, node: Parameters, component_id: str) -> None:
        self._node = node
        self._component_id = component_id

    def text(self, key: str, default: str) -> str:
        """Return a parameter's text, which must not be empty."""
        text = self._node.getStringParam(key, default)
        if not text:
            self._fail(key, text, "some text")
        return text

    def integer(self, key: str, default: int, at_least: int) -> int:
        """Return a whole number that is not below `at_least`."""
        text = self._node.getStringParam(key, str(default))
        wanted = f"a whole number, {at_least} or more"
        value = self._float(key, text, wanted)  # arithmetic in the file gives six decimals
        if not (value.is_integer() and value >= at_least):
            self._fail(key, text, wanted)
        return int(value)

    def number(
        self, key: str, default: float, above: float = float("-inf"), at_least: float = float("-inf")
    ) -> float:
        """Return a finite number greater than `above` and not below `at_least`."""
        text = self._node.getStringParam(key, str(default))
        bounds = [f"above {above:g}"] * (above > float("-inf")) + [f"{at_least:g} or more"] * (
            at_least > float("-inf")
        )
        wanted = " ".join(["a number", *bounds])
        value = self._float(key, text, wanted)
        if not above < value < float("inf") or value < at_least:
            self._fail(key, text, wanted)
        return value

    def _float(self, key: str, text: str, wanted: str) -> float:
        try:
            return float(text)
        except ValueError:
            self._fail(key, text, wanted)

    def _fail(self, key: str, text: str, wanted: str) -> NoReturn:
        raise UserError(f"{self._place(key)}: {key} = {text!r}, but it must be {wanted}")

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
