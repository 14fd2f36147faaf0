"""All benchmarks, one after the other: `python -m benchmarks [--quick] [--json FILE]`.

It leaves out benchmarks.skab, which needs a folder with recordings, and benchmarks.plants, which requires more
packages.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import write_json

PARTS = {  # with their arguments for a quick look
    "separation": ["--seeds", "1", "--usual-seeds", "1"],
    "detection": ["--seeds", "1", "--cases", "as shipped"],
    "messaging": ["--quick"],
    "recording": ["--quick"],
    "detector": ["--quick"],
    "dashboard": ["--quick"],
    "scaling": ["--quick"],
}


def main() -> int:
    """Run them, those after one that fails, too; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run all benchmarks.")
    parser.add_argument("--quick", action="store_true", help="a look, in minutes instead of hours")
    parser.add_argument("--json", metavar="FILE", help="write the results there, too")
    given = parser.parse_args()
    result: dict[str, object] = {}
    failed: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        for name, quick in PARTS.items():
            file = Path(folder, name)
            print(f"\n== {name}", flush=True)
            arguments = ["--json", str(file), *(quick if given.quick else [])]
            if subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments]).returncode:
                failed.append(name)
            if file.exists():  # also what a part that failed had measured before
                result[name] = json.loads(file.read_text())
            if given.json:
                write_json(given.json, result | {"failed": failed})
    if failed:
        print(f"\nfailed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
