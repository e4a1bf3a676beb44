"""Convert the axis of a scan exactly: 2theta, q and d of one X-ray wavelength; nm, um, eV, /cm, Hz and Raman shift.

Diffraction: ``q = (4 pi / lambda) sin(theta)`` and ``d = 2 pi / q`` (Bragg). Light: ``E = h c / lambda`` with the
exact constants of the SI (2019), in vacuum: wavelengths that an instrument gives in air differ by about 0.03 %.

Only the axis is converted. Values stay as they are, as a spectrometer's counts per pixel or a reflectance must; values
that are a density, intensity per unit of the axis, are rescaled by `per_unit`, and only when asked.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from surrogate.formats.record import Array, Axis, Quantity, Scan, poisson_sigma
from surrogate.formats.words import unit_words

PLANCK_J_S = 6.62607015e-34
LIGHT_M_PER_S = 299792458.0
CHARGE_C = 1.602176634e-19
HC_EV_CM = PLANCK_J_S * LIGHT_M_PER_S / CHARGE_C * 100
"""An energy in eV over this is a wavenumber in /cm."""

LARGEST_TOLD = 1e100
"""Beyond it an axis is broken anyhow."""
LARGEST_ROUNDED = 1e9
"""Beyond it the decimals of an axis are not told."""

Function = Callable[[Array, float], Array]
"""From ``n`` numbers and the wavelength of the source (in angstrom), which most functions do not use."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scale:
    """One unit of one quantity, tied to the common scale of its family: q in /Ao, or wavenumber in /cm."""

    family: str
    common: Function
    back: Function
    slope: Function
    """Size of the derivative of the common scale."""
    needs: str = ""
    """What the wavelength of the source is for; empty where it is not needed."""


def _linear(family: str, factor: float) -> _Scale:
    return _Scale(
        family=family,
        common=lambda x, _: x * factor,
        back=lambda c, _: c / factor,
        slope=lambda x, _: np.full_like(x, factor),
    )


def _inverse(family: str, factor: float) -> _Scale:
    return _Scale(
        family=family,
        common=lambda x, _: factor / x,
        back=lambda c, _: factor / c,
        slope=lambda x, _: factor / x**2,
    )


def _angle(half_turn: float) -> _Scale:
    """2theta in a unit of which half a turn has so many."""
    per_radian = half_turn / math.pi
    return _Scale(
        family="diffraction",
        common=lambda x, lam: 4 * np.pi / lam * np.sin(x / 2 / per_radian),
        back=lambda c, lam: 2 * per_radian * np.arcsin(c * lam / (4 * np.pi)),
        slope=lambda x, lam: 2 * np.pi / lam * np.cos(x / 2 / per_radian) / per_radian,
        needs="X-ray wavelength",
    )


_RAMAN = _Scale(
    family="light",
    common=lambda x, lam: 1e8 / lam - x,
    back=lambda c, lam: 1e8 / lam - c,
    slope=lambda x, _: np.ones_like(x),
    needs="laser wavelength",
)
_SCALES: dict[tuple[Quantity, str], _Scale] = {
    ("two_theta", "deg"): _angle(180.0),
    ("two_theta", "rad"): _angle(math.pi),
    ("q", "/Ao"): _linear("diffraction", 1.0),
    ("q", "/nm"): _linear("diffraction", 0.1),
    ("d_spacing", "Ao"): _inverse("diffraction", 2 * math.pi),
    ("d_spacing", "nm"): _inverse("diffraction", 0.2 * math.pi),
    ("wavelength", "Ao"): _inverse("light", 1e8),
    ("wavelength", "nm"): _inverse("light", 1e7),
    ("wavelength", "um"): _inverse("light", 1e4),
    ("energy", "meV"): _linear("light", 1e-3 / HC_EV_CM),
    ("energy", "eV"): _linear("light", 1 / HC_EV_CM),
    ("energy", "keV"): _linear("light", 1e3 / HC_EV_CM),
    ("wavenumber", "/cm"): _linear("light", 1.0),
    ("frequency", "Hz"): _linear("light", 0.01 / LIGHT_M_PER_S),
    ("frequency", "THz"): _linear("light", 1e10 / LIGHT_M_PER_S),
    ("raman_shift", "/cm"): _RAMAN,
}


