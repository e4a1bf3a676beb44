"""The soak in a short form: a powder laboratory with faults, killed twice, judged by its world's own log."""

import subprocess
import sys
from pathlib import Path

SOAK = Path(__file__).parents[2] / "benchmarks" / "soak.py"


def test_nothing_is_lost_done_twice_or_unsafe_in_a_laboratory_that_is_killed(tmp_path):
    command = [sys.executable, str(SOAK), "--out", str(tmp_path / "soak"), "--trials", "16", "--kills", "2"]
    ran = subprocess.run([*command, "--recorded", "4"], capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stderr[-2000:]
    cells = [line.split("|") for line in ran.stdout.splitlines() if line.startswith("| ")]
    rows = {cell[1].strip(): cell[2].strip() for cell in cells}
    assert rows["samples"] == "16"
    assert rows["controller starts"] == "3"
    assert rows["violations found by the checker"].split()[0] == "0", ran.stdout[-2000:]
    assert rows["measurements lost"] == "0"
    assert rows["tables equal to the journal folded again"] == "yes"
    assert rows["open trials"] == "0"
