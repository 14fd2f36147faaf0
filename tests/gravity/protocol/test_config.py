"""The dialect of Gravity.ini, fact by fact: what the reference reads is read, what it drops is said with its line."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gravity.protocol import config
from gravity.protocol.config import ConfigError, Parameters


def general(text: str) -> dict[str, str]:
    return config.parse(f"[general]\n{text}", "Comp")


# ---- values ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        # bare words
        ("a = x", "x"),
        ("a=x", "x"),
        ("a\t=\tx", "x"),
        ("a=x#y", "x"),
        ("a = -1", "-1"),
        ("a = +1.5", "+1.5"),
        ("a = |x", "|x"),
        ("a = A,B;c:d@e.f_g", "A,B;c:d@e.f_g"),
        ("a = 0.05", "0.05"),
        ("a = 1e5", "1e5"),
        # quoted strings
        ('a = "tcp://localhost:5555"', "tcp://localhost:5555"),
        ('a = "with blanks"', "with blanks"),
        ('a = ""', ""),
        ('a = "back\\slash"', "back\\slash"),
        ('a = "[](|)_.@/;,:$+=*-"', "[](|)_.@/;,:$+=*-"),
        ('a = "x" b="y"', 'x" b="y'),
        ('a = "$b"', "$b"),
        ('a = "1 + 2"', "1 + 2"),
        # arithmetic: products bind looser than sums, and six decimals always
        ("a = 1 + 2", "3.000000"),
        ("a = 2 + 3 * 4", "20.000000"),
        ("a = 4 * 3 + 2", "20.000000"),
        ("a = 2 * ( 3 + 4 )", "14.000000"),
        ("a = ( 2 * 3 ) + 4", "10.000000"),
        ("a = 10 - 2 - 3", "5.000000"),
        ("a = 24 / 2 / 3", "4.000000"),
        ("a = 2 - -3", "5.000000"),
        ("a = 7 / 2", "3.500000"),
        ("a = foo + 1", "1.000000"),
        ("a = 2x + 1", "3.000000"),
        ("a = 5 / 0", "inf"),
        ("a = -5 / 0", "-inf"),
        ('a = "2" * 3', "6.000000"),
        ("a = ( 5 )", "5"),
        ("a = ( ( x ) )", "x"),
        # variables: keys of the same file that are already known
        ("b = 3\na = $b", "3"),
        ("b = 3\na = $b * 2", "6.000000"),
        ('b = "x y"\na = $b', "x y"),
        # several pairs on a line, ends of lines
        ("b=1 a=2", "2"),
        ("b = 1\r\na = 2\r\n", "2"),
        ("b = 1\ra = 2", "2"),
        ("a = 2 # comment", "2"),
        ("a = 2 # comment \x00 é % no matter what", "2"),
        ("   a = 2   \n", "2"),
        ("\n\n# comment\n\na = 2", "2"),
    ],
)
def test_value(text: str, value: str) -> None:
    assert general(text)["a"] == value


@pytest.mark.parametrize(
    ("text", "remedy"),
    [
        ('a = "x', "this quoted string is not closed"),
        ("[a b]", "write [Name], using only letters"),
        ("a = %", "the character '%' is not allowed here; put the value in double quotes"),
        ("a = tcp://x", "expected a value for a, found '/'; put special characters in double quotes"),
        ("a =", "expected a value for a, found the end of the line"),
        ("a = two words", "expected = after words; write key = value"),
        ("a = $b", "$b is not set above this line"),
    ],
)
def test_an_error_says_what_to_do(text: str, remedy: str) -> None:
    with pytest.raises(ConfigError) as caught:
        general(text)
    assert remedy in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a = tcp://x", 2),
        ("a = /tmp/x", 2),
        ("a = two words", 2),
        ("a = A, B", 2),
        ("a-b = 1", 2),
        ("a = 2+3", 2),
        ("a = 10 -2", 2),
        ("a = 5-3", 2),
        ("a =", 2),
        ("a =\nb = 1", 2),
        ("a", 2),
        ("a\n= 1", 2),
        ("= 1", 2),
        ("// a note", 2),
        ("* a = 1", 2),
        ("+ a = 1", 2),
        (") a = 1", 2),
        ("- a = 1", 2),
        ("a = ( 1", 2),
        ("a = ( )", 2),
        ("a = 1 )", 2),
        ("a = 1 +", 2),
        ("a = 1 + * 2", 2),
        ("a = 'x'", 2),
        ("a = 5%", 2),
        ("a = é", 2),
        ('a = "x', 2),
        ('a = x"', 2),
        ('a = "tab\there"', 2),
        ('a = "50 %"', 2),
        ('a = "#"', 2),
        ('a = "it\'s"', 2),
        ('a = "über"', 2),
        ('a = "two\nlines"', 2),
        ("a = $unknown", 2),
        ("a = $b\nb = 1", 2),
        ("B = 1\na = $b", 3),
        ("ok = 1\n# comment\n\na = tcp://x\nb = 1", 5),
        ("ok = 1\r\nbad bad\r\n", 3),
        ("[a-b]", 2),
        ("[a", 2),
        ("[]", 2),
        ("[a b]", 2),
    ],
)
def test_error(text: str, line: int) -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse(f"[general]\n{text}", "Comp", Path("Gravity.ini"))
    assert caught.value.line == line
    assert str(caught.value).startswith(f"Gravity.ini, line {line}: ")


def test_an_error_in_a_section_that_nobody_reads_counts() -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse("[general]\na = 1\n[Other]\nb = tcp://x\n", "Comp")
    assert caught.value.line == 4


def test_an_unknown_variable_in_a_section_that_nobody_reads_does_not_count() -> None:
    assert config.parse("[general]\na = 1\n[Other]\nb = $unknown\n", "Comp") == {"a": "1"}


@pytest.mark.parametrize("text", ["a = 1", "\na = 1\n[general]\nb = 2", "# comment\na = 1"])
def test_a_pair_before_any_section_is_an_error(text: str) -> None:
    with pytest.raises(ConfigError, match="before any section"):
        config.parse(text, "Comp")


def test_a_byte_order_mark_is_an_error() -> None:
    with pytest.raises(ConfigError) as caught:
        config.parse("\ufeff[general]\na = 1", "Comp")
    assert caught.value.line == 1


@pytest.mark.parametrize("text", ["", "\n\n", "# comment", "[general]", "[general]\n", "[general] # comment"])
def test_nothing(text: str) -> None:
    assert config.parse(text, "Comp") == {}


def test_a_comment_at_the_very_end_hides_nothing() -> None:
    assert config.parse("[general]\na = 1\n# the end", "Comp") == {"a": "1"}


# ---- sections and keys -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[general]\na = g\n[Comp]\na = c", "c"),
        ("[Comp]\na = c\n[general]\na = g", "c"),
        ("[COMP]\na = c\n[GENERAL]\na = g", "c"),
        ("[ Comp ]\na = c\n[general]\na = g", "c"),
        ("[general] a = g", "g"),
        ("[general]\na = g\n[Other]\na = o", "g"),
        ("[general]\nb = 1\n[Other]\na = o\n[general]\na = g", "g"),  # reopened
        ("[general]\na = first\na = second", "first"),
        ("[Comp]\na = first\n[Other]\n[Comp]\na = second", "first"),
        ("[;general;]\na = g", "g"),  # what is no letter or digit at a name's ends does not count
        ("[Comp]\nb = c\n[general]\na = $b", "c"),
        ("[general]\nb = g\n[Comp]\nb = c\n[general]\na = $b", "c"),
    ],
)
def test_sections(text: str, value: str) -> None:
    assert config.parse(text, "Comp")["a"] == value


def test_a_component_does_not_see_general_variables() -> None:
    with pytest.raises(ConfigError):
        config.parse("[general]\nb = 1\n[Comp]\na = $b", "Comp")


@pytest.mark.parametrize("component_id", ["_Comp", "My-Comp"])
def test_a_component_whose_name_cannot_be_a_section_reads_general(component_id: str) -> None:
    assert config.parse("[Comp]\na = c\n[general]\na = g", component_id) == {"a": "g"}


def test_keys_are_lower_case() -> None:
    assert general("ServiceDirectoryURL = x") == {"servicedirectoryurl": "x"}


def test_quoted_keys() -> None:
    assert general('"My key" = 1') == {"my key": "1"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[Comp]\nfoo=2\n[general]\nFOO=1", {"foo": "1"}),
        ("[Comp]\nBAR=c\n[general]\nbar=g", {"bar": "g"}),
    ],
)
def test_keys_that_differ_only_in_case(text: str, expected: dict[str, str]) -> None:
    """The reference's hash table decides; so do the same sums of character codes here."""
    assert config.parse(text, "Comp") == expected


