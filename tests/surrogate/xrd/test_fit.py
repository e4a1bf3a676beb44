import math

import numpy as np
import pytest
import torch

from surrogate.xrd.atlas import N_TEXTURE
from surrogate.xrd.fit import fit, start
from surrogate.xrd.grid import Grid
from surrogate.xrd.model import OWN, Parameters, positions_deg, profiles
from surrogate.xrd.task import Data, Fitted, Task
from tests.surrogate.xrd.mixtures import NAMES

GRID = Grid(start_deg=20.0, step_deg=0.03, n=1601)
RUTILE, ANATASE, CORUNDUM, PERICLASE, HALITE, ZINCITE = range(6)
WIDTH_DEG = 0.08
assert NAMES[:6] == ("rutile", "anatase", "corundum", "periclase", "halite", "zincite")  # noqa: S101


def entries(atlas, phases, rows=None, n_rows=1, **changes):
    phase, row = torch.tensor(phases), torch.tensor([0] * len(phases) if rows is None else rows)
    begin = start(atlas, phase, row, width_deg=torch.full((n_rows,), WIDTH_DEG, dtype=torch.float64))
    return begin.with_(**{name: torch.tensor(value, dtype=torch.float64) for name, value in changes.items()})


def truth(atlas, phases, seed=0):
    """Return entries whose cells, sizes and textures are a little off."""
    rng = np.random.default_rng(seed)
    phase = torch.tensor(phases)
    e = len(phases)
    return entries(
        atlas,
        phases,
        strain=(0.3 * rng.standard_normal((e, 6)) * atlas.strain_sd[phase].numpy()).tolist(),
        texture=(0.3 * rng.standard_normal((e, N_TEXTURE)) * atlas.texture_sd[phase].numpy()).tolist(),
        log_size_nm=np.log(rng.uniform(25.0, 60.0, e)).tolist(),
        shared=[[float(rng.normal(0.0, 0.02)), float(rng.normal(0.0, 0.03)), math.log(0.07)]],
    )


def expected(atlas, parameters, scales, *, level=0.03):
    """Return background and peaks, ``n``, in parts of about the highest peak."""
    drawn = profiles(atlas, GRID, parameters, with_derivatives=False).profile
    x = torch.linspace(-1.0, 1.0, GRID.n, dtype=torch.float64)
    return level * (1.0 - 0.4 * x + 0.2 * x**2) + torch.tensor(scales, dtype=torch.float64) @ drawn


def data_of(*means, counts=1e5, rng=None, extra=None):
    """Return data of ``p`` expected patterns, counted if there is a generator."""
    intensity, weight = [], []
    for mean in means:
        whole = mean if extra is None else mean + extra
        seen = whole if rng is None else torch.tensor(rng.poisson(counts * whole.numpy()) / counts)
        intensity.append(seen)
        weight.append(counts / whole)
    x = torch.linspace(-1.0, 1.0, GRID.n, dtype=torch.float64)
    p = len(means)
    return Data(
        grid=GRID,
        intensity=torch.stack(intensity),
        weight=torch.stack(weight),
        background=torch.stack([x**k for k in range(4)], dim=1),
        baseline=torch.full((p, GRID.n), 0.03, dtype=torch.float64),
        n_free=4,
        width_deg=torch.full((p,), WIDTH_DEG, dtype=torch.float64),
    )


def task_of(data, n_rows=1, *, pattern=None, frozen=None):
    none = torch.zeros(1, 0, GRID.n, dtype=torch.float64)
    return Task(
        data=data,
        pattern=torch.zeros(n_rows, dtype=torch.int64) if pattern is None else torch.tensor(pattern),
        frozen=none if frozen is None else frozen,
    )


def shift_deg(atlas, one, other, entry):
    """Return the largest distance between an entry's lines in two places."""
    phase = int(one.phase[entry])
    gap = positions_deg(atlas, phase, one, entry) - positions_deg(atlas, phase, other, entry)
    return float(gap.abs().max())


def fitted_to(atlas, data, phases, *, steps=15):
    return fit(atlas, task_of(data), entries(atlas, phases), steps=steps, tolerance=1e-3)


