import re
from pathlib import Path

from node.errors import UserError
from node.settings import DEFAULTS, Settings

import pytest

from tests.support import PROJECT


def test_gravity_ini_as_shipped_says_what_counts_without_it():
    text = (PROJECT / "Gravity.ini").read_text()
    shipped = dict(re.findall(r'(?m)^(\w+) *= *"?([^"\n]*)"?$', text))
    assert {key: shipped[key] for key in DEFAULTS} == DEFAULTS


def test_a_folder_for_a_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """It is made, and what stands in its way is told with file and line."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "Gravity.ini").write_text("[AnomalyDetector]\ntensorboard_dir = x\n")
    (tmp_path / "file").touch()

    def folder(value: str, package: str = "numpy") -> Path | None:
        return Settings(lambda key, default: value, "AnomalyDetector").package_folder("tensorboard_dir", package)

    assert folder("off", "not_installed") is None
    assert folder("a/b") == Path("a/b") and (tmp_path / "a" / "b").is_dir()
    said = "line 2: tensorboard_dir requires the package not_installed: pip install not_installed"
    with pytest.raises(UserError, match=said):
        folder("a", "not_installed")
    with pytest.raises(UserError, match=r"line 2: tensorboard_dir = 'file/b', but it must be off, or a folder"):
        folder("file/b")
