import math

import numpy as np
import pytest
import torch

from surrogate.xrd import drawing
from surrogate.xrd.drawing import Peaks, drawn, half_windows, pseudo_voigt_shape
from surrogate.xrd.drawing_compiled import compiled
from surrogate.xrd.grid import Grid

GRID = Grid(start_deg=20.0, step_deg=0.02, n=400)


def peaks_of(centres, *, gauss=0.08, lorentz=0.05, relative=1.0, entries=None, n_columns=3, seed=0):
    k = len(centres)
    columns = np.random.default_rng(seed).standard_normal((k, 4, n_columns))
    if n_columns == 1:
        columns[:, 1:] = 0.0
    return Peaks(
        entry=torch.tensor(entries or [0] * k, dtype=torch.int64),
        centre=torch.tensor(centres, dtype=torch.float64),
        gauss=torch.full((k,), gauss, dtype=torch.float64),
        lorentz=torch.full((k,), lorentz, dtype=torch.float64),
        columns=torch.tensor(columns),
        relative=torch.full((k,), relative, dtype=torch.float64),
    )


def test_torch_in_single_precision_is_good_to_a_thousandth(monkeypatch):
    peaks = peaks_of([20.5, 22.2, 23.0, 27.99], n_columns=5)
    rough = drawn(peaks, GRID, 1)
    monkeypatch.setattr(drawing, "DRAWN", torch.float64)
    exact = drawn(peaks, GRID, 1)
    assert float(((rough - exact).abs() / exact.abs().amax(dim=2, keepdim=True)).max()) < 1e-3


def test_a_gauss_peak_and_a_lorentz_peak_have_their_heights_and_widths():
    for gauss, lorentz, top in ((0.1, 0.0, 2.0 * math.sqrt(math.log(2.0) / math.pi)), (0.0, 0.1, 2.0 / math.pi)):
        peaks = peaks_of([24.0], gauss=gauss, lorentz=lorentz)
        columns = torch.zeros(1, 4, 1, dtype=torch.float64)
        columns[:, 0] = 1.0
        one = Peaks(**{**{name: getattr(peaks, name) for name in Peaks.__slots__}, "columns": columns})
        height = drawn(one, GRID, 1)[0, 0].numpy()
        width, _, _ = pseudo_voigt_shape(peaks.gauss, peaks.lorentz)
        at = GRID.two_theta_deg.numpy()
        assert height.max() == pytest.approx(top / float(width), rel=2e-2)
        assert np.interp(24.0 + 0.05, at, height) == pytest.approx(0.5 * height.max(), rel=0.03)


def test_nothing_to_draw_is_nothing_drawn():
    assert drawn(peaks_of([]), GRID, 2).tolist() == torch.zeros(2, 3, GRID.n).tolist()
    assert not drawn(peaks_of([-50.0, 170.0]), GRID, 1).any()


def test_strong_peaks_are_drawn_farther_out_than_weak_ones():
    relative, width = torch.tensor([0.0, 0.25, 1.0, 4.0]), torch.full((4,), 0.1)
    assert half_windows(relative, width, GRID).tolist() == pytest.approx([15.0, 40.0, 65.0, 65.0])


def test_what_cannot_be_kept_is_compiled_all_the_same():
    """Code without a file of its own has no place beside it, as in a package's folder that cannot be written."""
    space = {}
    exec("def twice(x):\n    return 2.0 * x\n", space)  # noqa: S102  what is tested has no file
    assert compiled(space["twice"])(1.5) == 3.0
