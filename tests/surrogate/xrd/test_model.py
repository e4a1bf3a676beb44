import math
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from surrogate.xrd import drawing
from surrogate.xrd.atlas import N_TEXTURE, make_atlas
from surrogate.xrd.grid import Grid
from surrogate.xrd.model import OWN, Parameters, positions_deg, profiles
from tests.surrogate.xrd.mixtures import COPPER, LONE, OF_EACH_SYSTEM, phase_of

GRID = Grid(start_deg=20.0, step_deg=0.02, n=2001)
NAMED = ("log_size_nm", "log_microstrain", "strain", "texture", "shared")


@cache
def atlas_of_each():
    return make_atlas([phase_of(name) for name in OF_EACH_SYSTEM.values()], highest_deg=70.0)


@pytest.fixture(scope="module")
def one_of_each():
    return atlas_of_each()


@pytest.fixture
def doubled(monkeypatch):
    """Draw in double precision, where derivatives are to be compared."""
    monkeypatch.setattr(drawing, "DRAWN", torch.float64)


def parameters_of(atlas, phases, rows=None, *, rng=None, **changes):
    """Return parameters near their usual values, scattered if there is a generator."""
    phase = torch.tensor(phases)
    row = torch.arange(len(phases)) if rows is None else torch.tensor(rows)
    e, r = len(phases), int(row.max()) + 1

    def scattered(*shape):
        drawn = np.zeros(shape) if rng is None else rng.standard_normal(shape)
        return torch.tensor(drawn)

    shared = scattered(r, 3) * torch.tensor([0.05, 0.05, 0.2]) + torch.tensor([0.0, 0.0, math.log(0.08)])
    found = Parameters(
        phase=phase,
        row=row,
        strain=0.5 * scattered(e, 6) * atlas.strain_sd[phase],
        texture=0.5 * scattered(e, N_TEXTURE) * atlas.texture_sd[phase],
        log_size_nm=math.log(40.0) + 0.3 * scattered(e),
        log_microstrain=math.log(8e-4) + 0.3 * scattered(e),
        kind=torch.zeros_like(phase),
        shared=shared,
    )
    return found.with_(**changes)


def plain_width(fwhm_deg):
    """Return what leaves nothing but the instrument's width."""
    return {
        "log_size_nm": torch.tensor([math.log(1e6)]),
        "log_microstrain": torch.tensor([math.log(1e-9)]),
        "shared": torch.tensor([[0.0, 0.0, math.log(fwhm_deg)]], dtype=torch.float64),
    }


def width_at_half(angles, values):
    above = np.flatnonzero(values > 0.5 * values.max())
    left, right = above[0], above[-1]
    half = 0.5 * values.max()
    low = np.interp(half, [values[left - 1], values[left]], [angles[left - 1], angles[left]])
    high = np.interp(-half, [-values[right], -values[right + 1]], [angles[right], angles[right + 1]])
    return high - low


def around(at_deg, reach_deg=2.0, step_deg=0.005):
    return Grid(start_deg=at_deg - reach_deg, step_deg=step_deg, n=int(2 * reach_deg / step_deg) + 1)


def columns_of(found, name):
    """Return the derivatives of `profiles` by one group of parameters, ``e x k x n``."""
    after = found.n_strain + found.n_texture
    return {
        "strain": found.own[:, : found.n_strain],
        "texture": found.own[:, found.n_strain : after],
        "log_size_nm": found.own[:, after : after + 1],
        "log_microstrain": found.own[:, after + 1 :],
        "shared": found.shared,
    }[name]


@pytest.mark.usefixtures("doubled")
@pytest.mark.parametrize("number", range(7), ids=list(OF_EACH_SYSTEM))
def test_derivatives_are_those_of_autograd(one_of_each, number):
    rng = np.random.default_rng(number)
    begin = parameters_of(one_of_each, [number], rng=rng)
    found = profiles(one_of_each, GRID, begin)
    mixing = torch.tensor(rng.standard_normal(GRID.n))
    leaves = {name: getattr(begin, name).clone().requires_grad_() for name in NAMED if name != "strain"}
    drawn = profiles(one_of_each, GRID, begin.with_(**leaves), with_derivatives=False)
    assert torch.allclose(drawn.profile, found.profile, rtol=1e-9, atol=1e-12)
    slopes = torch.autograd.grad((drawn.profile[0] * mixing).sum(), list(leaves.values()))
    for name, slope in zip(leaves, slopes, strict=True):
        ours = columns_of(found, name)[0] @ mixing
        theirs = slope.reshape(-1)[: len(ours)]
        assert ours.numpy() == pytest.approx(theirs.numpy(), rel=1e-6, abs=1e-8), name


