"""The publisher's command line."""

import argparse

import pytest

from streams import publisher_options


def parsed(*arguments: str) -> argparse.Namespace:
    return publisher_options.parse(argparse.ArgumentParser(), arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--columns", "a"),
        ("--time", "t"),
        ("--rate", "5"),
        ("--speed", "5"),
        ("--delimiter", ";"),
        ("--rows", "1-2"),
        ("--csv",),
        ("--csv", "f", "500"),
        ("--csv", "f", "--time", "t", "--rate", "5"),
        ("--csv", "f", "--speed", "2"),
        ("--csv", "f", "--rate", "2", "--speed", "2"),
        ("--replay",),
        ("--replay", ""),
        ("--replay", "f", "500"),
        ("--replay", "f", "--csv", "f"),
        ("--replay", "f", "--time", "t"),
        ("--replay", "f", "--rate", "2"),
        ("--replay", "f", "--rows", "1-2"),
        *(("--csv", "f", "--rate", bad) for bad in ("0", "-1", "fast", "nan", "inf", "")),
        *(("--csv", "f", "--time", "t", "--speed", bad) for bad in ("0", "-1", "fast", "inf")),
        *(("--csv", "f", "--columns", bad) for bad in ("", ",", "a,", "a,a", "a, a")),
        *(("--csv", "f", "--delimiter", bad) for bad in ("", ",,", '"', "\n")),
        *(("--csv", "f", "--rows", bad) for bad in ("", "-", "0-5", "5-4", "5", "a-b", "1-2-3", "--1", "-0")),
    ],
)
def test_usage_errors(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as raised:
        parsed(*arguments)
    assert raised.value.code == 2 and "error: " in capsys.readouterr().err


def test_options():
    assert parsed("--csv", "f", "--rows", "-400").rows == (1, 400)
    assert parsed("--csv", "f", "--rows", "401-").rows == (401, None)
    assert parsed("--csv", "f", "--rows", "7-7").rows == (7, 7)
    assert parsed("--csv", "f", "--columns", 'a, "b, c"').columns == ["a", "b, c"]
    assert parsed("--csv", "f", "--delimiter", "tab").delimiter == "\t"
    assert parsed("--csv", "f", "--delimiter", "\\t").delimiter == "\t"
    assert parsed("--csv", "f", "--time", "t").speed == 1
    assert parsed("--replay", "f", "--speed", "20").speed == 20
    assert publisher_options.open_file(parsed("500")) is None
