"""The script that times features runs, and says of each what it took."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_short_run():
    command = [sys.executable, "benchmarks/features.py", "--structures", "12", "--formulas", "30"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    assert "12 CIF files" in done.stdout
    assert "12 different" in done.stdout
    assert "ewald_matrix of 12" in done.stdout
    assert "bag_of_atoms of 30" in done.stdout