@pytest.mark.usefixtures("doubled")
@pytest.mark.parametrize("number", range(7), ids=list(OF_EACH_SYSTEM))
def test_derivatives_by_strain_leave_out_only_that_widths_and_areas_follow_the_angle(one_of_each, number):
    begin = parameters_of(one_of_each, [number], rng=np.random.default_rng(number))
    ours = columns_of(profiles(one_of_each, GRID, begin), "strain")[0]
    assert len(ours) == int((one_of_each.strain_sd[number] > 0).sum())
    for column in range(len(ours)):
        one = torch.zeros(1, 6, dtype=torch.float64)
        one[0, column] = 1.0
        _, theirs = torch.autograd.functional.jvp(
            lambda strain: profiles(one_of_each, GRID, begin.with_(strain=strain), with_derivatives=False).profile[0],
            (begin.strain,),
            (one,),
        )
        assert float((ours[column] - theirs).norm() / theirs.norm()) < 0.05


@pytest.mark.usefixtures("doubled")
@pytest.mark.parametrize("name", [name for name in NAMED if name != "strain"])
def test_derivatives_are_those_of_finite_differences(one_of_each, name):
    """Of a triclinic phase, which has everything; peaks' windows are as wide as the grid is, here."""
    number = list(OF_EACH_SYSTEM).index("triclinic")
    begin = parameters_of(one_of_each, [number], rng=np.random.default_rng(1))
    grid = Grid(start_deg=24.0, step_deg=0.02, n=101)
    found = columns_of(profiles(one_of_each, grid, begin), name)
    step = 1e-5
    for column in range(found.shape[1]):
        moved = []
        for sign in (1.0, -1.0):
            values = getattr(begin, name).clone()
            values.reshape(-1)[column] += sign * step
            moved.append(profiles(one_of_each, grid, begin.with_(**{name: values}), with_derivatives=False).profile)
        numeric = (moved[0] - moved[1]) / (2.0 * step)
        # a window ends a step earlier or later here and there
        far = (numeric - found[:, column]).abs() > 1e-3 * float(found[:, column].abs().max())
        assert float(found[:, column].abs().max()) > 0.0 and float(far.double().mean()) < 0.02


def test_a_profile_holds_the_area_of_its_lines(one_of_each):
    number = list(OF_EACH_SYSTEM.values()).index("silicon")
    part = slice(int(one_of_each.first[number]), int(one_of_each.first[number + 1]))
    angle = np.radians(positions_deg(one_of_each, number, parameters_of(one_of_each, [number]), 0).numpy())
    factor = (1.0 + np.cos(angle) ** 2) / (np.sin(angle / 2.0) ** 2 * np.cos(angle / 2.0))
    lines = (one_of_each.strength[part].numpy() * factor)[np.degrees(angle) < 65.0]
    wide = Grid(start_deg=15.0, step_deg=0.01, n=5001)
    sharp = profiles(one_of_each, wide, parameters_of(one_of_each, [number], **plain_width(0.1)))
    assert float(sharp.profile.sum()) * wide.step_deg == pytest.approx(lines.sum(), rel=5e-3)
    # tails of Lorentz shape are cut off where they are weak
    broad = profiles(one_of_each, wide, parameters_of(one_of_each, [number]))
    assert float(broad.profile.sum()) * wide.step_deg == pytest.approx(lines.sum(), rel=0.06)


def test_the_second_line_of_copper_has_half_the_strength_of_the_first():
    atlas = make_atlas([phase_of("silicon")], radiation=COPPER, highest_deg=80.0)
    q = math.sqrt(float(atlas.q_squared[4]))  # 331
    first, second = (2.0 * math.degrees(math.asin(one * q / 2.0)) for one in COPPER.wavelength_angstrom)
    grid = around(first, 1.0, 0.002)
    drawn = profiles(atlas, grid, parameters_of(atlas, [0], **plain_width(0.03))).profile[0].numpy()
    angles = grid.two_theta_deg.numpy()
    left, right = (drawn[np.abs(angles - at) < 0.05] for at in (first, second))
    assert angles[int(drawn.argmax())] == pytest.approx(first, abs=0.003)
    assert left.max() / right.max() == pytest.approx(2.0, rel=0.02)
    lone = make_atlas([phase_of("silicon")], radiation=LONE, highest_deg=80.0)
    alone = profiles(lone, grid, parameters_of(lone, [0], **plain_width(0.03))).profile[0].numpy()
    assert alone.max() == pytest.approx(1.5 * drawn.max(), rel=0.01)
    assert alone[np.abs(angles - second) < 0.02].max() < 0.01 * alone.max()


