import pytest

from surrogate.formats.columns_radiation import radiation_in


@pytest.mark.parametrize(
    ("lines", "wavelengths", "ratio", "anode"),
    [
        (["# Wavelength: 1.5406"], (1.5406,), (1.0,), ""),
        (["Wellenlänge = 1,5406 Å"], (1.5406,), (1.0,), ""),
        (["# Wavelength (nm): 0.15406 nm"], (1.5406,), (1.0,), ""),
        (["# calculated wavelength   = 0.413263"], (0.413263,), (1.0,), ""),
        (["Ka1: 1.54060 Ka2: 1.54443 Ratio 0.49", "Anode: Cu"], (1.5406, 1.54443), (1.0, 0.49), "Cu"),
        (
            [
                "Anode material,Co",
                "K-Alpha1 wavelength,1.78901",
                "K-Alpha2 wavelength,1.79290",
                "Ratio K-Alpha2/K-Alpha1,0.5",
            ],
            (1.78901, 1.7929),
            (1.0, 0.5),
            "Co",
        ),
    ],
    ids=["one", "german", "nm", "11-BM", "one line", "csv"],
)
def test_wavelengths_of_a_header(lines, wavelengths, ratio, anode):
    found, assumed = radiation_in(lines)
    assert found is not None
    assert found.wavelength_angstrom == pytest.approx(wavelengths)
    assert found.ratio == pytest.approx(ratio)
    assert (found.anode, assumed) == (anode, [])


def test_two_wavelengths_without_a_ratio_are_said():
    found, assumed = radiation_in(["Ka1 = 1.5406", "Ka2 = 1.5444"])
    assert found is not None
    assert found.ratio == (1.0, 0.5)
    assert assumed == ["the header gives K-alpha 2 without its ratio; 0.5 is assumed"]


def test_a_wavelength_that_is_not_that_of_the_anode_is_said():
    _, said = radiation_in(["Anode: Cu", "Wavelength: 0.7093"])
    assert said == ["the header gives 0.7093 Ao, and K-alpha 1 of Cu is 1.5406 Ao"]


@pytest.mark.parametrize(
    "line", ["Wavelength (nm)", "Laser wavelength: 632.8 nm", "Wavelength range: 1.5", "lambda = 2", "Sample Ka1", ""]
)
def test_what_is_no_x_ray_wavelength(line):
    assert radiation_in([line]) == (None, [])
