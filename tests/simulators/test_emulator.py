import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from simulators.emulator import Emulator
from simulators.regression import CANDIDATES, GaussianProcess, Trees, choose, cross_validate, folds
from simulators.replay_options import read_options
from simulators.replay_table import Table, read_table
from simulators.table_noise import FROM_RESIDUALS, repeat_noise

SD = 0.5


def surface(time: float, base: str) -> float:
    return 10.0 + 8.0 * math.sin(time / 2.0) + (3.0 if base == "B" else 0.0)


def build(path: Path, rows: list[str], **changed: Any) -> Table:
    path.write_text("time,base,yield\n" + "\n".join(rows) + "\n")
    told: dict[str, Any] = {
        "table": str(path),
        "mode": "emulator",
        "parameters": [
            {"name": "time", "kind": "continuous", "unit": "min", "low": 0.0, "high": 6.0},
            {"name": "base", "kind": "categorical", "levels": ["A", "B"]},
        ],
        "objectives": [{"name": "yield", "unit": "%"}],
    }
    return read_table(read_options({**told, **changed}))


def rows(n_times: int, repeats: int, sd: float = SD, seed: int = 1) -> list[str]:
    rng = np.random.default_rng(seed)
    times = np.linspace(0.0, 6.0, n_times)
    points = [(float(time), base) for time in times for base in "AB" for _ in range(repeats)]
    return [f"{time!r},{base},{surface(time, base) + sd * rng.standard_normal()!r}" for time, base in points]


@pytest.fixture(scope="module")
def table(tmp_path_factory) -> Table:
    return build(tmp_path_factory.mktemp("emulator") / "t.csv", rows(25, 4))


@pytest.fixture(scope="module")
def emulator(table) -> Emulator:
    return Emulator(table)


@pytest.fixture
def quick(monkeypatch) -> None:
    """Fit one small candidate, for tests that are not about the regression."""
    few = Trees(ExtraTreesRegressor(n_estimators=5, random_state=0))
    monkeypatch.setattr("simulators.regression.CANDIDATES", {"few trees": lambda: few})


def test_it_finds_the_surface_between_the_rows(emulator):
    points = [{"time": time, "base": base} for time in np.linspace(0.1, 5.9, 23) for base in "AB"]
    found = np.array([values["yield"] for values in emulator.means(points)])
    truth = np.array([surface(**point) for point in points])
    assert np.sqrt(np.mean((found - truth) ** 2)) < 0.4


def test_a_point_has_one_value_whatever_is_asked_with_it(emulator):
    points = [{"time": time, "base": "A"} for time in np.linspace(0.0, 6.0, 17).tolist()]
    assert emulator.means(points) == [emulator.means([point])[0] for point in points]


def test_the_error_that_it_states_is_that_of_unseen_conditions(emulator, table):
    stated = emulator.provenance()["targets"]["yield"]
    # a held-out mean of four repeats scatters by sd / 2 about the truth, whatever the model
    assert SD / 2 * 0.7 < stated["cv_rmse"] < SD
    assert 0.95 < stated["cv_r2"] < 1.0
    assert stated["model"] == min(stated["candidates"], key=lambda name: stated["candidates"][name]["rmse"])


def test_the_noise_is_that_of_the_repeats(emulator):
    stated = emulator.provenance()["targets"]["yield"]
    assert stated["noise_sd"] == pytest.approx(SD, rel=0.15)
    assert stated["noise_by_value"] == []
    point = {"time": 2.0, "base": "A"}
    drawn = [emulator.draw(point, np.random.default_rng(i))["yield"] for i in range(400)]
    mean = emulator.means([point])[0]["yield"]
    assert np.std(drawn) == pytest.approx(stated["noise_sd"], rel=0.12)
    assert np.mean(drawn) == pytest.approx(mean, abs=4 * SD / 20)


def test_equal_tables_give_equal_emulators(table, emulator):
    again = Emulator(table)
    points = [{"time": time, "base": "B"} for time in np.linspace(0, 6, 7)]
    assert again.means(points) == emulator.means(points)
    assert again.provenance() == emulator.provenance()


def test_the_provenance_is_plain_json(emulator):
    stated = emulator.provenance()
    assert json.loads(json.dumps(stated, allow_nan=False)) == stated


def test_without_repeats_the_noise_is_the_residuals_and_says_so(tmp_path, quick):
    table = build(tmp_path / "t.csv", rows(25, 1))
    assert repeat_noise(table, 0) is None
    stated = Emulator(table).provenance()["targets"]["yield"]
    assert stated["noise_from"] == FROM_RESIDUALS
    assert stated["noise_sd"] == stated["cv_rmse"]


