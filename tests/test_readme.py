"""The README's promises that a test can hold."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("page", "words"),
    [
        ("README.md", "from planner"),
        ("docs/planner.md", "from planner"),
        ("docs/transfer.md", "from surrogate.transfer"),
        ("docs/features.md", "from planner.featured"),
        ("docs/compute.md", "from surrogate.compute"),
    ],
)
def test_the_snippet_runs(page, words, tmp_path):
    text = (ROOT / page).read_text(encoding="utf-8")
    code = next(block for block in re.findall(r"```python\n(.*?)```", text, re.S) if words in block)
    code = code.replace('"/tmp/', f'"{tmp_path}/')
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("target", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(target):
    assert (ROOT / target).exists()
