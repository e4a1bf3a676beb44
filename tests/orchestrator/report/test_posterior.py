import copy

import numpy as np
import pytest

from orchestrator import campaign_knowledge as knowledge_module
from orchestrator.reading import open_reading
from orchestrator.report import posterior as posterior_module
from orchestrator.report.posterior import predict_posterior


def predicted(path):
    with open_reading(path) as reading:
        return predict_posterior(reading)


def small(fabricate, parameters, values, *, direction="maximize", constraints=()):
    """A campaign of one trial per value; the planner is the random one, which predicts by a plain surrogate."""
    config = {
        "labpilot": 1,
        "name": "small",
        "seed": 0,
        "lab": "lab.yaml",
        "parameters": parameters,
        "constraints": list(constraints),
        "objectives": [{"name": "y", "direction": direction, "unit": "1"}],
        "recipe": [{"perform": {"device": "robot"}}],
        "analysis": {"kind": "reading"},
        "planner": {"policy": "random"},
        "budget": {"trials": 50},
    }
    maker = fabricate()
    maker.create(config, {"name": "lab", "devices": {"robot": {"driver": "bench", "url": "sim:b/robot"}}})
    for number, (point, value) in enumerate(values, start=1):
        maker.ask([{"number": number, "parameters": point, "proposal_id": f"{number - 1}-0"}], policy="random")
        maker.start(number)
        maker.journal.append("plan_finished", {}, trial=number)
        finding = {"parameters": point, "values": {"y": value}, "sd": {"y": 0.05}, "failure": None}
        body = {"values": {"y": value}, "findings": [finding], "details": {}, "analysis": "reading 1"}
        maker.journal.append("analysed", body, trial=number)
        maker.journal.append("told", {"trials": [number]})
    maker.end()
    return maker.path


def axis(name, low=0.0, high=1.0, **more):
    return {"name": name, "kind": "continuous", "unit": "mL", "low": low, "high": high, **more}


def test_two_numbers_give_a_map_that_knows_what_was_measured(fabricate):
    rng = np.random.default_rng(0)
    points = [{"x": float(x), "y_axis": float(10**y)} for x, y in rng.uniform(0, 1, (14, 2))]
    values = [(point, float(2 * point["x"])) for point in points]
    path = small(fabricate, [axis("x"), axis("y_axis", 1.0, 10.0, scale="log")], values)
    payload = predicted(path).payload
    assert payload is not None
    assert payload["kind"] == "map"
    mean, sd = np.array(payload["mean"]), np.array(payload["sd"])
    assert mean.shape == sd.shape == (len(payload["y"]), len(payload["x"])) == (60, 72)
    assert payload["x"][0] == 0.0
    assert payload["y"][-1] == pytest.approx(10.0)
    np.testing.assert_allclose(np.diff(np.log(payload["y"])), np.log(10) / 59)
    np.testing.assert_allclose(mean[30], 2 * np.array(payload["x"]), atol=0.25)
    assert (sd > 0).all()


def test_more_parameters_give_cuts_through_the_best_trial(fabricate):
    rng = np.random.default_rng(1)
    words = ["water", "ethanol"]
    points = [
        {"a": float(a), "b": float(b), "n": int(n), "solvent": words[int(n) % 2]}
        for a, b, n in zip(rng.uniform(0, 0.5, 12), rng.uniform(0, 0.5, 12), rng.integers(1, 5, 12), strict=True)
    ]
    parameters = [
        axis("a"),
        axis("b"),
        {"name": "n", "kind": "integer", "low": 1, "high": 4},
        {"name": "solvent", "kind": "categorical", "levels": words},
    ]
    values = [(point, float(point["a"])) for point in points]
    payload = predicted(small(fabricate, parameters, values, constraints=["a + b <= 1 mL"])).payload
    assert payload is not None
    best = max(range(12), key=lambda i: values[i][1])
    assert (payload["kind"], payload["trial"]) == ("slices", best + 1)
    cuts = payload["slices"]
    assert [cut["parameter"] for cut in cuts] == [0, 1, 2, 3]
    assert cuts[2]["x"] == [1, 2, 3, 4]
    assert cuts[3]["x"] == words
    assert cuts[2]["allowed"] == [True] * 4
    limit = 1 - points[best]["b"]
    assert cuts[0]["allowed"] == [x <= limit + 1e-9 for x in cuts[0]["x"]]
    seen = np.array(cuts[0]["x"]) <= 0.5
    assert np.corrcoef(np.array(cuts[0]["x"])[seen], np.array(cuts[0]["mean"])[seen])[0, 1] > 0.95


def test_one_parameter_gives_one_cut(fabricate):
    values = [({"x": x}, x * x) for x in (0.0, 0.2, 0.4, 0.7, 1.0)]
    payload = predicted(small(fabricate, [axis("x")], values, direction="minimize")).payload
    assert payload is not None
    assert payload["trial"] == 1
    assert len(payload["slices"]) == 1


def test_without_a_measurement_there_is_nothing_to_predict_from(fabricate):
    assert "Nothing was measured" in predicted(small(fabricate, [axis("x")], [])).why_not


def test_too_many_observations_are_not_refitted(fabricate, monkeypatch):
    monkeypatch.setattr(posterior_module, "MOST_OBSERVATIONS", 3)
    found = predicted(small(fabricate, [axis("x")], [({"x": 0.1 * i}, 1.0) for i in range(5)]))
    assert found.payload is None
    assert "5 observations are too many" in found.why_not


def test_a_planner_that_this_version_does_not_have_costs_the_map_only(fabricate):
    path = small(fabricate, [axis("x")], [({"x": 0.5}, 1.0)])
    with open_reading(path) as reading:
        campaign = reading.campaign()
        campaign.config = copy.deepcopy(campaign.config)
        campaign.config["planner"]["policy"] = "clairvoyant"
        reading.campaign = lambda: campaign
        found = predict_posterior(reading)
    assert found.payload is None
    assert "clairvoyant" in found.why_not


def test_a_planner_that_breaks_costs_the_map_only(fabricate, monkeypatch):
    def broken(*_arguments, **_options):
        raise np.linalg.LinAlgError("not positive definite")

    monkeypatch.setattr(knowledge_module, "knowledge_of", broken)
    found = predicted(small(fabricate, [axis("x")], [({"x": 0.5}, 1.0)]))
    assert "LinAlgError: not positive definite" in found.why_not


def test_a_campaign_file_that_cannot_be_read_costs_the_map_only(fabricate):
    maker = fabricate()
    maker.create({"name": "odd", "seed": 0, "planner": {"policy": "random"}}, {"devices": {}})
    maker.end()
    assert "could not be rebuilt" in predicted(maker.path).why_not
