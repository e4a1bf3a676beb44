"""A search space that several tests share."""

from __future__ import annotations

import pytest

from planner import Continuous, SearchSpace


@pytest.fixture
def vials() -> SearchSpace:
    """Nine volumes that must fit 5 mL, most of which a good recipe leaves out."""
    liquids = [f"v{i}" for i in range(9)]
    axes = [Continuous("solid", 1.0, 5.0, unit="mg", step=0.2)]
    axes += [Continuous(name, 0.25 if name == "v0" else 0.0, 5.0, unit="mL", step=0.25) for name in liquids]
    return SearchSpace(axes, [" + ".join(liquids) + " <= 5"])