# ---- files ---------------------------------------------------------------------------------------------------


def test_no_file_no_parameters(tmp_path: Path) -> None:
    assert config.read(tmp_path / "Gravity.ini", "Comp") == {}


def test_file(tmp_path: Path) -> None:
    (tmp_path / "Gravity.ini").write_bytes(b"[general]\r\na = 1\r\n[Comp]\r\nb = 2")
    assert config.read(tmp_path / "Gravity.ini", "Comp") == {"a": "1", "b": "2"}


@pytest.mark.parametrize("content", [b"[general]\na = \xff", b"\xff\xfe[\x00g\x00"])
def test_file_that_is_no_text(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "Gravity.ini").write_bytes(content)
    with pytest.raises(ConfigError, match=r"Gravity\.ini: not UTF-8"):
        config.read(tmp_path / "Gravity.ini", "Comp")


def test_file_that_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "Gravity.ini").mkdir()
    with pytest.raises(ConfigError, match="cannot be read"):
        config.read(tmp_path / "Gravity.ini", "Comp")


@pytest.mark.parametrize(("terms", "fits"), [(100, True), (101, False)])
def test_the_longest_value(terms: int, fits: bool) -> None:
    text = "a = 1" + " + 1" * (terms - 1)
    if fits:
        assert general(text) == {"a": f"{terms}.000000"}
    else:
        with pytest.raises(ConfigError, match="a value for a has more than 200 tokens"):
            general(text)


