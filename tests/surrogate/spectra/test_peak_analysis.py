import re

import numpy as np
import pytest

from surrogate.analysis import Analysis, MeasurementData
from surrogate.spectra.line_shapes import line
from surrogate.spectra.peak_options import OPTIONS

PEAKS = Analysis(name="peaks", version="1", module="surrogate.spectra.peak_analysis")
X = np.linspace(400.0, 800.0, 401)
LINES = np.array([[500.0, 300.0, 8.0, 0.4], [640.0, 120.0, 8.0, 0.4]])
EDGE = 900.0 * np.exp(-(X - 400.0) / 150.0)
NAMED = {"near": 500.0, "within": 8.0, "take": "position"}


def spectrum(*, role="film", seed=0, lines=LINES, scale=1.0, background=EDGE, **facts):
    generator = np.random.default_rng(seed)
    clean = 300.0 + background + line(X, lines).sum(axis=1)
    counts = scale * clean + np.sqrt(scale * clean / 10.0) * generator.standard_normal(len(X))
    return MeasurementData(
        kind="spectrum", arrays={"wavelength_nm": X, "counts": counts}, metadata={"role": role, **facts}
    )


def options(**given):
    peaks = given.pop("peaks", {"where": NAMED})
    return {"peaks": peaks, "fwhm": 8.0, **given}


TRUTH = {"position": 500.0, "height": 300.0, "fwhm": 8.0, "area": 300.0 * 8.0 * (0.4 * 1.5708 + 0.6 * 1.06447)}


def test_all_quantities_of_a_named_peak_are_observations_with_honest_sd():
    peaks = {take: {**NAMED, "take": take} for take in TRUTH}
    z = []
    for seed in range(4):
        found = PEAKS([spectrum(seed=seed)], options=options(peaks=peaks))
        assert found.cannot_tell is None
        z.append([(found.values[take] - TRUTH[take]) / found.findings[0].sd[take] for take in TRUTH])
    assert np.abs(z).max() < 4.0
    assert 0.05 < np.median(np.abs(z)) < 1.8


def test_parameters_are_passed_on_and_details_are_for_the_report():
    found = PEAKS([spectrum()], options=options(parameters={"dose": 2.0}))
    assert found.findings[0].parameters == {"dose": 2.0}
    assert found.details["baseline"].shape == X.shape
    assert found.details["peak_positions"] == pytest.approx([500.0, 640.0], abs=0.5)
    assert found.details["baseline_method"] != "none"


def test_several_spectra_give_one_value_with_a_smaller_sd():
    one = PEAKS([spectrum(seed=0)], options=options())
    four = PEAKS([spectrum(seed=seed) for seed in range(4)], options=options())
    assert four.details["spectra"] == 4
    assert four.findings[0].sd["where"] < 0.8 * one.findings[0].sd["where"]
    moved = [spectrum(seed=seed, lines=LINES + [[shift, 0, 0, 0]]) for seed, shift in enumerate((0.0, 3.0))]
    assert PEAKS(moved, options=options()).findings[0].sd["where"] > 1.0


def test_darks_are_taken_off_and_references_divided_by():
    dark = [_counts(np.zeros(len(X)), "blank", seed) for seed in (10, 11)]
    lamp = 4e4 * (0.5 + np.exp(-0.5 * ((X - 600.0) / 120.0) ** 2))
    absorbance = 0.8 * line(X, np.array([[536.0, 1.0, 8.0, 0.0]]))[:, 0]
    taken = [_counts(lamp * 10.0**-absorbance, "film", seed) for seed in range(4)]
    taken += dark + [_counts(lamp, "mirror", 20 + seed) for seed in range(4)]
    found = PEAKS(
        taken,
        options=options(
            peaks={
                "band": {"near": 536.0, "within": 5.0, "take": "position"},
                "depth": {"near": 536.0, "within": 5.0, "take": "height"},
            },
            role="film",
            dark="blank",
            reference="mirror",
            absorbance=True,
            shape="gauss",
        ),
    )
    assert found.cannot_tell is None
    assert abs(found.values["band"] - 536.0) < 4 * found.findings[0].sd["band"]
    assert abs(found.values["depth"] - 0.8) < 4 * found.findings[0].sd["depth"]


def _counts(light, role, seed):
    noise = np.random.default_rng(seed).standard_normal(len(X))
    counts = 800.0 + light + np.sqrt(100.0 + light) * noise
    facts = {"role": role, "exposure_s": 0.1, "averages": 1, "saturation_counts": 1e5}
    return MeasurementData(kind="spectrum", arrays={"wavelength_nm": X, "counts": counts}, metadata=facts)


def test_a_cosmic_ray_on_the_flank_does_not_move_the_peak():
    struck = spectrum()
    struck.arrays["counts"][104] += 3000.0
    found = PEAKS([struck], options=options(line_fwhm=4.0))
    assert abs(found.values["where"] - 500.0) < 4 * found.findings[0].sd["where"]
    assert not found.details["valid"][104]


