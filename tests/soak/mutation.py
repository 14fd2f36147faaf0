"""Seeded mutations of bytes and of JSON values."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF)
ODD: list[Any] = [
    None, True, False, -1, 0, 1, 0.5, 2**31, 2**63, 10**400, 1e308, -1e308, float("nan"), float("inf"), "", "0",
    "x" * 1000, "\x1b[2J\n", "\ud800", "../../x", [], {}, [[]], [None], [[0] * 20 for _ in range(20)], {"array": 0},
]  # fmt: skip


def of_bytes(dice: Random, corpus: list[bytes]) -> bytes:
    """Return one of the corpus with up to a few dozen changes."""
    case = bytearray(dice.choice(corpus))
    for _ in range(dice.choice((1, 1, 2, 4, 32))):
        at = dice.randrange(len(case) + 1)
        match dice.randrange(6):
            case 0:
                case[at : at + 1] = bytes([dice.choice((dice.randrange(256), *NUMBERS))])
            case 1:
                case[at : at + dice.randrange(1, 9)] = b""
            case 2:
                case[at:at] = dice.randbytes(dice.randrange(1, 9))
            case 3:
                case[at:at] = case[at : at + dice.randrange(1, 65)] * dice.choice((1, 1, 2, 50))
            case 4:
                other = dice.choice(corpus)
                start = dice.randrange(len(other) + 1)
                case[at : at + dice.randrange(65)] = other[start : start + dice.randrange(65)]
            case 5:
                if at < len(case):
                    case[at] ^= 1 << dice.randrange(8)
    return bytes(case)


def of_json(dice: Random, value: Any) -> Any:
    """Return a copy of `value`, which JSON can hold, with a few parts replaced, exchanged or removed."""
    case = copy.deepcopy(value)
    for _ in range(dice.choice((1, 1, 2, 5))):
        places = list(_places(case))
        if not places:
            break
        container, key = dice.choice(places)
        match dice.randrange(4):
            case 0:
                other, other_key = dice.choice(places)
                container[key] = copy.deepcopy(other[other_key])
            case 1:
                del container[key]
            case _:
                container[key] = copy.deepcopy(dice.choice(ODD))
    return case


def _places(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            yield value, key
            yield from _places(value[key])
