"""Parses Gravity's configuration files as the reference does.

A file has sections, comments and `key = value` pairs. A node reads its own section first, then `[general]`;
the first of two equal keys wins. Values are bare words, quoted strings, `$variables` set earlier, or sums
and products of numbers. The reference ignores a whole file because of one error and goes on with defaults; here the
error is raised, with its line, as are the few spellings that make the reference hang or guess.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

GENERAL = "general"

_TOKENS = re.compile(
    r"""(?P<blank>[ \t]+|\#[^\r\n]*)
      | (?P<newline>\r\n|\n|\r)
      | (?P<section>\[\ *[A-Za-z0-9_.@/;]+\ *\])
      | (?P<variable>\$[A-Za-z0-9_.@;]+)
      | (?P<word>[-+|]?[A-Za-z0-9_.@;:,]+)
      | (?P<string>"[][A-Za-z0-9 |_.@/;,":$+()=\\*-]*")
      | (?P<operator>[-+()=*/])""",
    re.VERBOSE,
)
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")  # what C's atof reads of a text
_INTEGER = re.compile(r"\s*[-+]?\d+")
_LONGEST = 200  # words and signs in an expression; its evaluation is recursive
_NO_FILE_NAME = re.compile(r'[\x00-\x1e/\\?%*:|"<>]|^\.*$')  # component ids without a file of their own
_PRECEDENCE = (("*", "/"), ("+", "-"))  # the looser first: as in the reference, products bind looser than sums


class ConfigError(ValueError):
    """A configuration file that cannot be read; `str()` names file, line, fault and remedy."""

    def __init__(self, path: str | Path, line: int, text: str) -> None:
        super().__init__(f"{path}, line {line}: {text}" if line else f"{path}: {text}")
        self.line = line


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    text: str
    line: int


@dataclass(frozen=True, slots=True)
class _Pair:
    section: str
    key: list[_Token]
    value: list[_Token]


def read(path: Path, component_id: str) -> dict[str, str]:
    """Return a component's parameters in a file, by lower-case key; none if the file does not exist.

    Raises ConfigError if the file is there but cannot be read or is malformed.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError:
        raise ConfigError(path, 0, "not UTF-8 text; Gravity reads plain ASCII here") from None
    except OSError as error:
        raise ConfigError(path, 0, f"cannot be read ({error.strerror})") from None
    return parse(text, component_id, path)


def parse(text: str, component_id: str, path: str | Path = "configuration") -> dict[str, str]:
    """Return the parameters in `text` for a component, by lower-case key; raise ConfigError if it is malformed."""
    pairs = list(_pairs(list(_tokens(text, path)), path))
    table: dict[str, str] = {}
    for section in (component_id.lower(), GENERAL):
        for pair in pairs:
            if pair.section == section:
                key = _evaluate(pair.key, table, path)
                table.setdefault(key, _evaluate(pair.value, table, path))
    # Keys that differ only in case: the reference lets the last of its hash table's order win.
    return {key.lower(): table[key] for key in sorted(table, key=lambda k: sum(k.encode()) % 64)}


def to_int(text: str, default: int) -> int:
    """Return the whole number that `text` begins with, in 32 bits as in the reference, else `default`."""
    match = _INTEGER.match(text)
    value = float(match[0]) if match else default  # exact up to 53 bits; int() balks at thousands of digits
    return int(value) if -(2**31) <= value < 2**31 else default


def to_float(text: str, default: float) -> float:
    """Return the number that `text` begins with, else `default`."""
    match = _NUMBER.match(text)
    value = float(match[0]) if match else default
    return value if abs(value) != float("inf") else default


def to_bool(text: str) -> bool:
    """Return whether `text` is true, t, yes or y; all else is false, as in the reference."""
    return text.lower() in {"true", "t", "yes", "y"}


class Parameters:
    """A component's parameters; keys are found in any case."""

    def __init__(self, values: Mapping[str, str] = MappingProxyType({})) -> None:
        self._values = {key.lower(): value for key, value in values.items()}

    @classmethod
    def read(cls, component_id: str, general_path: Path) -> Parameters:
        """Return the parameters in a file, after those in `<component_id>.ini` beside it; raise ConfigError."""
        values = read(general_path, component_id)
        if not _NO_FILE_NAME.search(component_id):
            values |= read(general_path.with_name(f"{component_id}.ini"), component_id)
        return cls(values)

    def add_missing(self, values: Mapping[str, str]) -> None:
        """Add those of `values` whose keys are not set."""
        self._values = {key.lower(): value for key, value in values.items()} | self._values

    def is_set(self, key: str) -> bool:
        """Return whether a parameter is set, even if it is empty."""
        return key.lower() in self._values

    def text(self, key: str, default: str = "") -> str:
        """Return a parameter's text, or the default if it is not set."""
        return self._values.get(key.lower(), default)

    def integer(self, key: str, default: int = -1) -> int:
        """Return the whole number that a parameter begins with, or the default if there is none."""
        return to_int(self.text(key), default)

    def number(self, key: str, default: float = 0.0) -> float:
        """Return the number that a parameter begins with, or the default if there is none."""
        return to_float(self.text(key), default)

    def yes(self, key: str, default: bool = False) -> bool:
        """Return whether a parameter is true, t, yes or y; the default if it is not set."""
        return to_bool(self.text(key)) if self.is_set(key) else default


def _tokens(text: str, path: str | Path) -> Iterator[_Token]:
    line, at = 1, 0
    while at < len(text):
        match = _TOKENS.match(text, at)
        if match is None:
            raise ConfigError(path, line, _illegal(text[at]))
        kind = match.lastgroup or ""
        if kind == "newline":
            yield _Token(kind, "", line)
            line += 1
        elif kind != "blank":
            yield _Token(kind, match[0], line)
        at = match.end()
    yield _Token("newline", "", line)


def _illegal(character: str) -> str:
    if character == '"':
        return "this quoted string does not end, or holds a character that Gravity does not allow in one"
    if character == "[":
        return "not a section; write [Name] with letters, digits and _ . @ / ; only"
    return f"the character {character!r} is not allowed here; put the value in double quotes"


def _pairs(tokens: list[_Token], path: str | Path) -> Iterator[_Pair]:
    section: str | None = None
    at = 0
    while at < len(tokens):
        token = tokens[at]
        if token.kind == "section":
            section = re.sub(r"^[^A-Za-z0-9]+|[^A-Za-z0-9]+$", "", token.text).lower()
            at += 1
        elif token.kind == "newline":
            at += 1
        elif section is None:
            raise ConfigError(path, token.line, f"{token.text} stands before any section; put [general] above it")
        else:
            key, at = _expression(tokens, at, path, "a key")
            if tokens[at].text != "=":
                raise ConfigError(
                    path,
                    token.line,
                    f"expected = after {token.text}; write key = value, values with blanks or : / in double quotes",
                )
            value, at = _expression(tokens, at + 1, path, f"a value for {token.text}")
            yield _Pair(section, key, value)


def _expression(tokens: list[_Token], at: int, path: str | Path, what: str) -> tuple[list[_Token], int]:
    """Return the tokens of the expression that begins at `at`, and where it ends."""
    start, depth, operand_next = at, 0, True
    while True:
        token = tokens[at]
        if operand_next and token.kind in ("word", "string", "variable"):
            operand_next = False
        elif operand_next and token.text == "(":
            depth += 1
        elif not operand_next and token.text == ")" and depth:
            depth -= 1
        elif not operand_next and token.kind == "operator" and token.text in "+-*/":
            operand_next = True
        elif operand_next or depth:
            found = repr(token.text) if token.text else "the end of the line"
            raise ConfigError(path, token.line, f"expected {what}, found {found}; quote text with signs in it")
        else:
            return tokens[start:at], at
        at += 1
        if at - start > _LONGEST:
            raise ConfigError(path, token.line, f"{what} with more than {_LONGEST} words and signs")


def _evaluate(tokens: list[_Token], table: dict[str, str], path: str | Path) -> str:
    """Return an expression's value: its text, or a number with six decimals if it has an operator."""
    for operators in _PRECEDENCE:
        depth = 0
        for at in range(len(tokens) - 1, -1, -1):  # from the right, since operators group to the left
            text = tokens[at].text
            depth += (text == ")") - (text == "(")
            if depth == 0 and tokens[at].kind == "operator" and text in operators:
                left, right = (_evaluate(t, table, path) for t in (tokens[:at], tokens[at + 1 :]))
                return f"{_calculate(_atof(left), text, _atof(right)):f}"
    token = tokens[0]
    if token.text == "(":
        return _evaluate(tokens[1:-1], table, path)
    if token.kind == "string":
        return token.text[1:-1]
    if token.kind == "variable":
        if token.text[1:] not in table:
            raise ConfigError(path, token.line, f"{token.text} is not set above this line")
        return table[token.text[1:]]
    return token.text


def _calculate(left: float, operator: str, right: float) -> float:
    if operator == "/":
        return left / right if right else left * float("inf")
    return {"+": left + right, "-": left - right, "*": left * right}[operator]


def _atof(text: str) -> float:
    match = _NUMBER.match(text)
    return float(match[0]) if match else 0.0