def test_a_size_broadens_as_scherrer_says():
    atlas = make_atlas([phase_of("silicon")], radiation=LONE, highest_deg=120.0)
    for line in (0, 4):
        theta = math.asin(LONE.wavelength_angstrom[0] * math.sqrt(float(atlas.q_squared[line])) / 2.0)
        grid = around(2.0 * math.degrees(theta))
        changes = plain_width(0.011) | {"log_size_nm": torch.tensor([math.log(20.0)])}
        drawn = profiles(atlas, grid, parameters_of(atlas, [0], **changes)).profile[0].numpy()
        expected = math.degrees(0.9 * LONE.wavelength_angstrom[0] / (200.0 * math.cos(theta)))
        assert width_at_half(grid.two_theta_deg.numpy(), drawn) == pytest.approx(expected, rel=0.01)


def test_microstrain_broadens_with_the_tangent():
    atlas = make_atlas([phase_of("silicon")], radiation=LONE, highest_deg=120.0)
    for line in (0, 4):
        theta = math.asin(LONE.wavelength_angstrom[0] * math.sqrt(float(atlas.q_squared[line])) / 2.0)
        grid = around(2.0 * math.degrees(theta))
        changes = plain_width(0.011) | {"log_microstrain": torch.tensor([math.log(4e-3)])}
        drawn = profiles(atlas, grid, parameters_of(atlas, [0], **changes)).profile[0].numpy()
        expected = math.degrees(4.0 * 4e-3 * math.tan(theta))
        assert width_at_half(grid.two_theta_deg.numpy(), drawn) == pytest.approx(expected, rel=0.01)


def test_peaks_lie_where_positions_say_under_strain_zero_and_displacement(one_of_each):
    number = list(OF_EACH_SYSTEM.values()).index("silicon")
    shared = torch.tensor([[0.07, -0.11, math.log(0.03)]], dtype=torch.float64)
    strain = torch.tensor([[0.01, 0.0, 0.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    changes = plain_width(0.03) | {"shared": shared, "strain": strain}
    here = parameters_of(one_of_each, [number], **changes)
    first = float(positions_deg(one_of_each, number, here, 0)[0])
    theta = math.asin(1.540598 * math.sqrt(float(one_of_each.q_squared[int(one_of_each.first[number])]) * 1.01) / 2.0)
    assert first == pytest.approx(2.0 * math.degrees(theta) + 0.07 + 0.11 * math.cos(theta), abs=1e-6)
    grid = around(first, 0.5, 0.002)
    drawn = profiles(one_of_each, grid, here).profile[0]
    assert float(grid.two_theta_deg[int(drawn.argmax())]) == pytest.approx(first, abs=0.003)


def test_texture_changes_strengths_and_not_positions(one_of_each):
    number = list(OF_EACH_SYSTEM.values()).index("anatase")
    plain, textured = parameters_of(one_of_each, [number]), parameters_of(one_of_each, [number])
    textured = textured.with_(texture=0.6 * torch.eye(1, N_TEXTURE, dtype=torch.float64))
    one, other = (profiles(one_of_each, GRID, each).profile[0] for each in (plain, textured))
    part = slice(int(one_of_each.first[number]), int(one_of_each.first[number + 1]))
    first = float(positions_deg(one_of_each, number, plain, 0)[0])
    at = int(round((first - GRID.start_deg) / GRID.step_deg))
    factor = math.exp(0.6 * float(one_of_each.harmonics[part][0, 0]) - 0.18)
    assert float(other[at] / one[at]) == pytest.approx(factor, rel=0.02) and abs(factor - 1.0) > 0.05


def test_a_batch_is_as_each_entry_by_itself(one_of_each):
    rng = np.random.default_rng(3)
    phases, rows = [0, 3, 3, 6, 1], [0, 0, 1, 1, 1]
    together = parameters_of(one_of_each, phases, rows, rng=rng)
    found = profiles(one_of_each, GRID, together)
    for entry, (phase, row) in enumerate(zip(phases, rows, strict=True)):
        own = {name: getattr(together, name)[entry : entry + 1] for name in NAMED[:4]}
        alone = parameters_of(one_of_each, [phase], shared=together.shared[row : row + 1], **own)
        lone = profiles(one_of_each, GRID, alone)
        scale = float(lone.profile.max())
        assert torch.allclose(lone.profile[0], found.profile[entry], atol=1e-5 * scale)
        for name in NAMED:
            ours, theirs = columns_of(found, name)[entry], columns_of(lone, name)[0]
            width = len(theirs)
            assert torch.allclose(ours[:width], theirs, atol=1e-4 * max(1.0, float(theirs.abs().max())))
            assert not ours[width:].any()


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 1000),
    entries=st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(0, 5)), max_size=4).map(sorted),
    start_deg=st.floats(2.0, 75.0),
    step_deg=st.sampled_from([0.005, 0.02, 0.1]),
    n=st.integers(1, 400),
    log_width=st.floats(-6.0, 0.5),
    log_size_nm=st.floats(1.4, 20.0),
    with_derivatives=st.booleans(),
)
def test_loops_draw_what_torch_draws(seed, entries, start_deg, step_deg, n, log_width, log_size_nm, with_derivatives):
    """Wherever peaks lie: on the grid, at its edges, beyond them; narrower than a step, wider than the grid."""
    atlas = atlas_of_each()
    grid = Grid(start_deg=start_deg, step_deg=step_deg, n=n)
    rows, phases, kinds = zip(*(entries or [(0, 0, 0)]), strict=True)
    begin = parameters_of(atlas, list(phases), list(rows), rng=np.random.default_rng(seed))
    begin.shared[:, 2] = log_width
    size = torch.full((len(rows),), log_size_nm, dtype=torch.float64)
    begin = begin.with_(kind=torch.tensor(kinds), log_size_nm=size)
    begin = begin.with_(**{name: getattr(begin, name)[: len(entries)] for name in ("row", *OWN)})
    ours = profiles(atlas, grid, begin, with_derivatives=with_derivatives)
    traced = begin.with_(shared=begin.shared.clone().requires_grad_())
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "DRAWN", torch.float64)
        theirs = profiles(atlas, grid, traced, with_derivatives=with_derivatives)
    assert theirs.values.requires_grad or not theirs.values.any()
    assert (ours.n_strain, ours.n_texture) == (theirs.n_strain, theirs.n_texture)
    scale = 1.0 + float(theirs.values.detach().abs().max()) if entries else 1.0
    torch.testing.assert_close(ours.values, theirs.values.detach(), rtol=1e-8, atol=1e-10 * scale)


