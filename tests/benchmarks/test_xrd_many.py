"""Many patterns in one call in a short form: each broken file is told, and none stops the rest."""

import subprocess
import sys
from pathlib import Path

MANY = Path(__file__).parents[2] / "benchmarks" / "xrd_many.py"


def test_broken_files_are_told_and_stop_nothing():
    command = [sys.executable, str(MANY), "--patterns", "10", "--broken-every", "2", "--workers", "2"]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    told = ran.stdout.splitlines()
    assert told[0].startswith("exit code 3; 10 patterns: ")
    assert told[1].startswith("10 results; ")
    assert told[2] == "broken 5, of which unusable 4; others unusable: 0"
    assert told[3].startswith("verdicts of broken files: empty: unusable (1), two points: unusable (1), constant: ")
    assert int(told[-1].split("|")[2]) > 0
