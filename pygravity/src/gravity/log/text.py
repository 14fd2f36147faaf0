"""Text that may come from the network, made harmless before it reaches a terminal or a log."""

from __future__ import annotations

INDENT = "    "


def harmless(text: str, longest: int | None = None) -> str:
    """Return `text` in one line, with everything that is not printable escaped as in a Python literal.

    That is: control characters and line breaks, surrogates, and invisible characters, such as those that change the
    direction of text. What exceeds `longest` characters is cut off.
    """
    shown = text[:longest]
    if not shown.isprintable():
        shown = "".join(c if c.isprintable() else repr(c)[1:-1] for c in shown)
    return shown if longest is None or len(text) <= longest else f"{shown}… ({len(text)} characters)"


def indented(text: str) -> str:
    """Return `text` with harmless lines, all but the first indented, so that none looks like another message."""
    return f"\n{INDENT}".join(harmless(line) for line in text.splitlines())