def converted(
    axis: Axis, unit: str, *, quantity: Quantity | None = None, wavelength_angstrom: float | None = None
) -> Axis:
    """Return the axis in another unit; the values of the scan stay as they are.

    Args:
        axis: ``n`` points.
        unit: UCUM. It tells the quantity too: ``Ao`` is a d-spacing on a diffractogram and a wavelength of light on a
            spectrum; ``/cm`` is a wavenumber, unless `quantity` asks for a Raman shift.
        quantity: The quantity wanted, where the unit alone does not say it.
        wavelength_angstrom: Of the X-rays for 2theta, of the laser for a Raman shift.

    Raises:
        ValueError: There is no such conversion, the wavelength is missing, or a point has no counterpart.
    """
    source = _scale(axis.quantity, axis.unit)
    wanted = quantity or _quantity(axis, source, unit)
    if (wanted, unit) == (axis.quantity, axis.unit):
        return axis
    target = _scale(wanted, unit)
    lam = _wavelength(source, target, wavelength_angstrom)
    _require_points(axis, lam)
    common = source.common(axis.values, lam)
    _require_target(common, wanted, unit, lam)
    return Axis(quantity=wanted, unit=unit, values=target.back(common, lam))


def per_unit(values: Array, before: Axis, after: Axis, *, wavelength_angstrom: float | None = None) -> Array:
    """Rescale a density, intensity per unit of the axis, so that its integral stays the same after a conversion.

    Args:
        values: ``n`` intensities per unit of `before`.
        before: The axis that they were given on.
        after: The same ``n`` points, as `converted` returned them.
        wavelength_angstrom: As given to `converted`.

    Raises:
        ValueError: The two axes are not of one family.
    """
    source, target = _scale(before.quantity, before.unit), _scale(after.quantity, after.unit)
    lam = _wavelength(source, target, wavelength_angstrom)
    return values * target.slope(after.values, lam) / source.slope(before.values, lam)


def declared(scan: Scan, quantity: Quantity, unit: str) -> Scan:
    """Return a scan whose axis is what a person says it is, since the file does not say it.

    Raises:
        ValueError: The file says it, and otherwise; or its unit is not that.
    """
    axis = scan.axis
    if (axis.quantity, axis.unit) == (quantity, unit):
        return scan
    if axis.quantity != "unknown":
        raise ValueError(
            f"the file says that its axis is {axis.quantity} in {unit_words(axis.unit)}; leave it to the file"
        )
    if axis.unit not in ("1", unit):
        raise ValueError(f"the file gives its axis in {unit_words(axis.unit)}, not in {unit_words(unit)}")
    is_x_ray = _scale(quantity, unit).family == "diffraction"
    changed = replace(
        scan,
        kind="diffractogram" if is_x_ray else "spectrum",
        axis=Axis(quantity=quantity, unit=unit, values=axis.values),
    )
    return changed if is_x_ray else _without_photons(changed)


def _without_photons(scan: Scan) -> Scan:
    """Take away what only holds for X-rays: their lines, and Poisson's sigma of whole counts."""
    poisson = None if scan.counts is None else poisson_sigma(scan.counts, scan.attenuation)
    is_own = scan.sigma is not None and (poisson is None or not np.array_equal(scan.sigma, poisson))
    return replace(scan, radiation=None, sigma=scan.sigma if is_own else None)


def _scale(quantity: Quantity, unit: str) -> _Scale:
    try:
        return _SCALES[quantity, unit]
    except KeyError:
        if quantity == "unknown":
            raise ValueError("the file does not say what its axis is, so that it cannot be converted") from None
        known = ", ".join(f"{what} in {unit}" for what, unit in _SCALES)
        raise ValueError(f"{quantity} in {unit!r} cannot be converted; these can: {known}") from None


def _quantity(axis: Axis, source: _Scale, unit: str) -> Quantity:
    """Tell by a unit what is wanted, the axis' own quantity first."""
    if (axis.quantity, unit) in _SCALES:
        return axis.quantity
    for (what, name), scale in _SCALES.items():
        if name == unit and scale.family == source.family:
            return what
    raise ValueError(f"{axis.quantity} in {unit_words(axis.unit)} cannot be given in {unit!r}")


