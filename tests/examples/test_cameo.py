import importlib.util
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "cameo" / "spread.py"


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("cameo_example", SCRIPT)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_it_maps_a_spread_and_finds_its_best_property(example, tmp_path):
    spread, lines = example.Spread(203), []
    planner = example.explore(spread, 16, 203, save=tmp_path / "planner.json", say=lines.append)
    assert len(lines) == len(planner.observations) == 16
    assert any("looks for the best resistance" in line for line in lines)
    best = spread.compositions.index(dict(planner.best().parameters))
    assert spread.truth.property_true[best] >= 0.85
    told = example.summary(planner, spread.compositions)
    assert sum(int(line.split()[0]) for line in told[:-1]) == 231
    assert (tmp_path / "planner.json").stat().st_size > 10_000
