"""Foreign packages in the place of ours are noticed, and both paths are named."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from orchestrator.cli.shadows import shadowed_packages

ROOT = Path(__file__).resolve().parents[3]


def test_our_own_packages_are_no_strangers():
    assert shadowed_packages() == []


def test_a_package_of_another_home_is_a_stranger(tmp_path):
    (found,) = shadowed_packages(("drivers",), home=tmp_path)
    assert str(tmp_path / "drivers") in found
    assert str(ROOT / "drivers") in found


def test_a_missing_package_is_said():
    (found,) = shadowed_packages(("no_such_package",))
    assert "nothing: it is missing" in found


def test_start_up_names_both_paths_and_ends_with_2(tmp_path):
    (tmp_path / "planner").mkdir()
    (tmp_path / "planner" / "__init__.py").write_text("")
    done = subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", "--help"],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONSAFEPATH": "1"},
        timeout=60,
    )
    assert done.returncode == 2
    assert str(tmp_path / "planner") in done.stderr
    assert str(ROOT / "planner") in done.stderr
