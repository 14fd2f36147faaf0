"""Reads Gravity's configuration files.

A file has sections, comments and `key = value` pairs. A component reads its own section first, then `[general]`; the
first value of a key wins. Values are bare words, quoted strings, `$variables` defined earlier, or arithmetic
expressions. On an error, Gravity ignores the whole file; this module raises ConfigError with the line number, even
for the few inputs on which Gravity hangs or guesses.
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
_NUMBER = re.compile(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")  # as C's atof
_INTEGER = re.compile(r"\s*[-+]?\d+")
_LONGEST = 200  # tokens in an expression, since evaluation is recursive
_NO_FILE_NAME = re.compile(r'[\x00-\x1e/\\?%*:|"<>]|^\.*$')  # component ids that cannot be file names
_PRECEDENCE = (("*", "/"), ("+", "-"))  # loosest first: as in Gravity, products bind more loosely than sums


class ConfigError(ValueError):
    """A malformed or unreadable configuration file; the message gives file, line, problem and fix."""

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
    """Return a component's parameters in a file, by lower-case key; empty if the file does not exist.

    Raises ConfigError if the file cannot be read or is malformed.
    """
    text = _text(path)
    return {} if text is None else parse(text, component_id, path)


def read_served(path: Path, component_id: str) -> dict[str, str]:
    """Return what a ConfigServer with this file sends to a component, by key as written, in the order of the keys.

    That is `[general]`, overridden by the component's own section, without empty values. Raises ConfigError, also if
    the file does not exist.
    """
    text = _text(path)
    if text is None:
        raise ConfigError(path, 0, "does not exist; it holds what the ConfigServer sends to other components")
    general, own = _by_section(text, (GENERAL, component_id.lower()), path)
    overridden = {key.lower() for key in own}
    values = {key: value for key, value in general.items() if key.lower() not in overridden} | own
    return {key: value for key, value in sorted(values.items()) if value}


def _text(path: Path) -> str | None:
    """Return the text of a file, or None if it does not exist; raise ConfigError if it cannot be read."""
    try:
        return path.read_bytes().decode()
    except FileNotFoundError:
        return None
    except UnicodeDecodeError:
        raise ConfigError(path, 0, "not UTF-8 text; use plain ASCII") from None
    except OSError as error:
        raise ConfigError(path, 0, f"cannot be read ({error.strerror})") from None


def parse(text: str, component_id: str, path: str | Path = "configuration") -> dict[str, str]:
    """Return a component's parameters in `text`, by lower-case key; raise ConfigError if it is malformed."""
    own, general = _by_section(text, (component_id.lower(), GENERAL), path)
    table = own | {key: value for key, value in general.items() if key not in own}
    # Of keys that differ only in case, the last one in the order of Gravity's hash table wins.
    return {key.lower(): table[key] for key in sorted(table, key=lambda k: sum(k.encode()) % 64)}


def _by_section(text: str, sections: tuple[str, ...], path: str | Path) -> list[dict[str, str]]:
    """Return the values of each section; a `$variable` may be set in the same or in an earlier one of them."""
    pairs = list(_pairs(list(_tokens(text, path)), path))
    seen: dict[str, str] = {}
    tables = []
    for section in sections:
        table: dict[str, str] = {}
        for pair in pairs:
            if pair.section == section:
                key = _evaluate(pair.key, seen, path)
                value = _evaluate(pair.value, seen, path)
                table.setdefault(key, value)
                seen.setdefault(key, value)
        tables.append(table)
    return tables


def to_int(text: str, default: int) -> int:
    """Return the integer at the start of `text`, or `default` if there is none or it exceeds 32 bits."""
    match = _INTEGER.match(text)
    value = float(match[0]) if match else default  # exact up to 53 bits; int() rejects thousands of digits
    return int(value) if -(2**31) <= value < 2**31 else default


def to_float(text: str, default: float) -> float:
    """Return the number at the start of `text`, or `default` if there is none or it is infinite."""
    match = _NUMBER.match(text)
    value = float(match[0]) if match else default
    return value if abs(value) != float("inf") else default


def to_bool(text: str) -> bool:
    """Return whether `text` is true, t, yes or y, in any case."""
    return text.lower() in {"true", "t", "yes", "y"}


class Parameters:
    """A component's parameters; keys are case-insensitive."""

    def __init__(self, values: Mapping[str, str] = MappingProxyType({}), folder: Path = Path()) -> None:
        """`folder`: where files that parameters name are, unless they begin with /."""
        self._folder = folder
        self._values = {key.lower(): value for key, value in values.items()}

    @classmethod
    def read(cls, component_id: str, general_path: Path) -> Parameters:
        """Read a file and, taking precedence, `<component_id>.ini` next to it; raise ConfigError."""
        values = read(general_path, component_id)
        if not _NO_FILE_NAME.search(component_id):
            values |= read(general_path.with_name(f"{component_id}.ini"), component_id)
        return cls(values, general_path.parent)

    def add_missing(self, values: Mapping[str, str]) -> None:
        """Add those of `values` whose keys are not set."""
        self._values = {key.lower(): value for key, value in values.items()} | self._values

    def update(self, values: Mapping[str, str]) -> None:
        """Set parameters, also those that are set already."""
        self._values |= {key.lower(): value for key, value in values.items()}

    def is_set(self, key: str) -> bool:
        """Return whether a parameter is set, even if it is empty."""
        return key.lower() in self._values

    def text(self, key: str, default: str = "") -> str:
        """Return a parameter, or the default if it is not set."""
        return self._values.get(key.lower(), default)

    def file(self, key: str) -> Path:
        """Return the file that a parameter names, relative to the folder of the configuration file."""
        return self._folder / self.text(key)

    def integer(self, key: str, default: int = -1) -> int:
        """Return the integer at the start of a parameter, or the default if there is none."""
        return to_int(self.text(key), default)

    def number(self, key: str, default: float = 0.0) -> float:
        """Return the number at the start of a parameter, or the default if there is none."""
        return to_float(self.text(key), default)

    def yes(self, key: str, default: bool = False) -> bool:
        """Return whether a parameter is true, t, yes or y, or the default if it is not set."""
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
        return "this quoted string is not closed, or contains a character that Gravity does not allow"
    if character == "[":
        return "this is not a section; write [Name], using only letters, digits and _ . @ / ;"
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
            raise ConfigError(path, token.line, f"{token.text} comes before any section; put [general] above it")
        else:
            key, at = _expression(tokens, at, path, "a key")
            if tokens[at].text != "=":
                raise ConfigError(
                    path,
                    token.line,
                    f"expected = after {token.text}; write key = value, and quote values that contain blanks, : or /",
                )
            value, at = _expression(tokens, at + 1, path, f"a value for {token.text}")
            yield _Pair(section, key, value)


def _expression(tokens: list[_Token], at: int, path: str | Path, what: str) -> tuple[list[_Token], int]:
    """Return the tokens of the expression that starts at `at`, and the index of its end."""
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
            raise ConfigError(
                path, token.line, f"expected {what}, found {found}; put special characters in double quotes"
            )
        else:
            return tokens[start:at], at
        at += 1
        if at - start > _LONGEST:
            raise ConfigError(path, token.line, f"{what} has more than {_LONGEST} tokens")


def _evaluate(tokens: list[_Token], table: dict[str, str], path: str | Path) -> str:
    """Return the value of an expression: its text, or a number with six decimals if it has an operator."""
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
