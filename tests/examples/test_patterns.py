"""The pattern that the documentation tries things with."""

import hashlib
import json
from pathlib import Path

from orchestrator.cli.main import supervise

ROOT = Path(__file__).parents[2]
PATTERN = ROOT / "examples" / "patterns" / "tio2.xrdml"


def test_the_documentation_shows_this_file():
    text = (ROOT / "docs" / "read_measurements.md").read_text(encoding="utf-8")
    assert hashlib.sha256(PATTERN.read_bytes()).hexdigest() in text


def test_it_is_what_its_readme_says(tmp_path):
    arguments = [str(PATTERN), "--embedded", "--chemistry", "Ti,O", "--json", str(tmp_path / "out.json")]
    assert supervise(["identify", *arguments]) == 0
    (found,) = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert found["verdict"] == "identified"
    shares = {claim["name"]: claim["weight_interval"] for claim in found["phases"]}
    assert shares.keys() == {"rutile", "anatase"}
    assert shares["rutile"][0] < 0.7 < shares["rutile"][1]