def test_parameters_of_two_files(tmp_path: Path) -> None:
    (tmp_path / "Some.ini").write_text("[general]\na = 1\nb = 1\n[Comp]\nb = 2\nc = 2")
    (tmp_path / "Comp.ini").write_text("[general]\nc = 3")
    parameters = Parameters.read("Comp", tmp_path / "Some.ini")
    assert [parameters.text(key) for key in "aBc"] == ["1", "2", "3"]
    assert Parameters.read("Other", tmp_path / "Some.ini").text("b") == "1"
    assert Parameters.read("Comp", tmp_path / "missing.ini").text("c") == "3"
    assert Parameters.read("Comp", tmp_path / "Comp.ini").text("c") == "3"


def test_parameters() -> None:
    parameters = Parameters({"Number": "12abc", "Real": "0.5", "Empty": "", "Yes": "Y", "No": "1"})
    assert (parameters.integer("number"), parameters.number("REAL")) == (12, 0.5)
    assert (parameters.integer("Empty"), parameters.integer("Empty", 7), parameters.integer("missing")) == (-1, 7, -1)
    assert (parameters.number("Empty"), parameters.number("missing", 1.5)) == (0.0, 1.5)
    assert (parameters.text("Empty", "x"), parameters.text("missing", "x")) == ("", "x")
    assert [parameters.yes(key) for key in ("Yes", "No", "Empty", "missing")] == [True, False, False, False]
    assert [parameters.yes(key, True) for key in ("Yes", "No", "Empty", "missing")] == [True, False, False, True]
    assert [parameters.is_set(key) for key in ("EMPTY", "missing")] == [True, False]


