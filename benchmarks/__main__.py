"""All benchmarks, one after the other: `python -m benchmarks [--quick] [--json FILE]`.

The JSON has what benchmarks.messaging and benchmarks.detector give. benchmarks.skab is left out: it needs a folder
with recordings.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.report import write_json

QUICK = {
    "separation": ["--seeds", "1", "--usual-seeds", "1"],
    "detection": ["--seeds", "1", "--cases", "as shipped"],
    "messaging": ["--quick"],
    "detector": ["--quick"],
}
FULL: dict[str, list[str]] = {"separation": [], "detection": [], "messaging": [], "detector": []}
WITH_JSON = ("messaging", "detector")


def main() -> None:
    """Run them; CalledProcessError if one fails."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run all benchmarks.")
    parser.add_argument("--quick", action="store_true", help="a look, in minutes instead of hours")
    parser.add_argument("--json", metavar="FILE", help="write what can be a program's input there, too")
    given = parser.parse_args()
    result: dict[str, object] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, arguments in (QUICK if given.quick else FULL).items():
            file = Path(folder, name)
            to_file = ["--json", str(file)] if name in WITH_JSON else []
            print(f"\n== {name}", flush=True)
            subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *arguments, *to_file], check=True)
            if to_file:
                result[name] = json.loads(file.read_text())
    if given.json:
        write_json(given.json, result)


if __name__ == "__main__":
    main()