@pytest.mark.parametrize("phases", [[RUTILE], [CORUNDUM, ZINCITE], [RUTILE, ANATASE, HALITE]])
def test_known_parameters_come_back_from_a_pattern_without_noise(atlas, phases):
    true = truth(atlas, phases, seed=len(phases))
    scales = [0.12, 0.08, 0.04][: len(phases)]
    found = fitted_to(atlas, data_of(expected(atlas, true, scales)), phases, steps=25)
    assert found.scales.tolist() == pytest.approx(scales, rel=0.02)
    for entry in range(len(phases)):
        assert shift_deg(atlas, true, found.parameters, entry) < 0.005
        assert float(found.parameters.log_size_nm[entry]) == pytest.approx(float(true.log_size_nm[entry]), abs=0.2)
        gap = found.parameters.texture[entry] - true.texture[entry]
        assert float(gap.abs().max()) < 0.05
    assert float(found.chi_squared) < 0.02 * GRID.n


@pytest.mark.parametrize("seed", range(4))
def test_known_parameters_come_back_from_counts_within_their_errors(atlas, seed):
    true = truth(atlas, [CORUNDUM, RUTILE], seed)
    data = data_of(expected(atlas, true, [0.12, 0.05]), counts=2e4, rng=np.random.default_rng(seed))
    found = fitted_to(atlas, data, [CORUNDUM, RUTILE])
    covariance = np.linalg.inv(found.hessian[0].numpy())
    for entry, scale in enumerate((0.12, 0.05)):
        sd = math.sqrt(covariance[entry * found.layout.per_slot, entry * found.layout.per_slot])
        assert 0.0 < sd < 0.1 * scale
        assert abs(float(found.scales[entry]) - scale) < 4.5 * sd
        assert shift_deg(atlas, true, found.parameters, entry) < 0.01
    assert 0.8 < float(found.chi_squared) / GRID.n < 1.2


def test_scales_are_never_negative(atlas):
    data = data_of(expected(atlas, truth(atlas, [RUTILE]), [0.1]), counts=1e4, rng=np.random.default_rng(5))
    found = fit(atlas, task_of(data, 6), entries(atlas, list(range(6)), list(range(6)), 6), steps=5)
    assert (found.scales >= 0.0).all() and float(found.scales[RUTILE]) == pytest.approx(0.1, rel=0.05)


def test_where_a_phase_would_be_negative_the_rest_is_as_without_it(atlas):
    """Corundum's lines are dug out of the background; only a negative scale could explain that."""
    true = truth(atlas, [RUTILE, CORUNDUM])
    mean = expected(atlas, true, [0.1, -0.0015], level=0.1)
    alone = fitted_to(atlas, data_of(mean), [RUTILE])
    both = fitted_to(atlas, data_of(mean), [RUTILE, CORUNDUM])
    assert float(both.scales[1]) < 1e-4 and float(both.scales[0]) == pytest.approx(float(alone.scales[0]), rel=0.01)


def test_humps_are_not_negative_and_the_smooth_background_may_be(atlas):
    mean = expected(atlas, truth(atlas, [RUTILE]), [0.1])
    data = data_of(mean - 0.05 * torch.exp(-(((GRID.two_theta_deg - 40.0) / 6.0) ** 2)).clamp(max=0.5))
    hump = torch.exp(-(((GRID.two_theta_deg - 40.0) / 6.0) ** 2))[:, None]
    with_hump = Data(**{name: getattr(data, name) for name in Data.__slots__} | {
        "background": torch.cat([data.background, hump], dim=1), "weight": torch.full_like(data.weight, 1e6),
    })  # fmt: skip
    found = fit(atlas, task_of(with_hump), entries(atlas, [RUTILE]), steps=3)
    assert float(found.coefficients[0, -1]) == 0.0 and float(found.coefficients[0, :4].min()) < 0.0


@pytest.mark.parametrize("away_deg", [0.35, -0.35, 4.0])
def test_a_peak_of_another_phase_does_not_bend_those_that_are_there(atlas, away_deg):
    true = truth(atlas, [CORUNDUM], 3)
    mean = expected(atlas, true, [0.12])
    strongest = float(GRID.two_theta_deg[int(mean.argmax())])
    foreign = 0.4 * torch.exp(-4.0 * math.log(2.0) * ((GRID.two_theta_deg - strongest - away_deg) / 0.12) ** 2)
    clean = fitted_to(atlas, data_of(mean, counts=1e4), [CORUNDUM])
    bent = fitted_to(atlas, data_of(mean, counts=1e4, extra=foreign), [CORUNDUM])
    assert shift_deg(atlas, clean.parameters, bent.parameters, 0) < 0.03
    assert float(bent.scales) == pytest.approx(float(clean.scales), rel=0.1)