def test_added_parameters_replace_none() -> None:
    parameters = Parameters({"a": "old", "empty": ""})
    parameters.add_missing({"A": "new", "Empty": "new", "B": "new"})
    assert [parameters.text(key) for key in ("a", "empty", "b")] == ["old", "", "new"]


# ---- numbers and truth -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("42", 42),
        ("-7", -7),
        ("+7", 7),
        ("12abc", 12),
        ("3.9", 3),
        (" 42 ", 42),
        ("0x10", 0),
        ("007", 7),
        ("2147483647", 2147483647),
        ("2147483648", -99),
        ("-2147483648", -2147483648),
        ("-2147483649", -99),
        ("9" * 10_000, -99),
        ("", -99),
        ("abc", -99),
        ("-", -99),
        ("- 1", -99),
        (".5", -99),
    ],
)
def test_to_int(text: str, number: int) -> None:
    assert config.to_int(text, -99) == number


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0.05", 0.05),
        ("1.5e3", 1500.0),
        ("1.5E-3", 0.0015),
        ("1,5", 1.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("-2", -2.0),
        ("+2", 2.0),
        (" 2 ", 2.0),
        ("20.000000", 20.0),
        ("1.5abc", 1.5),
        ("", -0.25),
        ("abc", -0.25),
        ("inf", -0.25),
        ("nan", -0.25),
        ("1e400", -0.25),
        ("-1e400", -0.25),
        ("9" * 10_000, -0.25),
    ],
)
def test_to_float(text: str, number: float) -> None:
    assert config.to_float(text, -0.25) == number


@pytest.mark.parametrize("text", ["true", "TRUE", "True", "t", "T", "yes", "Yes", "y", "Y"])
def test_true(text: str) -> None:
    assert config.to_bool(text)


@pytest.mark.parametrize("text", ["false", "1", "on", "", "no", "truee", " true", "ja", "0", "tr"])
def test_all_else_is_false(text: str) -> None:
    assert not config.to_bool(text)


# ---- any text ----------------------------------------------------------------------------------------------------

_PIECES = [
    "[general]\n",
    "[Comp]",
    "\n",
    "\r",
    " ",
    "a",
    "b",
    "=",
    "1",
    "-1",
    '"x"',
    '"',
    "$a",
    "$",
    "(",
    ")",
    "*",
    "+",
]
_PIECES += ["-", "/", "#", "[", "]", "\t", "9e99", "é", "\0", "|"]

fuzzed = settings(max_examples=300, derandomize=True, deadline=None, database=None)


def parse_or_error(text: str) -> None:
    try:
        parameters = config.parse(text, "Comp")
    except ConfigError as error:
        assert 1 <= error.line <= len(text) + 1
    else:
        assert all(key == key.lower() and isinstance(value, str) for key, value in parameters.items())


@fuzzed
@given(text=st.text(st.characters(max_codepoint=300), max_size=60))
def test_any_text(text: str) -> None:
    parse_or_error("[general]\n" + text)


@fuzzed
@given(pieces=st.lists(st.sampled_from(_PIECES), max_size=30))
def test_any_mixture_of_signs(pieces: list[str]) -> None:
    parse_or_error("[general]\n" + "".join(pieces))


@pytest.mark.parametrize(
    "value",
    ["( " * 20_000 + "1" + " )" * 20_000, "1" + " + 1" * 20_000, "1" + " * 1" * 20_000, '"' * 20_001, "1" * 20_000],
    ids=["parentheses", "sum", "product", "quotes", "digits"],
)
def test_no_value_is_too_long(value: str) -> None:
    parse_or_error(f"[general]\na = {value}\n")
