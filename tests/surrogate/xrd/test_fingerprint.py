"""Diffractograms as channels even in log q: counts are kept, an expansion shifts, ranges are held."""

import numpy as np
import pytest

from surrogate.analysis import ANALYSES, MeasurementData
from surrogate.xrd.fingerprint import shared_out

WAVELENGTH = 1.540593
TWO_THETA = np.arange(10.0, 90.0, 0.02)


def pattern(counts):
    arrays = {"two_theta_deg": TWO_THETA, "counts": np.asarray(counts, dtype=float)}
    return MeasurementData(kind="diffractogram", arrays=arrays, metadata={"wavelength_angstrom": WAVELENGTH})


def analysed(counts, **options):
    return ANALYSES["fingerprint"]([pattern(counts)], options={"q": [1.0, 5.0], **options})


def line_at(q, width=0.3):
    angle = 2.0 * np.degrees(np.arcsin(q * WAVELENGTH / (4.0 * np.pi)))
    return 1000.0 * np.exp(-0.5 * ((TWO_THETA - angle) / width) ** 2)


def test_counts_are_shared_out_and_none_is_lost():
    q = np.linspace(1.0, 3.0, 401)
    counts = np.random.default_rng(0).poisson(50.0, 401).astype(float)
    found = shared_out(q, counts, 1.0 - 0.0025, 3.0 + 0.0025, 64)
    assert found.sum() == pytest.approx(counts.sum(), rel=1e-12)
    assert shared_out(q, counts, 1.5, 2.5, 7).sum() == pytest.approx(counts[100:301].sum(), rel=0.01)


def test_a_cell_that_expands_shifts_every_line_by_as_many_channels():
    channels, expansion = 512, 0.02
    by = np.log(1.0 + expansion) / (np.log(5.0 / 1.0) / channels)
    for q in (1.6, 2.9, 4.2):
        before, after = (
            np.asarray(analysed(line_at(at), channels=channels).findings[0].fingerprints["pattern"])
            for at in (q, q / (1.0 + expansion))
        )
        places = np.arange(channels)
        moved = (before @ places) / before.sum() - (after @ places) / after.sum()
        assert moved == pytest.approx(by, abs=0.1)


def test_a_pattern_that_is_too_short_cannot_tell():
    result = ANALYSES["fingerprint"]([pattern(np.ones(len(TWO_THETA)))], options={"q": [1.0, 7.0]})
    assert "the pattern reaches from 0.711 to 5.767 1/angstrom, and 1 to 7 is wanted" in result.cannot_tell


def test_the_target_may_have_another_name_and_the_whole_pattern_is_taken():
    result = ANALYSES["fingerprint"]([pattern(line_at(2.0))], options={"name": "xrd", "channels": 32})
    (found,) = result.findings
    assert list(found.fingerprints) == ["xrd"]
    assert len(found.fingerprints["xrd"]) == 32
    assert found.values == {}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"channels": 8}, "channels is a whole number from 16 up, not 8"),
        ({"q": [3.0, 1.0]}, "q is [low, high]"),
        ({"q": 3.0}, "q is [low, high]"),
        ({"name": ""}, "is that of a target"),
        ({"chanels": 64}, "did you mean 'channels'?"),
    ],
)
def test_wrong_options_are_said(options, message):
    (found,) = ANALYSES["fingerprint"].problems(options)
    assert message in found
