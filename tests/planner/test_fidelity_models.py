import numpy as np
import pytest

from planner import Continuous, Fidelity, NotEnoughData, Observation, SearchSpace
from planner.fidelity_models import FidelityModel, fit_fidelities

SPACE = SearchSpace([Continuous("x", 0, 1), Fidelity("source", {"model": 0.1, "lab": 1.0}), Continuous("y", 0, 1)])


def truth(x: float, y: float) -> float:
    return float(np.sin(7 * x) + np.cos(5 * y) * x)


def seen(cheap, *, n_cheap: int = 30, n_full: int = 6) -> list[Observation]:
    rng = np.random.default_rng(0)
    points = [({"x": x, "y": y, "source": "model"}, cheap(x, y)) for x, y in rng.random((n_cheap, 2))]
    points += [({"x": x, "y": y, "source": "lab"}, truth(x, y)) for x, y in rng.random((n_full, 2))]
    return [Observation(parameters=point, values={"f": value}) for point, value in points]


def fitted(observations: list[Observation]) -> FidelityModel:
    assert SPACE.fidelity is not None
    return fit_fidelities(SPACE, SPACE.fidelity, observations, "f")


def error(model: FidelityModel) -> float:
    points = np.random.default_rng(1).random((200, 2))
    codes = SPACE.encode([{"x": x, "y": y, "source": "lab"} for x, y in points])
    return float(np.sqrt(np.mean((model.predict(codes)[0] - [truth(x, y) for x, y in points]) ** 2)))


@pytest.mark.parametrize(
    "cheap",
    [truth, lambda x, y: 40.0 - 25.0 * truth(x, y), lambda x, y: 0.001 * truth(x, y) + 7.0 + 0.0003 * y],
    ids=["same", "upside down", "other unit and a trend"],
)
def test_learns_from_a_cheap_level_whatever_its_offset_and_amplitude(cheap) -> None:
    model = fitted(seen(cheap))
    assert model.takes_from() == {0}
    assert error(model) < 0.35 * error(fitted(seen(cheap, n_cheap=0)))


def test_leaves_a_useless_level_aside_and_is_then_what_it_would_be_without() -> None:
    waves = seen(lambda x, y: np.sin(40 * x * y), n_full=10)
    model, alone = fitted(waves), fitted([one for one in waves if one.parameters["source"] == "lab"])
    assert model.takes_from() == set()
    codes = SPACE.encode([{"x": 0.2, "y": 0.4, "source": "lab"}])
    assert model.predict(codes)[0] == pytest.approx(alone.predict(codes)[0])
    assert model.predict(codes)[1] == pytest.approx(alone.predict(codes)[1])


def test_predicts_each_level_in_its_unit() -> None:
    model = fitted(seen(lambda x, y: 40.0 - 25.0 * truth(x, y)))
    codes = SPACE.encode([{"x": 0.3, "y": 0.6, "source": level} for level in ("model", "lab")])
    mean, sd = model.predict(codes)
    assert mean == pytest.approx([40.0 - 25.0 * truth(0.3, 0.6), truth(0.3, 0.6)], rel=0.1)
    assert sd[0] > 5.0 * sd[1]


def test_noise_that_is_told_of_a_cheap_level_says_nothing_of_the_others() -> None:
    rng = np.random.default_rng(3)
    points = [({"x": x, "y": y}, truth(x, y)) for x, y in rng.random((30, 2))]
    sharp = [
        Observation(parameters={**at, "source": "model"}, values={"f": 100.0 * value}, noise={"f": 1e-6})
        for at, value in points
    ]
    rough = [
        Observation(parameters={**at, "source": "lab"}, values={"f": value + 0.3 * rng.standard_normal()})
        for at, value in points
    ]
    vague = [Observation(parameters=one.parameters, values=one.values) for one in sharp]
    codes = SPACE.encode([{"x": at["x"], "y": at["y"], "source": "lab"} for at, _ in points])
    found, without = (fitted([*cheap, *rough]) for cheap in (sharp, vague))
    assert found.gp.typical_noise == pytest.approx(without.gp.typical_noise, rel=0.1)
    assert found.predict(codes)[1] == pytest.approx(without.predict(codes)[1], rel=0.2)


def test_a_bent_target_is_compared_with_levels_bent_alike() -> None:
    rng = np.random.default_rng(2)
    observations = [
        Observation(
            parameters={"x": x, "y": y, "source": source},
            values={
                "f": float(np.exp(4 * truth(x, y))) if source == "lab" else 3 * float(np.exp(4 * truth(x, y))) - 50
            },
        )
        for source, n in (("model", 30), ("lab", 12))
        for x, y in rng.random((n, 2))
    ]
    model = fitted(observations)
    assert model.takes_from() == {0}


def test_nothing_at_the_level_that_counts_is_too_little() -> None:
    with pytest.raises(NotEnoughData, match="source 'lab'"):
        fitted(seen(truth, n_full=0))
