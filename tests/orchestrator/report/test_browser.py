"""What only a browser can tell: that the page's scripts run, and ask the network for nothing."""

import re
import shutil
import subprocess

import pytest

from orchestrator.report import posterior, write_report
from orchestrator.report.posterior import Posterior

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason="no chromium is installed")

OTHERS = ("bench", "no trials", "open")

A_MAP = {"kind": "map", "x": [400.0, 1300.0], "y": [250.0, 10_000.0], "mean": [[0.0, 1.0]] * 2, "sd": [[1.0, 2.0]] * 2}


def load(path, profile, window="1300,2000"):
    """Load a page headless; return the document as the scripts left it, and what they logged."""
    command = [
        BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
        "--disable-background-networking", "--disable-component-update", "--disable-sync", "--enable-logging=stderr",
        f"--user-data-dir={profile}", f"--window-size={window}", "--virtual-time-budget=4000", "--dump-dom",
        path.absolute().as_uri(),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    return done.stdout, [line for line in done.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("case", ["map", *(pytest.param(name, marks=pytest.mark.slow) for name in OTHERS)])
def test_the_scripts_draw_every_part_without_a_complaint(fabricate, monkeypatch, tmp_path, case):
    payload = A_MAP if case == "map" else None
    monkeypatch.setattr(posterior, "predict_posterior", lambda _reading: Posterior(payload=payload, why_not="no"))
    maker = fabricate()
    path = {
        "map": lambda: maker.sara(6),
        "bench": lambda: maker.bench(2),
        "no trials": lambda: maker.sara(0),
        "open": lambda: maker.sara(3, end=False),
    }[case]()
    document, complaints = load(write_report(path).path, tmp_path / "profile")
    assert complaints == []
    assert 'class="notice">A part of this page' not in document
    charts = len(re.findall(r'class="main-svg"', document))
    assert charts >= {"map": 8, "bench": 6, "no trials": 0, "open": 4}[case]