def test_noise_that_depends_on_the_value_is_found(tmp_path):
    rng = np.random.default_rng(0)
    lines = []
    for time in np.linspace(0.0, 6.0, 60).tolist():
        for _ in range(4):
            lines.append(f"{time!r},A,{(1 + time) * (1 + 0.2 * float(rng.standard_normal()))!r}")
    parameters = [{"name": "time", "kind": "continuous", "unit": "min", "low": 0.0, "high": 6.0}]
    noise = repeat_noise(build(tmp_path / "t.csv", lines, parameters=parameters), 0)
    assert noise is not None
    assert noise.sd_at(1.5) == pytest.approx(0.3, rel=0.4)
    assert noise.sd_at(6.5) == pytest.approx(1.3, rel=0.4)
    assert noise.sd_at(-5.0) == noise.by_value[0][1], "flat beyond the knots"


def test_pooled_noise_is_the_textbook_formula(tmp_path):
    lines = ["1,A,1", "1,A,3", "2,A,5", "2,A,5", "2,A,8", "3,A,9", "4,A,1", "4,A,2", "5,A,0", "5,A,1"]
    parameters = [{"name": "time", "kind": "continuous", "unit": "min", "low": 1.0, "high": 5.0}]
    noise = repeat_noise(build(tmp_path / "t.csv", lines, mode="pool", parameters=parameters), 0)
    assert noise is not None
    # squares within conditions 2 + 6 + 0.5 + 0.5, degrees of freedom 1 + 2 + 1 + 1
    assert noise.sd == pytest.approx(math.sqrt(9.0 / 5.0))


def test_values_are_never_negative_where_the_table_never_is(tmp_path, quick):
    rng = np.random.default_rng(0)
    lines = [
        f"{time!r},A,{abs(0.3 * float(rng.standard_normal()))!r}"
        for time in np.linspace(0, 6, 20).tolist()
        for _ in range(3)
    ]
    parameters = [{"name": "time", "kind": "continuous", "unit": "min", "low": 0.0, "high": 6.0}]
    emulator = Emulator(build(tmp_path / "t.csv", lines, parameters=parameters))
    drawn = [emulator.draw({"time": 3.0}, np.random.default_rng(i))["yield"] for i in range(200)]
    assert min(drawn) == 0.0
    assert max(drawn) > 0.0


def test_failures_follow_the_settings_where_those_predict_them(tmp_path, quick):
    lines = rows(25, 4)
    lines = [f"{line.rsplit(',', 1)[0]},0" if float(line.split(",")[0]) > 4.0 else line for line in lines]
    emulator = Emulator(build(tmp_path / "t.csv", lines, failure={"column": "yield", "equals": 0}))
    assert emulator.failure_probability({"time": 5.5, "base": "A"}) > 0.9
    assert emulator.failure_probability({"time": 1.0, "base": "A"}) < 0.1
    facts = emulator.provenance()["failures"]
    assert facts["model"] == "extra trees"
    assert facts["cv_brier"] < 0.3 * facts["cv_brier_of_rate"]


def test_failures_at_random_happen_at_the_overall_rate(tmp_path, quick):
    rng = np.random.default_rng(3)
    lines = [f"{line.rsplit(',', 1)[0]},0" if rng.random() < 0.2 else line for line in rows(25, 4)]
    table = build(tmp_path / "t.csv", lines, failure={"column": "yield", "equals": 0})
    emulator = Emulator(table)
    rate = float(table.failed.mean())
    assert emulator.provenance()["failures"] == {"rate": rate, "model": "overall rate"}
    assert emulator.failure_probability({"time": 1.0, "base": "A"}) == rate


def test_few_failures_say_nothing_about_where(tmp_path, quick):
    lines = [*rows(25, 4), "6.0,A,0", "6.0,A,0"]
    facts = Emulator(build(tmp_path / "t.csv", lines, failure={"column": "yield", "equals": 0})).provenance()[
        "failures"
    ]
    assert facts == {"rate": 2 / 202, "model": "overall rate"}


@pytest.mark.parametrize("name", CANDIDATES)
def test_every_candidate_learns_a_smooth_surface(name):
    rng = np.random.default_rng(0)
    x = rng.random((120, 2))
    y = np.sin(4 * x[:, 0]) + x[:, 1]
    assert cross_validate(CANDIDATES[name], x, y, np.ones(120)).r2 > 0.85


def test_noise_without_signal_is_not_predicted():
    rng = np.random.default_rng(0)
    chosen = choose(rng.random((60, 2)), rng.standard_normal(60), np.ones(60))
    assert chosen.error.r2 < 0.2


def test_a_large_table_shares_one_kernel_and_still_uses_every_row():
    rng = np.random.default_rng(0)
    x = rng.random((450, 1))
    y = np.sin(6 * x[:, 0])
    model = GaussianProcess().fit(x, y, np.ones(450))
    assert np.abs(model.predict(x) - y).max() < 0.05


@pytest.mark.parametrize("m", [10, 74, 301])
def test_each_condition_is_held_out_equally_often(m):
    held_out = np.concatenate([test for _, test in folds(m)])
    assert set(np.bincount(held_out, minlength=m)) == {3 if m <= 300 else 1}
    assert all(not set(train) & set(test) for train, test in folds(m))
