"""What the benchmark of powder patterns on a GPU counts and compares, on a CPU."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import xrd_gpu
from xrd_roofline import OPERATIONS, Ceilings, Work, work_of
from xrd_timing import moved
from xrd_workloads import Workloads

from surrogate.xrd.drawing import STRONG_WIDTHS, WINDOW_WIDTHS, pseudo_voigt_shape
from surrogate.xrd.model import peaks_of

CPU = torch.device("cpu")
RATES = Ceilings(copied_bytes=1e9, added_float32=1e9, added_float64=1e9, product_float32=1e9, product_float64=1e9)


@pytest.fixture(scope="module")
def work() -> Workloads:
    return Workloads(2)


def test_points_of_windows_are_counted_within_the_grid(work: Workloads) -> None:
    atlas, grid, parameters, _ = work.patterns(CPU, "one phase", 6)
    found = work_of(atlas, grid, parameters)
    expected, n_peaks = 0, 0
    for row in range(6):
        peaks = peaks_of(atlas, parameters.one(row), 0, 0, with_derivatives=False)
        width = pseudo_voigt_shape(peaks.gauss, peaks.lorentz)[0]
        reach = (WINDOW_WIDTHS + STRONG_WIDTHS * peaks.relative.clamp(max=1.0) ** 0.5) * width
        away = (grid.two_theta_deg[None] - peaks.centre[:, None]).abs()
        inside = (away <= reach[:, None]).sum(1)
        expected, n_peaks = expected + int(inside.sum()), n_peaks + int((inside > 0).sum())
    # a point that lies on a window's very end may fall on either side
    assert found.points == pytest.approx(expected / 6, rel=1e-3)
    assert found.peaks == pytest.approx(n_peaks / 6, rel=1e-2)


def test_no_pattern_is_faster_than_the_slowest_of_bytes_operations_and_points() -> None:
    work = Work(peaks=10.0, points=2000.0, grid_points=500)
    assert work.bytes == 4 * 500 + 16 * 10
    assert work.operations == OPERATIONS * 2000
    assert work.floor_s(RATES) == {"bytes": work.bytes / 1e9, "operations": work.operations / 1e9}


def test_what_is_moved_is_the_same_and_all_of_it_elsewhere(work: Workloads) -> None:
    fits = work.fits(CPU, 2)
    task = fits.args[1]
    there = moved(task, torch.device("meta"))
    assert {there.pattern.device.type, there.frozen.device.type, there.data.weight.device.type} == {"meta"}
    assert task.pattern.device.type == "cpu"
    assert there.data.grid == task.data.grid


def test_fits_that_differ_are_told_apart(work: Workloads) -> None:
    one = work.fits(CPU, 2)()
    same = xrd_gpu.compared(one, one)
    assert same["objective apart, most"] == same["strain apart, most"] == 0.0
    other = xrd_gpu.compared(one, replace(one, scales=1.5 * one.scales))
    assert other["relative scale apart, most"] == pytest.approx(0.5)
    assert other["objective apart, most"] == 0.0


def test_all_parts_end_on_a_cpu_and_are_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "found.json"
    sizes = ["--batches", "4", "--rows", "2", "--patterns", "2", "--training-batches", "2", "--training-steps", "1"]
    told = ["xrd_gpu.py", "--device", "cpu", *sizes, "--rounds", "1", "--json", str(file)]
    monkeypatch.setattr(sys, "argv", [*told, "--parts", "agreement", "patterns", "refinement", "training"])
    with pytest.raises(SystemExit) as left:
        xrd_gpu.main()
    assert left.value.code == 0, capsys.readouterr().out
    found = json.loads(file.read_text())
    apart = [values for name, values in found["agreement"].items() if name != "fits"]
    assert [values["largest difference over the highest"] for values in apart] == [0.0] * 10
    assert len(found["patterns"]) == 9
    assert all(row["per_s"] > 0.0 for part in ("patterns", "refinement", "training") for row in found[part])


def test_a_part_that_fails_does_not_stop_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    assert xrd_gpu.supervised(lambda: 1 // 0) == (None, False)
    assert "ZeroDivisionError" in capsys.readouterr().out
    assert xrd_gpu.supervised(lambda: 7) == (7, True)
