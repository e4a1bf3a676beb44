"""The example of an adaptive scan runs through the driver, finds what lies there, and stops by itself."""

import importlib.util
import sys
from pathlib import Path

import pytest
import torch

PATH = Path(__file__).parents[2] / "examples" / "adaptive_xrd" / "scan.py"


@pytest.fixture(scope="module")
def example():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    spec = importlib.util.spec_from_file_location("adaptive_xrd_example", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def measured(example):
    said = []
    return example.measure("1", temperature=lambda pattern, best: 4.0, say=said.append), said


def test_a_trace_that_the_survey_does_not_show_is_found(measured):
    scanned, said = measured
    assert scanned.stop.reason == "sure"
    assert set(scanned.scan.belief().phases) == {"anatase", "brookite"}
    assert len(scanned.scan.windows) > 1 and len(said) == len(scanned.scan.windows)


def test_time_at_the_instrument_is_what_was_reckoned_with(measured):
    scanned, _ = measured
    assert scanned.lasted_s == pytest.approx(scanned.scan.spent_s, rel=0.1)
    assert scanned.scan.spent_s < scanned.scan.settings.budget_s / 2.0


def test_an_easy_sample_needs_little_more_than_the_survey(example):
    scanned = example.measure("3", temperature=lambda pattern, best: 4.0)
    assert scanned.stop.reason == "sure" and set(scanned.scan.belief().phases) == {"corundum", "quartz"}
    assert scanned.lasted_s < 120.0
