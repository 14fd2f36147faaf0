"""The packages that the example needs: one exact set has passed all tests, and has no known flaws."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import PROJECT


@pytest.mark.timeout(300)
def test_the_tested_packages_have_no_known_flaws(tmp_path: Path):
    pytest.importorskip("pip_audit", reason="to check the packages for known flaws: pip install pip-audit")
    lines = (PROJECT / "requirements-tested.txt").read_text().splitlines()
    pinned = tmp_path / "requirements.txt"
    pinned.write_text("\n".join(line for line in lines if "==" in line))
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(pinned), "--no-deps", "--disable-pip"]
    audit = subprocess.run([*command, "--format", "json"], capture_output=True, text=True)
    if not audit.stdout:
        pytest.skip(f"pip-audit cannot reach its data: {audit.stderr.strip().splitlines()[-1]}")
    packages = json.loads(audit.stdout)["dependencies"]
    assert len(packages) > 30
    if reasons := [package["skip_reason"] for package in packages if "skip_reason" in package]:
        pytest.skip(f"pip-audit cannot reach its data: {reasons[0]}")
    flaws = {p["name"]: [flaw["id"] for flaw in p["vulns"]] for p in packages if p["vulns"]}
    assert flaws == {}, "raise these versions in requirements.txt and requirements-tested.txt"
