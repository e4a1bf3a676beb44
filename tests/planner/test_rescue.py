import sys
from itertools import count

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from planner import Continuous, Objective, Observation, Planner, SearchSpace
from planner.doubts import DoubtingModel, believed, fit_doubting
from planner.models import TargetData, TargetModel, fit_target, target_data
from planner.rescue import fit_anyhow, merged
from surrogate.gp import NotPositiveDefinite

SPACE = SearchSpace([Continuous("x", 0.0, 1.0), Continuous("z", 0.0, 1.0)])
REAL = st.floats(-1e280, 1e280)
POINT = st.sampled_from([0.0, 0.5, 0.5 + 1e-9, 1.0, -1e200, 1e308]) | st.floats(0, 1)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(POINT, POINT, REAL | st.sampled_from([0.0, 1e12, 1e12 + 1e-3]), st.none() | st.floats(0.0, 1e300)),
        min_size=1,
        max_size=14,
    )
)
def test_whatever_was_told_something_is_believed(told) -> None:
    observations = [
        Observation(parameters={"x": x, "z": z}, values={"y": y}, noise={} if sd is None else {"y": sd})
        for x, z, y, sd in told
    ]
    data = target_data(SPACE, observations, "y")
    model, _ = fit_anyhow(lambda one: fit_target(one, "y"), data)
    mean, sd = model.predict(SPACE.encode(SPACE.sobol(8)))
    assert np.isfinite(mean).all() and np.isfinite(sd).all() and (sd > 0).all()


def data(n: int = 12) -> TargetData:
    points = SPACE.sobol(n)
    told = [Observation(parameters=p, values={"y": 5.0 + float(p["x"])}) for p in points]
    return target_data(SPACE, told, "y")


def refusing(*is_refused):
    """Return a fit that raises at some of its calls, and works at the others."""
    calls = count()

    def fit(told: TargetData) -> TargetModel:
        number = next(calls)
        if number >= len(is_refused) or is_refused[number]:
            raise NotPositiveDefinite("a covariance of 12 points stays indefinite")
        return fit_target(told, "y")

    return fit


def test_what_can_be_fitted_gives_nothing_up() -> None:
    told = data()
    model, said = fit_anyhow(lambda one: fit_target(one, "y"), told)
    assert said == "" and model.gp.evidence == fit_target(told, "y").gp.evidence


def test_near_duplicates_are_averaged_first() -> None:
    model, said = fit_anyhow(refusing(True, False), data())
    assert said == "near-duplicates were averaged, as the fit failed: a covariance of 12 points stays indefinite"
    assert model.gp.hyperparameters is not None


def test_what_is_not_believed_keeps_its_place_where_others_were_averaged() -> None:
    told = data(20)
    codes, values = np.vstack([told.codes[:1], told.codes]), np.concatenate([told.values[:1], told.values])
    values[8] = 90.0

    def fit(one: TargetData) -> TargetModel:
        if len(one.values) == 21:
            raise NotPositiveDefinite("a covariance of 21 points stays indefinite")
        return fit_doubting(one, "y")

    twice = TargetData(codes=codes, values=values, noise=None)
    model, said = fit_anyhow(fit, twice)
    assert said.startswith("near-duplicates were averaged") and isinstance(model, DoubtingModel)
    assert [(one.place, one.value) for one in model.doubts] == [(8, 90.0)]
    assert believed(model, twice).tolist() == [place for place in range(21) if place != 8]


def test_then_hyperparameters_stand_at_their_priors() -> None:
    told = data()
    model, said = fit_anyhow(refusing(True, True), told)
    assert said.startswith("hyperparameters stand at their priors, as the fit failed")
    assert model.gp.hyperparameters is None and len(model.gp.y) == len(told.values)
    assert model.predict(told.codes)[0] == pytest.approx(told.values, abs=0.1)


def test_then_those_of_fewer_values_are_taken_and_last_only_mean_and_spread(monkeypatch) -> None:
    def failing(_told):
        raise FloatingPointError("overflow")

    module = sys.modules["planner.rescue"]
    monkeypatch.setattr(module, "_with_priors", failing)
    told = data()
    model, said = fit_anyhow(refusing(True, True, True, False), told)
    assert said.startswith("hyperparameters are those of 2 values before, as the fit failed")
    assert len(model.gp.y) == len(told.values)
    model, said = fit_anyhow(refusing(), told)
    assert said.startswith("nothing but mean and spread of the values is believed, as the fit failed")
    mean, sd = model.predict(SPACE.encode(SPACE.sobol(20)))
    assert mean == pytest.approx(np.mean(told.values), abs=1e-3) and np.ptp(sd) < 1e-3 * sd[0]
    assert sd[0] >= np.std(told.values)
    once = model.forecast(SPACE.encode(SPACE.sobol(20)))[1]
    assert (once >= sd).all() and (once < 1.5 * sd).all(), "a value that is measured once is as usual as the others"


def test_numbers_that_are_none_are_refused() -> None:
    broken = TargetData(codes=data(5).codes, values=np.full(5, np.nan), noise=None)
    with pytest.raises(ArithmeticError, match="nothing can be said of values such as"):
        fit_anyhow(lambda one: fit_target(one, "y"), broken)


def test_merging_keeps_what_is_apart_and_noise_of_means() -> None:
    codes = np.array([[0.1, 0.1], [0.9, 0.1], [0.1, 0.1 + 1e-8]])
    found = merged(TargetData(codes=codes, values=np.array([1.0, 5.0, 3.0]), noise=np.array([0.2, 0.3, 0.2])))
    assert found.values.tolist() == [2.0, 5.0] and found.codes.tolist() == codes[:2].tolist()
    assert found.noise is not None and found.noise.tolist() == pytest.approx([0.2 / 2**0.5, 0.3])


def test_people_are_told(monkeypatch) -> None:
    monkeypatch.setattr("surrogate.matern_gp.most_probable", lambda *_told, **_how: None)
    planner = Planner(SPACE, [Objective("y", "maximize")], options={"start": 4})
    planner.tell([Observation(parameters=p, values={"y": float(p["x"])}) for p in SPACE.sobol(6)])
    (proposal,) = planner.ask(1)
    said = "y: hyperparameters stand at their priors, as no others were found"
    assert proposal.reason.endswith(f"; {said}")
    assert planner.diagnostics()["given_up"] == {"y": said.removeprefix("y: ")}
    assert said in str(planner.explain(proposal)).splitlines()