def test_nothing_is_drawn_far_from_all_lines(one_of_each):
    number = list(OF_EACH_SYSTEM.values()).index("silicon")
    grid = Grid(start_deg=33.0, step_deg=0.02, n=501)  # between 111 at 28.4 and 220 at 47.3
    assert not profiles(one_of_each, grid, parameters_of(one_of_each, [number], **plain_width(0.08))).values.any()


def test_a_line_just_outside_still_lends_its_flank(one_of_each):
    number = list(OF_EACH_SYSTEM.values()).index("silicon")
    here = parameters_of(one_of_each, [number])
    first = float(positions_deg(one_of_each, number, here, 0)[0])
    whole = Grid(start_deg=first - 1.0, step_deg=0.02, n=201)
    cut = Grid(start_deg=first + 0.1, step_deg=0.02, n=101)
    seen, flank = (profiles(one_of_each, grid, here).profile[0] for grid in (whole, cut))
    inner = np.interp(cut.two_theta_deg.numpy(), whole.two_theta_deg.numpy(), seen.numpy())[:40]
    assert flank[:40].numpy() == pytest.approx(inner, abs=0.02 * float(seen.max())) and float(flank[0]) > 0.0


def test_lines_that_no_wavelength_reaches_are_left_out():
    atlas = make_atlas([phase_of("silicon")], highest_deg=179.0)
    begin = parameters_of(atlas, [0], strain=torch.tensor([[0.05, 0, 0, 0, 0, 0]], dtype=torch.float64))
    assert torch.isfinite(profiles(atlas, Grid(start_deg=100.0, step_deg=0.05, n=1600), begin).values).all()
    assert torch.isfinite(positions_deg(atlas, 0, begin, 0)).all()


def test_no_entries_are_no_profiles(one_of_each):
    none = parameters_of(one_of_each, [0])
    none = none.with_(
        phase=none.phase[:0], row=none.row[:0], strain=none.strain[:0], texture=none.texture[:0],
        log_size_nm=none.log_size_nm[:0], log_microstrain=none.log_microstrain[:0],
    )  # fmt: skip
    assert profiles(one_of_each, GRID, none).profile.shape == (0, GRID.n)


def test_very_broad_peaks_on_a_fine_grid_do_not_ask_for_endless_windows(one_of_each):
    fine = Grid(start_deg=25.0, step_deg=0.001, n=6000)
    changes = {"log_size_nm": torch.tensor([math.log(4.1)]), "log_microstrain": torch.tensor([-3.9])}
    found = profiles(one_of_each, fine, parameters_of(one_of_each, [0], **changes))
    assert torch.isfinite(found.values).all() and float(found.profile.max()) > 0.0
