import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from surrogate.compute.costs import PER_OCTAVE, CostModel
from surrogate.compute.errors import WrongCosts
from surrogate.compute.jobs import Job, JobClass

PLAN = Job(job_class=JobClass.PLAN, function="a:plan", size=100)
BIN = 2 ** (1 / PER_OCTAVE)


def model_of(durations, job=PLAN):
    costs = CostModel()
    for seconds in durations:
        costs = costs.learned(job, "cpu", seconds)
    return costs


@given(st.lists(st.floats(1e-3, 1e5), min_size=1, max_size=60), st.sampled_from([0.5, 0.95]))
def test_a_quantile_is_an_order_statistic_within_a_bin(durations, part):
    wanted = sorted(durations)[min(len(durations), int(np.ceil(part * (len(durations) + 1)))) - 1]
    found = model_of(durations).quantile(PLAN, "cpu", part)
    assert wanted * (1 - 1e-9) <= found <= wanted * BIN * (1 + 1e-9)


def test_draws_are_spread_as_what_was_seen():
    durations = np.exp(np.random.default_rng(0).normal(1.0, 0.4, 2000))
    costs, rng = model_of(durations), np.random.default_rng(1)
    drawn = np.array([costs.draw(PLAN, "cpu", rng) for _ in range(4000)])
    assert drawn.mean() == pytest.approx(durations.mean(), rel=0.03)
    assert np.quantile(drawn, 0.95) == pytest.approx(np.quantile(durations, 0.95), rel=0.05)


def test_kinds_and_devices_are_apart_and_sizes_near_each_other_help():
    costs = model_of([1.0])
    assert costs.quantile(PLAN, "gpu", 0.5) is None
    assert costs.quantile(Job(job_class=JobClass.REFIT, function="a:plan"), "cpu", 0.5) is None
    larger = Job(job_class=JobClass.PLAN, function="a:plan", size=1000)
    assert costs.quantile(larger, "cpu", 0.5) == costs.quantile(PLAN, "cpu", 0.5)
    both = costs.learned(larger, "cpu", 50.0)
    assert both.quantile(larger, "cpu", 0.5) > 49 and both.quantile(PLAN, "cpu", 0.5) < 1.1


def test_what_nobody_knows_is_what_the_job_expects_or_nothing():
    guess = Job(job_class=JobClass.PLAN, function="a:b", expected_s=3.0)
    assert CostModel().estimate(guess, "cpu", 0.95) == 3.0
    assert CostModel().estimate(PLAN, "cpu", 0.95) == 0.0
    assert CostModel().draw(PLAN, "cpu", np.random.default_rng(0)) is None


@given(st.lists(st.tuples(st.floats(1e-6, 1e6), st.sampled_from([1, 7, 300]), st.sampled_from(["cpu", "gpu"]))))
def test_a_file_gives_the_same_model_and_hash(tmp_path_factory, seen):
    costs = CostModel()
    for seconds, size, device in seen:
        costs = costs.learned(Job(job_class=JobClass.REFIT, function="a:b", size=size), device, seconds)
    path = tmp_path_factory.mktemp("costs") / "costs.json"
    costs.save(path)
    back = CostModel.load(path)
    assert back.text() == costs.text() and back.sha256 == costs.sha256


def test_the_hash_is_of_the_content_whatever_the_order():
    assert model_of([1.0, 2.0]).sha256 == model_of([2.0, 1.0]).sha256 != model_of([1.0]).sha256


@pytest.mark.parametrize(
    "change",
    [
        lambda told: told | {"version": 2},
        lambda told: told | {"durations_s": {"k": {"0": {"5": -1}}}},
        lambda told: told | {"durations_s": {"k": {"0": {"5": 1.5}}}},
        lambda told: told | {"durations_s": {"k": {"0": {"99999": 1}}}},
        lambda told: told | {"durations_s": {"k": {"0": {}}}},
        lambda told: told | {"durations_s": []},
        lambda told: [],
    ],
)
def test_other_files_are_refused(tmp_path, change):
    path = tmp_path / "costs.json"
    model_of([1.0]).save(path)
    path.write_text(json.dumps(change(json.loads(path.read_text()))))
    with pytest.raises(WrongCosts, match="costs.json holds no cost model"):
        CostModel.load(path)


def test_half_a_file_is_refused_and_no_part_is_left(tmp_path):
    path = tmp_path / "costs.json"
    model_of([1.0]).save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["costs.json"]
    path.write_text(path.read_text()[:-5])
    with pytest.raises(WrongCosts):
        CostModel.load(path)
    with pytest.raises(FileNotFoundError):
        CostModel.load(tmp_path / "none.json")