@pytest.mark.parametrize("seed", range(5))
def test_evidence_prefers_the_true_phases(atlas, seed):
    true = truth(atlas, [RUTILE, HALITE], seed)
    data = data_of(expected(atlas, true, [0.1, 0.01]), counts=1e4, rng=np.random.default_rng(seed))
    right = fitted_to(atlas, data, [RUTILE, HALITE])
    too_few = fitted_to(atlas, data, [RUTILE])
    wrong = fitted_to(atlas, data, [RUTILE, PERICLASE])
    assert float(right.log_evidence) > float(too_few.log_evidence) + 5.0
    assert float(right.log_evidence) > float(wrong.log_evidence) + 5.0
    gains = [
        float(right.log_evidence) - float(fitted_to(atlas, data, [RUTILE, HALITE, superfluous]).log_evidence)
        for superfluous in (ANATASE, CORUNDUM, PERICLASE)
    ]
    # noise may look a little like one of them, which a phase's prior outweighs; one that vanishes changes nothing
    assert min(gains) > -2.0 and np.mean(gains) > -0.01


def test_more_steps_never_make_it_worse(atlas):
    data = data_of(expected(atlas, truth(atlas, [CORUNDUM, ZINCITE], 7), [0.1, 0.05]), counts=1e4)
    objectives = [
        float(fit(atlas, task_of(data), entries(atlas, [CORUNDUM, ZINCITE]), steps=steps, tolerance=0.0).objective)
        for steps in (0, 1, 3, 8)
    ]
    assert objectives == sorted(objectives, reverse=True) and objectives[-1] < 0.2 * objectives[0]


def test_rows_together_are_as_one_by_one(atlas):
    means = [expected(atlas, truth(atlas, [RUTILE, HALITE], s), [0.1, 0.04]) for s in (1, 2)]
    data = data_of(*means, counts=1e4, rng=np.random.default_rng(1))
    sets, patterns = [[RUTILE], [RUTILE, HALITE], [CORUNDUM, RUTILE, HALITE], [RUTILE, HALITE]], [0, 0, 1, 1]
    phases = [one for phases in sets for one in phases]
    rows = [number for number, phases in enumerate(sets) for _ in phases]
    together = fit(atlas, task_of(data, pattern=patterns), entries(atlas, phases, rows, 4), steps=6, tolerance=0.0)
    for number, (some, pattern) in enumerate(zip(sets, patterns, strict=True)):
        alone = fit(atlas, task_of(data, pattern=[pattern]), entries(atlas, some), steps=6, tolerance=0.0)
        mine = together.parameters.row == number
        assert float(together.log_evidence[number]) == pytest.approx(float(alone.log_evidence), abs=0.5)
        assert together.scales[mine].tolist() == pytest.approx(alone.scales.tolist(), rel=2e-3, abs=1e-5)
        assert float(together.chi_squared[number]) == pytest.approx(float(alone.chi_squared), rel=1e-3)


def test_frozen_profiles_are_scaled_beside_what_is_refined(atlas):
    true = truth(atlas, [RUTILE, HALITE], 2)
    mean = expected(atlas, true, [0.1, 0.05])
    frozen = profiles(atlas, GRID, true, with_derivatives=False).profile[:1][None]
    task = task_of(data_of(mean, counts=1e5), frozen=frozen)
    begin = entries(atlas, [HALITE]).with_(shared=true.shared)
    found = fit(atlas, task, begin, steps=10, shared_free=False)
    assert float(found.coefficients[0, 0]) == pytest.approx(0.1, rel=0.01)
    assert float(found.scales) == pytest.approx(0.05, rel=0.02)
    assert torch.equal(found.parameters.shared, true.shared)


