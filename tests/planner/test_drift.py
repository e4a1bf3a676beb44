import numpy as np
import pytest

from planner.drift import find_drift
from planner.models import TargetModel
from planner.transforms import TargetScale
from surrogate.matern_gp import fit_gp


def model_of(x: np.ndarray, y: np.ndarray, *, knee: float | None = None) -> TargetModel:
    scale = TargetScale.of(y, knee)
    return TargetModel(scale, fit_gp(x, scale.forward(y), None))


def campaign(
    rng: np.random.Generator, factors: np.ndarray, *, per_batch: int = 6, offset: bool = False
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return places (`n x 1`), values, batches and which are controls (`n` each), two of them in every batch."""
    n = len(factors)
    x = rng.random((n, per_batch + 2, 1))
    x[:, -2:] = 0.25
    truth = 3.0 + 2.0 * np.sin(4.0 * x[..., 0])
    y = truth + factors[:, None] if offset else truth * factors[:, None]
    y = y * (1.0 + 0.05 * rng.standard_normal(y.shape))
    batches = np.repeat(np.arange(1.0, n + 1), per_batch + 2)
    return x.reshape(-1, 1), y.ravel(), batches, (x == 0.25).ravel()


def test_a_step_is_found_and_sized() -> None:
    factors = np.array([1.0] * 5 + [0.85] * 3)
    x, y, batches, controls = campaign(np.random.default_rng(0), factors)
    drift = find_drift(model_of(x, y, knee=0.3), batches, controls=controls)
    assert drift is not None and drift.alarm is not None
    assert drift.alarm.since == 6.0
    assert drift.alarm.p < 0.001
    assert np.exp(drift.alarm.size) == pytest.approx(0.85, abs=3 * 0.85 * drift.alarm.sd)
    assert "times what it was before batch 6" in drift.sentence("batch")
    right, doubt = drift.corrected(y, batches)
    before, after = right[controls][:10], right[controls][10:]
    assert after.mean() / before.mean() == pytest.approx(1.0, abs=0.06)
    assert y[controls][10:].mean() / y[controls][:10].mean() < 0.9
    assert doubt[0] == 0.0 < doubt[-1] < 0.1 * y[-1]


def test_a_slow_fading_is_followed() -> None:
    factors = np.exp(-0.03 * np.arange(12))
    x, y, batches, controls = campaign(np.random.default_rng(1), factors)
    drift = find_drift(model_of(x, y, knee=0.3), batches, controls=controls)
    assert drift is not None
    assert np.abs(drift.mean - np.log(factors)).max() < 0.08
    assert drift.alarm is not None


def test_an_offset_is_no_factor() -> None:
    shifts = np.array([0.0] * 5 + [-1.0] * 3)
    x, y, batches, controls = campaign(np.random.default_rng(2), shifts, offset=True)
    drift = find_drift(model_of(x, y), batches, controls=controls, kind="offset")
    assert drift is not None and drift.alarm is not None
    assert drift.alarm.size == pytest.approx(-1.0, abs=3 * drift.alarm.sd)
    assert drift.mean[-1] == pytest.approx(drift.alarm.size, abs=0.15)
    assert "shifted by -" in drift.sentence("batch")
    assert drift.corrected(y, batches)[0][-1] > y[-1] + 0.6


def test_false_alarms_keep_to_their_rate() -> None:
    """At one look in twenty that may be wrong, of 60 looks some are, and not many; with little to correct."""
    raised, corrections = 0, []
    for seed in range(60):
        x, y, batches, _ = campaign(np.random.default_rng(100 + seed), np.ones(7), per_batch=4)
        drift = find_drift(model_of(x, y, knee=0.3), batches, false_alarms=0.05)
        assert drift is not None
        raised += drift.alarm is not None
        corrections.append(drift.mean[-1])
    assert raised <= 9, "P(more) < 1 % at 5 %"
    assert np.sqrt(np.mean(np.square(corrections))) < 0.03


def test_controls_have_a_veto() -> None:
    """Everything but the controls falls: then the surrogate is wrong, or the recipes are, but nothing has drifted."""
    factors = np.array([1.0] * 5 + [0.8] * 3)
    x, y, batches, controls = campaign(np.random.default_rng(3), factors)
    y = np.where(controls & (batches > 5), y / 0.8, y)
    model = model_of(x, y, knee=0.3)
    alone = find_drift(model, batches)
    assert alone is not None and alone.alarm is not None
    heard = find_drift(model, batches, controls=controls)
    assert heard is not None and heard.alarm is None
    with pytest.raises(ValueError, match="no alarm"):
        heard.sentence("batch")


def test_two_batches_say_nothing() -> None:
    x, y, batches, controls = campaign(np.random.default_rng(4), np.ones(2))
    assert find_drift(model_of(x, y), batches, controls=controls) is None


def test_times_may_be_seconds_of_their_own() -> None:
    x, y, batches, _ = campaign(np.random.default_rng(5), np.repeat([1.0, 0.7], 12))
    seconds = batches * 3600.0 + np.arange(len(batches))
    drift = find_drift(model_of(x, y, knee=0.3), seconds)
    assert drift is not None and drift.alarm is not None
    assert len(drift.times) <= 100
    assert 12.5 * 3600 < drift.alarm.since < 14 * 3600
