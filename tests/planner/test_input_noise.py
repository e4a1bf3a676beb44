import numpy as np
import pytest

from planner import BadOption, Continuous, Fidelity, Objective, Observation, Planner, SearchSpace, SpaceError
from planner.live import made_again
from planner.models import fit_target, target_data
from surrogate.input_noise_gp import InputNoiseGP

SPACE = SearchSpace([Continuous("t", 300.0, 900.0, unit="K", input_sd=20.0), Continuous("z", 0.0, 1.0)])


def results(n: int = 40) -> list[Observation]:
    rng = np.random.default_rng(0)
    points = SPACE.sample(n, rng)
    values = [float(np.tanh((float(p["t"]) + 20.0 * rng.standard_normal() - 600.0) / 50.0)) for p in points]
    return [Observation(parameters=p, values={"y": v}) for p, v in zip(points, values, strict=True)]


def planner(**options: object) -> Planner:
    found = Planner(SPACE, [Objective("y", "maximize")], options=options)
    found.tell(results())
    return found


def test_a_linear_and_a_logarithmic_scale_have_deviations_in_codes() -> None:
    space = SearchSpace(
        [Continuous("a", 10.0, 1000.0, scale="log", input_sd=1.0), Continuous("b", 2.0, 6.0, input_sd=1.0)]
    )
    noise = space.input_noise
    assert noise is not None
    for a in (10.0, 80.0, 1000.0):
        codes = space.encode([{"a": a - 5e-4, "b": 3.0}, {"a": a + 5e-4, "b": 3.0}])
        slope = (codes[1, 0] - codes[0, 0]) / 1e-3
        assert np.sqrt(noise.variances(codes[:1])[0]) == pytest.approx([slope, 0.25], rel=1e-3)
    assert SearchSpace([Continuous("a", 0.0, 1.0)]).input_noise is None


def test_forecasts_are_wide_where_the_target_is_steep() -> None:
    found = planner().forecasts([{"t": 600.0, "z": 0.5}, {"t": 350.0, "z": 0.5}])["cold"]["y"]
    assert 0.25 < found.sd[0] < 0.8, "20 K of 50 is 0.4"
    assert found.sd[1] < 0.6 * found.sd[0]


def test_values_count_by_how_sure_their_inputs_are() -> None:
    model = fit_target(target_data(SPACE, results(), "y"), "y")
    assert isinstance(model.gp, InputNoiseGP)
    steep = np.abs(model.gp.X[:, 0] - 0.5) < 0.05
    assert model.gp.noise[steep].min() > 3 * np.median(model.gp.noise[np.abs(model.gp.X[:, 0] - 0.5) > 0.3])


def test_the_model_and_the_planner_can_be_kept(tmp_path) -> None:
    first = planner()
    live, points = first.live_models()["cold"], SPACE.sobol(20)
    again = made_again(live.kind, live.layout, live.arrays)["y"]
    mean, sd = again.forecast(SPACE.encode(points))
    told = first.forecasts(points)["cold"]["y"]
    assert np.array_equal(mean, told.mean) and np.array_equal(sd, told.sd)
    first.save(tmp_path / "p.json")
    second = Planner.load(tmp_path / "p.json")
    assert second.space.input_noise is not None and second.space.input_noise.at_zero[0] == 20.0 / 600.0
    assert [one.parameters for one in second.ask(2)] == [one.parameters for one in first.ask(2)]


def test_gross_errors_are_found_beside_noisy_inputs() -> None:
    told = results()
    told[5] = Observation(parameters=told[5].parameters, values={"y": 30.0})
    robust = Planner(SPACE, [Objective("y", "maximize")], options={"robust": True})
    robust.tell(told)
    assert [one.number for one in robust.doubted()] == [5]


@pytest.mark.parametrize("sd", [-1.0, 700.0, float("nan"), "20 K"])
def test_a_deviation_that_makes_no_sense_is_refused(sd) -> None:
    with pytest.raises(SpaceError, match="input_sd must be a number from 0 to the width"):
        Continuous("t", 300.0, 900.0, unit="K", input_sd=sd)


def test_policies_that_take_it_for_achieved_say_so() -> None:
    goal = [Objective("y", "maximize")]
    with pytest.raises(BadOption, match="takes what is asked for as achieved; choose policy 'auto', or leave out"):
        Planner(SPACE, goal, policy="ax")
    levels = SearchSpace([*SPACE.parameters, Fidelity("how", {"fast": 0.1, "full": 1.0})])
    with pytest.raises(BadOption, match="takes what is asked for as achieved"):
        Planner(levels, goal)
    with pytest.raises(SpaceError, match="always exist"):
        Continuous("t", 0.0, 1.0, input_sd=0.1, when={"a": ["b"]})