def test_a_row_without_phases_is_background_alone(atlas):
    level = expected(atlas, entries(atlas, [RUTILE]), [0.0])
    data = data_of(level, counts=1e4, rng=np.random.default_rng(3))
    none = entries(atlas, [RUTILE])
    empty = Parameters(row=none.row[:0], shared=none.shared, **{name: getattr(none, name)[:0] for name in OWN})
    found = fit(atlas, task_of(data), empty, steps=2)
    assert found.scales.shape == (0,) and 0.8 < float(found.chi_squared) / GRID.n < 1.2
    with_phase = fitted_to(atlas, data, [RUTILE])
    assert float(found.log_evidence) > float(with_phase.log_evidence)


def test_a_phase_without_line_in_the_range_has_no_scale(atlas):
    grid_data = data_of(expected(atlas, truth(atlas, [RUTILE]), [0.1]))
    between = Grid(start_deg=33.0, step_deg=0.03, n=300)  # silicon has no line from 28.5 to 47 deg
    data = Data(
        grid=between,
        intensity=torch.full((1, 300), 0.1, dtype=torch.float64),
        weight=torch.full((1, 300), 1e4, dtype=torch.float64),
        background=grid_data.background[:300, :1],
        baseline=torch.full((1, 300), 0.1, dtype=torch.float64),
        n_free=1,
        width_deg=grid_data.width_deg,
    )
    task = Task(
        data=data, pattern=torch.zeros(1, dtype=torch.int64), frozen=torch.zeros(1, 0, 300, dtype=torch.float64)
    )
    found = fit(atlas, task, entries(atlas, [NAMES.index("silicon")]), steps=3)
    assert float(found.scales) == 0.0 and math.isfinite(float(found.log_evidence))


def test_parameters_stay_within_their_limits(atlas):
    """Where the data say nothing true, the fit ends somewhere allowed."""
    noise = torch.tensor(np.random.default_rng(0).exponential(1.0, GRID.n))
    found: Fitted = fitted_to(atlas, data_of(noise, counts=10.0), [RUTILE, CORUNDUM], steps=30)
    one = found.parameters
    assert float(one.strain.abs().max()) <= 0.09 and float(one.shared[:, :2].abs().max()) <= 0.61
    assert torch.isfinite(found.log_evidence).all() and (found.scales >= 0.0).all()


def test_errors_of_scales_are_what_repeated_counting_scatters(atlas):
    true = truth(atlas, [CORUNDUM], 1)
    mean = expected(atlas, true, [0.1])
    rng = np.random.default_rng(11)
    data = data_of(*[mean] * 24, counts=3e3, rng=rng)
    begin = entries(atlas, [CORUNDUM] * 24, list(range(24)), 24)
    found = fit(atlas, task_of(data, pattern=list(range(24))), begin, steps=8, tolerance=1e-2)
    sd = np.sqrt(np.linalg.inv(found.hessian.numpy())[:, 0, 0])
    pull = (found.scales.numpy() - 0.1) / sd
    assert 0.6 < pull.std() < 1.5 and abs(pull.mean()) < 1.0


def test_a_row_that_is_taken_out_is_what_it_is_by_itself(atlas):
    means = [expected(atlas, truth(atlas, [phase], seed=phase), [0.8]) for phase in (RUTILE, CORUNDUM)]
    data = data_of(*means)
    none = torch.zeros(1, 0, GRID.n, dtype=torch.float64)
    task = Task(data=data, pattern=torch.tensor([0, 1]), frozen=none)
    both = fit(atlas, task, entries(atlas, [RUTILE, CORUNDUM], rows=[0, 1], n_rows=2), steps=12, tolerance=0.0)
    alone = fit(
        atlas,
        Task(data=data, pattern=torch.tensor([1]), frozen=none),
        entries(atlas, [CORUNDUM]),
        steps=12,
        tolerance=0.0,
    )
    taken = both.one(1)
    assert taken.parameters.phase.tolist() == [CORUNDUM] and taken.parameters.row.tolist() == [0]
    assert float(taken.log_evidence[0]) == pytest.approx(float(alone.log_evidence[0]), abs=0.05)
    torch.testing.assert_close(taken.scales, alone.scales, rtol=1e-3, atol=0.0)
    torch.testing.assert_close(taken.profile, alone.profile, rtol=0.0, atol=2e-3 * float(alone.profile.max()))
