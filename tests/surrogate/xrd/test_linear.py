import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import lsq_linear

from surrogate.xrd.linear import _solved_together, _within
from surrogate.xrd.linear_compiled import fill_design, solve_bounded


def problem_of(seed, n_rows, m, n_bound, n_empty):
    """Return designs and values of least squares, some of whose unknowns are not negative and some without a column."""
    rng = np.random.default_rng(seed)
    design, values = rng.standard_normal((n_rows, 3 * m, m)), rng.standard_normal((n_rows, 3 * m))
    empty = np.zeros((n_rows, m), dtype=bool)
    for row in range(n_rows):
        empty[row, rng.permutation(m)[:n_empty]] = True
    design = np.where(empty[:, None], 0.0, design)
    is_bound = np.arange(m) < n_bound
    return design, values, empty, is_bound


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    n_rows=st.integers(1, 4),
    m=st.integers(1, 9),
    n_bound=st.integers(0, 9),
    n_empty=st.integers(0, 9),
    begins_full=st.booleans(),
)
def test_a_core_solves_as_a_gpu_would_and_as_least_squares_with_bounds(seed, n_rows, m, n_bound, n_empty, begins_full):
    design, values, empty, is_bound = problem_of(seed, n_rows, m, n_bound, n_empty)
    gram, right = design.transpose(0, 2, 1) @ design, (design.transpose(0, 2, 1) @ values[:, :, None])[:, :, 0]
    begin = ~empty if begins_full else ~empty & (np.random.default_rng(seed).random(empty.shape) < 0.5)
    active, solution = begin.copy(), np.full(right.shape, np.nan)
    solve_bounded(gram, right, empty, is_bound, active, solution)
    tensors = (torch.from_numpy(one) for one in (gram, right, empty, is_bound, begin))
    theirs, their_active = _solved_together(*tensors)
    assert np.array_equal(active, their_active.numpy())
    ours = _within(torch.from_numpy(solution), torch.from_numpy(is_bound))
    torch.testing.assert_close(ours, theirs, rtol=1e-7, atol=1e-9)
    assert not solution[empty | ~active].any()
    for row in range(n_rows if begins_full else 0):
        seen = ~empty[row]
        if not seen.any():
            continue
        low = np.where(is_bound[seen], 0.0, -np.inf)
        best = lsq_linear(design[row][:, seen], values[row], bounds=(low, np.inf), tol=1e-12)
        cost = 0.5 * float(((design[row] @ solution[row] - values[row]) ** 2).sum())
        assert cost <= best.cost * (1.0 + 1e-6) + 1e-9


def test_nothing_to_solve_is_solved():
    nothing = np.zeros((0, 3))
    solve_bounded(np.zeros((0, 3, 3)), nothing, nothing > 0, np.ones(3, dtype=bool), nothing > 0, nothing)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    rows=st.lists(st.integers(0, 2), max_size=5).map(sorted),
    n_own=st.integers(0, 4),
    n_frozen=st.integers(0, 2),
    is_shared=st.booleans(),
)
def test_a_design_has_each_derivative_where_the_layout_says(seed, rows, n_own, n_frozen, is_shared):
    rng = np.random.default_rng(seed)
    n, n_rows, per_slot = 5, 3, 1 + n_own
    values, scales = rng.standard_normal((len(rows), per_slot + 3, n)), rng.random(len(rows))
    frozen = rng.standard_normal((1 if is_shared else n_rows, n_frozen, n))
    slot = np.array([rows[:place].count(row) for place, row in enumerate(rows)], dtype=np.int64)
    n_slots = int(slot.max()) + 1 if rows else 0
    design = np.zeros((n_rows, n_slots * per_slot + 3 + n_frozen, n))
    fill_design(values, np.array(rows, dtype=np.int64), slot, scales, frozen, design)
    for row in range(n_rows):
        mine = [entry for entry, at in enumerate(rows) if at == row]
        parts = [np.concatenate([values[e, :1], scales[e] * values[e, 1:per_slot]]) for e in mine]
        parts += [np.zeros((per_slot * (n_slots - len(mine)), n))]
        parts += [sum((scales[e] * values[e, per_slot:] for e in mine), np.zeros((3, n)))]
        parts += [frozen[0 if is_shared else row]]
        np.testing.assert_allclose(design[row], np.concatenate(parts), atol=1e-12)
