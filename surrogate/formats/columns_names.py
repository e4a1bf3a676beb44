"""Tell by the name of a column what it counts and in which unit, in the languages that instruments are sold in."""

from __future__ import annotations

import re
from dataclasses import dataclass

from surrogate.formats.record import Quantity

LONGEST_NAME = 80
_BRACKETS = re.compile(r"[\[(<]\s*([^\])>]*?)\s*[\])>]")
_TAIL = re.compile(r"[/,_ ]\s*([^\s/,_]+)\s*$")


@dataclass(frozen=True, slots=True, kw_only=True)
class AxisName:
    """What the name of an axis says."""

    quantity: Quantity
    unit: str
    factor: float = 1.0
    """What the file's numbers are multiplied by to be in `unit`."""
    assumed: str = ""
    """What had to be assumed, one sentence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ValueName:
    """What the name of a column of values says."""

    quantity: str = "intensity"
    unit: str = ""
    """Empty where the name does not say it."""
    is_sigma: bool = False


_UNITS: dict[str, tuple[str, float]] = {
    "nm": ("nm", 1.0), "um": ("um", 1.0), "µm": ("um", 1.0), "μm": ("um", 1.0), "micron": ("um", 1.0),
    "microns": ("um", 1.0), "å": ("Ao", 1.0), "Å": ("Ao", 1.0), "a": ("Ao", 1.0), "ang": ("Ao", 1.0),
    "angstrom": ("Ao", 1.0), "angstroms": ("Ao", 1.0), "ångström": ("Ao", 1.0),
    "ev": ("eV", 1.0), "mev": ("meV", 1.0), "kev": ("keV", 1.0),
    "cm-1": ("/cm", 1.0), "1/cm": ("/cm", 1.0), "cm^-1": ("/cm", 1.0), "cm⁻¹": ("/cm", 1.0), "cm-¹": ("/cm", 1.0),
    "cm^{-1}": ("/cm", 1.0), "/cm": ("/cm", 1.0), "rcm-1": ("/cm", 1.0), "wn": ("/cm", 1.0),
    "å-1": ("/Ao", 1.0), "1/å": ("/Ao", 1.0), "å^-1": ("/Ao", 1.0), "å⁻¹": ("/Ao", 1.0), "1/a": ("/Ao", 1.0),
    "a-1": ("/Ao", 1.0), "a^-1": ("/Ao", 1.0), "å^{-1}": ("/Ao", 1.0), "a^{-1}": ("/Ao", 1.0),
    "1/angstrom": ("/Ao", 1.0), "angstrom-1": ("/Ao", 1.0), "angstrom^-1": ("/Ao", 1.0), "/ao": ("/Ao", 1.0),
    "nm-1": ("/nm", 1.0), "1/nm": ("/nm", 1.0), "nm^-1": ("/nm", 1.0), "nm⁻¹": ("/nm", 1.0), "/nm": ("/nm", 1.0),
    "deg": ("deg", 1.0), "°": ("deg", 1.0), "degree": ("deg", 1.0), "degrees": ("deg", 1.0), "grad": ("deg", 1.0),
    "°2th": ("deg", 1.0), "°2θ": ("deg", 1.0), "º": ("deg", 1.0), "deg.": ("deg", 1.0), "2th": ("deg", 1.0),
    "rad": ("rad", 1.0), "hz": ("Hz", 1.0), "thz": ("THz", 1.0), "ghz": ("Hz", 1e9),
    "s": ("s", 1.0), "sec": ("s", 1.0), "ms": ("s", 1e-3), "us": ("us", 1.0), "µs": ("us", 1.0), "min": ("s", 60.0),
    "mm": ("mm", 1.0), "m/z": ("1", 1.0),
}  # fmt: skip

_ALLOWED: dict[Quantity, tuple[str, ...]] = {
    "two_theta": ("deg", "rad"), "omega": ("deg", "rad"), "q": ("/Ao", "/nm"), "d_spacing": ("Ao", "nm"),
    "raman_shift": ("/cm",), "wavenumber": ("/cm",), "wavelength": ("nm", "um", "Ao"), "energy": ("eV", "keV", "meV"),
    "frequency": ("Hz", "THz"), "time": ("s", "us"), "position": ("mm", "um"), "mass_to_charge": ("1",),
    "unknown": ("1", "deg"),
}  # fmt: skip
"""Units of each quantity, the one that is taken where none is given first."""

_AXES: tuple[tuple[Quantity, str], ...] = (
    ("two_theta", r"(2|two|zwei|deux|dos|due|２)[\s_*·-]*(theta|thêta|th\b|tth\b|θ|ϑ|ѳ|シータ|тета)|^tth\b|°\s*2\s*th"),
    ("raman_shift", r"raman|ラマン|拉曼|^shift$|^rel.*wave\s*number"),
    ("wavenumber", r"wave\s*-?numbers?|wellenzahl|nombre d.onde|n[uú]mero d[ei] onda|numero d.onda|波数|волновое|^wn$"),
    ("wavelength", r"wave\s*-?lengths?|wellenl(ä|ae|a|.)nge|longueur|longitud de onda|lunghezza d|comprimento de onda"
                   r"|golflengte|våglängd|dlugość fali|długość fali|波長|波长|длина волны|^lambda\b|^λ"
                   r"|^wl\b|^wave$|^nm$|^um$|^µm$"),
    ("energy", r"energ(y|ie|ia|ía|ija)|énergie|エネルギ|能量|энергия|^e\s*[\[(]k?ev|^k?ev$"),
    ("q", r"^q\b|^q_|^\|q\||scattering vector|momentum transfer|streuvektor|vecteur de diffusion|^s-?vector"),
    ("d_spacing", r"^d$|^d\s*[\[(]|^d[\s_-]*(spacing|value|wert|hkl)|netzebenen|interr?[ée]ticul|面间距|格子面間隔"),
    ("omega", r"^omega\b|^ω"),
    ("frequency", r"frequen(cy|z|za)|fréquence|frecuencia|周波数|频率|частота"),
    ("mass_to_charge", r"^m\s*/\s*z|mass.to.charge"),
    ("position", r"^position|^distance|^abstand|^weg\b"),
    ("time", r"^(time|zeit|temps|tiempo|tempo|時間|时间|время|tof)\b|time.of.flight|^t\s*[\[(]"),
    ("two_theta", r"^(angle|winkel|angolo|ángulo|angulo|角度|угол|pos\.?\b)"),
)  # fmt: skip
_PATTERNS: list[tuple[Quantity, re.Pattern[str]]] = [
    (quantity, re.compile(pattern, re.IGNORECASE)) for quantity, pattern in _AXES
]
_LOOSE = re.compile(r"^(angle|winkel|angolo|ángulo|angulo|角度|угол)", re.IGNORECASE)
_THETA = re.compile(r"^(theta|θ|th)\b", re.IGNORECASE)
_CM = re.compile(r"cm\s*\^?\{?[-⁻−]\s*[1¹]\}?|1\s*/\s*cm", re.IGNORECASE)

_SIGMA = re.compile(
    r"^(sigma|σ|esd|e\.s\.d\.|s\.?u\.?|err(or)?s?|e|std(dev)?|stdev|fehler|unsicherheit|incertitude|erreur|uncertainty"
    r"|s\.d\.|sig)\b|_(sigma|err|error|std|esd)$|^(sigma|err|error|std)_",
    re.IGNORECASE,
)
_VALUES: tuple[tuple[str, str, str], ...] = (
    ("intensity", "counts/s", r"\bcps\b|counts?\s*/\s*s|counts?\s*per\s*s|cts\s*/\s*s|imp(ulse)?\s*/\s*s|1/s|s-1"),
    ("intensity", "counts", r"\bcounts?\b|\bcts\b|impulse|\bcnts?\b|\bcoups\b|cuentas|カウント|计数"),
    ("reflectance", "", r"r[eé]fle[ckx]|riflett|^%\s*r\b|^r\s*%|反射"),
    ("transmittance", "", r"tran?smi|^%\s*t\b|^t\s*%|透過|透射"),
    ("absorbance", "1", r"absorb|assorban|^abs\b|extinktion|optical density|^o\.?d\.?$|吸光|吸収"),
    ("irradiance", "", r"irradianc|bestrahlungs"),
)  # fmt: skip
_VALUE_PATTERNS = [(what, unit, re.compile(pattern, re.IGNORECASE)) for what, unit, pattern in _VALUES]
_PLAIN_VALUES = re.compile(r"^([xyi]|int|[iy]_?obs|signal|value)$|intens|inten[sz]i|signal", re.IGNORECASE)
_INDEX = re.compile(r"^(|#|no\.?|nr\.?|index|point|pixel|unnamed: 0)$", re.IGNORECASE)


def axis_named(name: str, unit: str = "") -> AxisName | None:
    """Return what the name of a column, and the unit that another row gives, say of an axis; None if it is no axis.

    A name that is only a unit counts too.
    """
    name, unit = name[:LONGEST_NAME].strip().strip("\"'#").strip(), unit[:LONGEST_NAME]
    said = unit.strip(" []()") or _unit_in(name)
    if _THETA.search(name):
        return AxisName(quantity="unknown", unit="deg", assumed=f"{name!r} is not taken as 2theta; say so if it is")
    for quantity, pattern in _PATTERNS:
        if pattern.search(name):
            return _with_unit(quantity, name, said)
    if _CM.search(name):
        return AxisName(quantity="wavenumber", unit="/cm", assumed=f"{name!r} was taken as an absolute wavenumber")
    return None


def value_named(name: str, unit: str = "") -> ValueName:
    """Return what the name of a column, and the unit that another row gives, say of values."""
    name, unit = name[:LONGEST_NAME].strip().strip("\"'#").strip(), unit[:LONGEST_NAME]
    if _SIGMA.search(name):
        return ValueName(is_sigma=True)
    both = f"{name} {unit}"
    for quantity, known, pattern in _VALUE_PATTERNS:
        if pattern.search(name) or (known.startswith("counts") and pattern.search(unit)):
            return ValueName(quantity=quantity, unit=known or ("%" if "%" in both else ""))
    if re.search(r"a\.?\s?u\.?\b|arb|w\.\s?e\.|u\.\s?a\.|norm", both, re.IGNORECASE):
        return ValueName(unit="arbitrary")
    return ValueName(quantity=_plain(name), unit="%" if "%" in both else "")


def says_something(name: str) -> bool:
    """Say whether a word can be the name of a column, and not a word of a title."""
    value = value_named(name)
    return bool(axis_named(name) or value.is_sigma or value.unit or _PLAIN_VALUES.search(name))


def is_index(name: str) -> bool:
    """Say whether the name of a column is that of a running number."""
    return bool(_INDEX.match(name.strip().strip('"')))


def _plain(name: str) -> str:
    """Return a name of values as it stands where it names something other than an intensity."""
    plain = _BRACKETS.sub("", name).strip().lower()
    known = re.search(r"backgr|bkg|unterground|untergrund|calc|diff|resid|weight|dark|reference|^ref\b", plain)
    return plain[:40] if known else "intensity"


def _unit_in(name: str) -> str:
    for pattern in (_BRACKETS, _TAIL):
        for match in pattern.finditer(name):
            if match[1].strip().lower() in _UNITS:
                return match[1].strip()
    if name.lower() in _UNITS:
        return name
    return "cm-1" if _CM.search(name) else ""


def _with_unit(quantity: Quantity, name: str, said: str) -> AxisName | None:
    allowed = _ALLOWED[quantity]
    unit, factor = _UNITS.get(said.lower(), ("", 1.0))
    if unit == "/cm" and quantity == "wavelength":
        return None
    if said == "MeV":
        return None
    if unit in allowed:
        loose = f"{name!r} was taken as 2theta" if _LOOSE.search(name) and "2" not in name else ""
        return AxisName(quantity=quantity, unit=unit, factor=factor, assumed=loose)
    if unit or (said and quantity in ("time", "position", "energy")):
        return None
    if quantity in ("two_theta", "omega", "raman_shift", "mass_to_charge"):
        loose = f"{name!r} was taken as 2theta in degrees" if _LOOSE.search(name) else ""
        return AxisName(quantity=quantity, unit=allowed[0], assumed=loose)
    return AxisName(quantity=quantity, unit=allowed[0], assumed=f"{name!r} names no unit; {allowed[0]} was taken")
