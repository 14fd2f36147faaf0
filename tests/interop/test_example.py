"""The example itself, unchanged, on the real Gravity and split across the two."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.example import Example
from tests.interop.implementations import Mix, mixes, real


@pytest.mark.timeout(240)
@pytest.mark.parametrize("mix", [m for m in mixes() if "real" in (m.publisher, m.subscriber)], ids=str)
def test_train_and_detect(tmp_path: Path, mix: Mix):
    real()
    example = Example(tmp_path, mix)
    try:
        example.train_and_detect()
    finally:
        example.close()
