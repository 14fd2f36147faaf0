"""What comes from the network is harmless in each log and each line of the command `gravity`."""

from __future__ import annotations

from node import text as node_text

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gravity.log import text

MODULES = pytest.mark.parametrize("module", [text, node_text], ids=["gravity", "node"])
TEXTS = st.text(st.characters(exclude_categories=()))  # lone surrogates, too


@MODULES
@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain, ünïcode, 温度", "plain, ünïcode, 温度"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("a\nb\rc\td", r"a\nb\rc\td"),
        ("\x00\x7f\x9b", r"\x00\x7f\x9b"),
        ("\u2028\u2029\x85\x0b\x0c", r"\u2028\u2029\x85\x0b\x0c"),
        ("\u202e\u2066\u200f\u061c", r"\u202e\u2066\u200f\u061c"),
        ("\ud800", r"\ud800"),
        ("\u200b\ufeff\U000e0041", r"\u200b\ufeff\U000e0041"),
    ],
)
def test_harmless(module, given: str, shown: str) -> None:
    assert module.harmless(given) == shown


@MODULES
@given(TEXTS)
def test_whatever_comes_is_one_printable_line(module, given: str) -> None:
    shown = module.harmless(given)
    assert shown.isprintable() and module.harmless(shown) == shown
    shown.encode()


@MODULES
def test_long_texts_are_cut(module) -> None:
    assert module.harmless("x" * 10, 10) == "x" * 10
    assert module.harmless("x" * 11, 10) == "x" * 10 + "… (11 characters)"


@given(TEXTS)
def test_further_lines_are_indented(given: str) -> None:
    _, *further = text.indented(given).split("\n")
    assert all(line.startswith(text.INDENT) and line.isprintable() for line in further)
