import json
import re

import pytest

from orchestrator.report import posterior
from orchestrator.report.posterior import Posterior


@pytest.fixture
def no_posterior(monkeypatch):
    """Leave the planner alone: its predictions have tests of their own, and torch is slow to load."""
    monkeypatch.setattr(posterior, "predict_posterior", lambda _reading: Posterior(why_not="not asked for"))


@pytest.fixture
def embedded():
    """Read the data out of a page."""

    def read(text):
        found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
        assert found is not None
        return json.loads(found[1], parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))

    return read
