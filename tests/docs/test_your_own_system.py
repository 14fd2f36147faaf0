"""docs/your-own-system.md says what the tested example does."""

from __future__ import annotations

import re
import sys

from node.settings import DEFAULTS

import pytest

from streams.decoding import BadSetting, MessageDecoder
from streams.message_fields import message_types
from tests.support import PROJECT

from gravity.protocol.config import parse

PAGE = (PROJECT / "docs" / "your-own-system.md").read_text()
EXAMPLE = PROJECT / "examples" / "plant"
INI = (EXAMPLE / "Gravity.ini").read_text()


def blocks(language: str) -> list[str]:
    found = re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert found
    return found


@pytest.mark.parametrize("block", blocks("proto") + blocks("python"))
def test_code_is_that_of_the_example(block: str):
    files = [file for pattern in ("*.proto", "*.py") for file in EXAMPLE.glob(pattern)]
    assert any(block in file.read_text() for file in files)


@pytest.mark.parametrize("block", blocks("ini"))
def test_settings_are_those_of_the_example(block: str):
    for component in ["general", *re.findall(r"\[(\w+)\]", block)]:
        assert parse(f"[general]\n{block}", component).items() <= parse(INI, component).items()


@pytest.mark.parametrize("block", blocks("sh"))
def test_commands_name_programs_and_sections_that_there_are(block: str):
    for program in re.findall(r"python (\S+\.py)", block):
        assert (EXAMPLE / program).exists()
    for component in re.findall(r"--component (\w+)", block):
        assert f"[{component}]" in INI


def test_the_table_has_the_defaults():
    for keys, defaults in re.findall(r"^\| (`[^|]+) \| (`[^|]+) \| ", PAGE, re.MULTILINE):
        for key, default in zip(keys.split(", "), defaults.split(", "), strict=True):
            assert DEFAULTS[key.strip("`")] == default.strip("`")


def test_the_error_is_what_is_said(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "path", [*sys.path, str(EXAMPLE)])
    import plant_pb2  # type: ignore[import-not-found]

    [streams] = re.findall(r"line \d+: streams: '(.*?)'", PAGE)
    with pytest.raises(BadSetting) as told:
        MessageDecoder(streams, message_types([plant_pb2]))
    assert f"streams: {streams!r} {told.value}\n" in PAGE
