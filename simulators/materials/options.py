"""What can be switched on and off in the simulated film and its detector."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

GROUPS: Mapping[str, tuple[str, ...]] = {
    "failures": ("misfires", "dropouts", "particles", "delaminations"),
    "misalignment": ("centre_offset", "temperature_calibration", "asymmetry"),
}
"""Names that switch several options at once; an option named on its own wins over its group."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FilmOptions:
    """Switches of the simulated film station. Everything that a real one suffers from is on unless said otherwise."""

    noise: bool = True
    """Lamp flicker 0.4% and pixel noise 0.3% of the signal, additive 0.3% of full scale, energy meter 1%."""
    spikes: bool = True
    """One pixel in 10,000 catches a cosmic ray or a glitch."""
    saturation: bool = True
    """Counts are clipped at 98% of the converter. Off: counts grow without bound."""
    drift: bool = True
    """The lamp drifts by up to 0.2% an hour."""
    centre_offset: bool = True
    """A stripe's centre misses its nominal place by N(0, 20 um)."""
    temperature_calibration: bool = True
    """Peak temperatures miss the requested ones by N(0, 8 degC) per wafer and N(0, 4 degC) per stripe."""
    asymmetry: bool = True
    """The beam's right half is 5% narrower than its left half; their mean is unchanged."""
    misfires: bool = True
    """1% of the shots do not fire: the film is unchanged."""
    dropouts: bool = True
    """0.5% of the shots lose the laser half-way: half the dwell."""
    particles: bool = True
    """1% of the stripes carry a particle or an edge, which scatters light away locally."""
    delaminations: bool = True
    """0.5% of the stripes delaminate: the reflectance is flat in wavelength and place."""
    focus_blur: bool = True
    """The spot's full width at half maximum is 10 to 30 um, different for each stripe."""
    thickness_variation: bool = True
    """The film is up to 0.5% thinner or thicker away from the wafer's centre, smoothly."""
    hidden_error: bool = True
    """Boundaries, optical constants, thickness and beam width deviate from the published ones, seeded."""
    nucleation_pocket: bool = False
    """Delta forms in dwells below about 2.5 ms only; given longer, the film goes on to gamma."""
    diffuse: bool = False
    """Transitions are 30 to 40 degC wide instead of 10 to 18 degC."""
    bruggeman: bool = False
    """Mixtures follow Bruggeman's effective medium instead of fraction-weighted n and k."""
    thickness_nm: float = 260.0
    """Nominal thickness of the film as deposited, 150 to 400 nm."""
    score_every: int = 1
    """Score the map after each n-th stripe (and after the last); the physics does not depend on it."""

    def __post_init__(self) -> None:
        if not 150.0 <= self.thickness_nm <= 400.0:
            raise ValueError(f"thickness_nm is {self.thickness_nm:g}; the film's model holds from 150 to 400 nm")
        if self.score_every < 1:
            raise ValueError(f"score_every is {self.score_every}; write 1 or more stripes")

    @classmethod
    def from_mapping(cls, options: Mapping[str, object]) -> FilmOptions:
        """Read options as a lab file gives them; `failures` and `misalignment` switch their whole group.

        Raises:
            ValueError: An unknown key, a value of the wrong type, or one outside its range; one sentence.
        """
        types: dict[str, type] = {field.name: type(field.default) for field in fields(cls)}
        types |= dict.fromkeys(GROUPS, bool)
        checked = {key: _checked(key, value, types) for key, value in options.items()}
        groups = {key: checked.pop(key) for key in GROUPS if key in checked}
        spread = {member: value for key, value in groups.items() for member in GROUPS[key]}
        return cls(**{**spread, **checked})  # type: ignore[arg-type]

    def to_mapping(self) -> dict[str, object]:
        """Return all options as plain values, so that ``from_mapping(to_mapping())`` gives them back."""
        return asdict(self)

    @classmethod
    def nothing_goes_wrong(cls, **options: object) -> FilmOptions:
        """Return options with every disturbance off, then the given ones."""
        off = {field.name: False for field in fields(cls) if isinstance(field.default, bool)}
        return cls.from_mapping({**off, **options})


def _checked(key: str, value: object, types: Mapping[str, type]) -> object:
    if key not in types:
        near = difflib.get_close_matches(str(key), types, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known options: {', '.join(sorted(types))}"
        raise ValueError(f"unknown option {key!r} of the film station; {hint}")
    wanted = types[key]
    if wanted is bool and not isinstance(value, bool):
        raise ValueError(f"option {key!r} is a switch; write true or false, not {value!r}")
    if wanted is int and (isinstance(value, bool) or not isinstance(value, int)):
        raise ValueError(f"option {key!r} is a whole number, not {value!r}")
    if wanted is float:
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            raise ValueError(f"option {key!r} is a finite number, not {value!r}")
        return float(value)
    return value