def _wavelength(source: _Scale, target: _Scale, angstrom: float | None) -> float:
    """Return the wavelength that a conversion between two scales of one family needs; 1 where it needs none."""
    if source.family != target.family:
        raise ValueError(f"an axis of {source.family} cannot be turned into one of {target.family}")
    if angstrom is None and source.needs != target.needs:
        raise ValueError(f"the {source.needs or target.needs} is needed for this axis; give wavelength_angstrom")
    if angstrom is None:
        return 1.0
    if not (math.isfinite(angstrom) and angstrom > 0):
        raise ValueError(f"a wavelength of {angstrom:g} angstrom; give one above 0")
    return angstrom


def _require_points(axis: Axis, lam: float) -> None:
    x, what = axis.values, axis.quantity
    if what == "two_theta":
        _refuse(x, np.abs(x) >= (180.0 if axis.unit == "deg" else math.pi), axis.unit, "2theta is below half a turn")
    elif what == "raman_shift":
        highest = 1e8 / lam
        _refuse(x, x >= highest, axis.unit, f"a laser of {lam:g} angstrom shifts by less than {highest:g} /cm")
    elif what != "q":
        _refuse(x, x <= 0, axis.unit, f"a {what} is above 0")


def _require_target(common: Array, wanted: Quantity, unit: str, lam: float) -> None:
    if wanted == "two_theta":
        edge = 4 * math.pi / lam
        _refuse(common, np.abs(common) >= edge, "/Ao", f"d must be above half of {lam:g} angstrom, so q below {edge:g}")
    elif wanted == "d_spacing":
        _refuse(common, common <= 0, "/Ao", "a d-spacing needs q, or 2theta, above 0")
    elif wanted in ("wavelength", "energy", "wavenumber", "frequency"):
        _refuse(common, common <= 0, "/cm", f"a {wanted} in {unit} needs a wavenumber above 0")


def _refuse(x: Array, bad: Array | np.ndarray, unit: str, rule: str) -> None:
    if not np.all(np.isfinite(x)):
        bad = bad | ~np.isfinite(x)
    if np.any(bad):
        where = int(np.argmax(bad))
        raise ValueError(f"point {where + 1} is {x[where]:g} {unit_words(unit)}: {rule}")


def oddities(values: Array) -> tuple[str, ...]:
    """Say what is odd about the ``n`` points of an axis, and where: turns, repeated points, a change of step."""
    if len(values) < 2 or not np.abs(values).max() < LARGEST_TOLD:
        return ()
    steps = np.diff(values)
    forward = 1.0 if np.sum(steps > 0) >= np.sum(steps < 0) else -1.0
    turns = _turns(values, steps * forward)
    return tuple(filter(None, (turns, _repeats(values, steps), "" if turns else _changes(values, steps))))


def _turns(values: Array, steps: Array) -> str:
    back = np.flatnonzero(steps < 0)
    if not len(back):
        return ""
    at = int(back[0]) + 1
    more = f", and {len(back) - 1} more times" if len(back) > 1 else ""
    return f"the axis turns back at point {at + 1}, from {values[at - 1]:g} to {values[at]:g}{more}"


def _repeats(values: Array, steps: Array) -> str:
    same = np.flatnonzero(steps == 0)
    if not len(same):
        return ""
    return f"{len(same)} points repeat the one before them, the first at point {same[0] + 2}, at {values[same[0]]:g}"


def _changes(values: Array, steps: Array) -> str:
    """Find the first step that differs from the one before by more than rounding and half of it."""
    sizes = np.abs(steps)
    before, after = sizes[:-1], sizes[1:]
    grain = _grain(values)
    odd = np.flatnonzero((np.abs(after - before) > 0.5 * np.minimum(before, after) + 1.05 * grain) & (before > 0))
    if not len(odd) or not (sizes > 0).all():
        return ""
    at = int(odd[0]) + 1
    return f"the step changes at point {at + 1}, at {values[at]:g}, from {sizes[at - 1]:g} to {sizes[at]:g}"


def _grain(values: Array) -> float:
    """Return the last decimal that an axis was rounded to; 0 where it was not."""
    if np.abs(values).max() > LARGEST_ROUNDED:
        return 0.0
    for decimals in range(7):
        grain = 10.0**-decimals
        if np.allclose(values / grain, np.round(values / grain), rtol=0, atol=1e-4):
            return grain
    return 0.0