def test_an_absent_peak_is_zero_only_where_that_is_asked_for():
    peak = {"near": 720.0, "within": 5.0, "take": "area"}
    refused = PEAKS([spectrum()], options=options(peaks={"y": peak}))
    assert "no peak stands out within 5 of 720" in refused.cannot_tell
    found = PEAKS([spectrum()], options=options(peaks={"y": {**peak, "absent": "zero"}}))
    assert found.values == {"y": 0.0}
    assert 5.0 < found.findings[0].sd["y"] < 300.0


def saturated():
    one = spectrum(saturation_counts=1000.0)
    one.arrays["counts"][:] = np.minimum(one.arrays["counts"], 1000.0)
    return one


@pytest.mark.parametrize(
    ("taken", "given", "reason"),
    [
        ([], {}, "none of 0 measurements is a spectrum with the arrays"),
        ([spectrum(role="mirror")], {"role": "film"}, "and the role 'film'"),
        ([spectrum()], {"signal": "intensity"}, "'intensity'"),
        ([saturated()], {}, "where: the top of the peak at .* is saturated, struck or masked"),
        ([spectrum()], {"peaks": {"y": {**NAMED, "near": 900.0}}}, "y: 900 lies outside the spectrum, 400 to 800"),
        ([spectrum(lines=LINES * [[1, 1, 1, 1], [0, 2, 1, 1]] + [[0, 0, 0, 0], [525, 0, 0, 0]])],
         {"peaks": {"y": {**NAMED, "within": 40.0}}}, "neither is much the higher one"),
        ([spectrum()], {"dark": "blank"}, "only where darks were taken"),
        ([_counts(X, "film", 0), _counts(X, "blank", 1)], {"dark": "blank", "reference": "mirror"}, "role 'mirror'"),
        ([MeasurementData(kind="spectrum", arrays={"wavelength_nm": X, "counts": np.full(401, np.nan)})], {},
         "none of 401 points"),
        ([MeasurementData(kind="spectrum", arrays={"wavelength_nm": X, "counts": np.full(401, 5.0)})], {}, "noise"),
        ([MeasurementData(kind="spectrum", arrays={"wavelength_nm": X, "counts": X[:9]})], {}, r"shape \(9,\)"),
    ],
    ids=["nothing", "role", "array", "saturated", "outside", "rivals", "no dark", "no mirror", "nan", "flat", "shape"],
)  # fmt: skip
def test_what_cannot_be_measured_has_a_reason(taken, given, reason):
    found = PEAKS(taken, options=options(**given))
    assert found.findings == ()
    assert re.search(reason, found.cannot_tell)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"peeks": {}}, "has no option 'peeks'; did you mean 'peaks'?"),
        ({"peaks": {}}, "needs 'peaks', a mapping of targets"),
        ({"peaks": {"y": 500.0}}, "the peak of 'y' is a mapping with near, within and take, not 500.0"),
        ({"peaks": {"y": {**NAMED, "near": "left"}}}, "needs 'near', a position on the axis, not 'left'"),
        ({"peaks": {"y": {**NAMED, "within": 0}}}, "needs 'within', a distance above 0, not 0"),
        ({"peaks": {"y": {**NAMED, "take": "size"}}}, "needs 'take', one of position, height, area, fwhm, not 'size'"),
        ({"peaks": {"y": {**NAMED, "absent": "zero"}}}, "a position of 'y' cannot be zero"),
        ({"peaks": {"y": {**NAMED, "absent": "nan"}}}, "'absent' of the peak of 'y' is cannot_tell or zero"),
        ({"fwhm": 0.0}, "'fwhm' of the analysis 'peaks' is a number above 0, not 0.0"),
        ({"baseline": "taste"}, "'baseline' of the analysis 'peaks' is one of evidence, none, not 'taste'"),
        ({"absorbance": True}, "needs the role of the 'reference' for an absorbance"),
        ({"absorbance": "yes"}, "is true or false, not 'yes'"),
        ({"widest": 1.0}, "typical widths above 1"),
        ({"line_fwhm": -1}, "at least 0, not -1"),
        ({"axis": 3}, "'axis' of the analysis 'peaks' is a name, not 3"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(given, sentence):
    assert any(sentence in problem for problem in PEAKS.problems(options(**given)))
    with pytest.raises(ValueError, match="peak"):
        PEAKS([spectrum()], options=options(**given))


def test_the_width_of_a_peak_must_be_given_and_good_options_have_no_problem():
    assert any("needs 'fwhm'" in problem for problem in PEAKS.problems({"peaks": {"y": NAMED}}))
    assert PEAKS.problems(options(parameters={"dose": 1.0})) == []
    assert set(options()) <= set(OPTIONS)
