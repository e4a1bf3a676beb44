import numpy as np
import pytest

from simulators.materials.film import FilmMaterial, FilmOptions
from simulators.wafer import HALF_LENGTH_UM, HALF_WIDTH_UM, Wafer
from simulators.world import WorldFile

CALM = FilmOptions.nothing_goes_wrong()


def build(state=None, options=CALM):
    return Wafer(FilmMaterial(3, options), state or WorldFile(":memory:"))


def shoot(wafer, x_um, y_um, *, tag="t", peak=1000.0, state=None):
    rows = wafer.shoot(
        x_um=x_um, y_um=y_um, time_s=1.0, job={"tag": tag, "peak_temperature_c": peak, "dwell_us": 1000.0}
    )
    if state is not None:
        state.update(rows)
    return rows


@pytest.mark.parametrize(
    ("x_um", "y_um", "target"),
    [
        (0, 0, "film"),
        (70_000, 0, "film"),
        (70_001, 0, "blank"),
        (-74_000, 0, "mirror"),
        (-75_500, 0, "mirror"),
        (-75_501, 0, "blank"),
        (74_000, 0, "blank"),
        (74_000, 1500, "blank"),
    ],
)
def test_what_lies_where(x_um, y_um, target):
    assert build().target_at(x_um, y_um) == target


def test_a_stripe_changes_the_film_within_its_reach_only():
    wafer = build()
    bare = wafer.reflectance(0, 0, 0)
    shoot(wafer, 0, 0)
    assert not np.allclose(wafer.reflectance(0, 0, 1), bare, atol=0.01)
    assert np.array_equal(wafer.reflectance(0, 0, 0), bare)
    for x_um, y_um in ((HALF_WIDTH_UM + 1, 0), (0, HALF_LENGTH_UM + 1)):
        assert np.array_equal(wafer.reflectance(x_um, y_um, 1), bare)
    assert np.array_equal(wafer.reflectance(0, HALF_LENGTH_UM, 1), wafer.reflectance(0, 0, 1))


def test_the_nearest_stripe_counts():
    wafer = build()
    shoot(wafer, 0, 0, peak=1000.0)
    shoot(wafer, 1000, 0, peak=600.0)
    alone = build()
    shoot(alone, 0, 0, peak=1000.0)
    assert np.array_equal(wafer.reflectance(499, 0, 2), alone.reflectance(499, 0, 1))
    assert not np.array_equal(wafer.reflectance(501, 0, 2), alone.reflectance(501, 0, 1))


def test_a_second_shot_at_a_place_is_another_shot_of_the_same_stripe():
    wafer = build()
    first = shoot(wafer, 0, 0, peak=600.0)["shot/1"]
    second = shoot(wafer, 0, 0, peak=1000.0)["shot/2"]
    assert (first["truth"]["shot_number"], second["truth"]["shot_number"]) == (0, 1)
    hot = build()
    shoot(hot, 0, 0, peak=1000.0)
    assert np.allclose(wafer.reflectance(0, 0, 2), hot.reflectance(0, 0, 1), atol=1e-9)


def test_the_colours_of_a_row_agree_with_the_stripes_below():
    wafer = build()
    shoot(wafer, 0, 0)
    shoot(wafer, 3000, 0, peak=700.0)
    x_um = np.linspace(-2500.0, 5500.0, 161)
    row = wafer.rgb(x_um, 0, 2)
    assert row.shape == (161, 3) and row.dtype == np.uint8
    bare = wafer.rgb(x_um, 0, 0)
    assert np.array_equal(row[x_um < -HALF_WIDTH_UM - 1], bare[x_um < -HALF_WIDTH_UM - 1])
    one_by_one = np.concatenate([wafer.rgb(x_um[i : i + 1], 0, 2) for i in range(161)])
    assert np.array_equal(row, one_by_one)
    beside = wafer.rgb(np.array([-74_000.0, 74_000.0]), 0, 2)
    assert beside.tolist() == [[255, 255, 255], [0, 0, 0]]


def test_a_restored_wafer_is_the_same_wafer():
    state = WorldFile(":memory:")
    wafer = build(state, FilmOptions())
    for number in range(12):
        shoot(wafer, 4000 * (number % 5), 0, tag=f"t{number}", state=state)
    again = build(state, FilmOptions())
    assert again.n_shots == 12 and again.last_shot == wafer.last_shot
    for x_um in (0, 4100, 8000):
        assert np.array_equal(again.reflectance(x_um, 0, 12), wafer.reflectance(x_um, 0, 12))
    assert shoot(again, 0, 0) == shoot(wafer, 0, 0)
