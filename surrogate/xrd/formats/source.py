"""X-ray tubes as headers describe them: lines, their ratio, and whether the anode fits them.

K-alpha 1 and 2 of the anodes: Bearden, Rev. Mod. Phys. 39, 78 (1967), doi:10.1103/RevModPhys.39.78, in angstrom; only
used to notice a header that cannot be right.
"""

from __future__ import annotations

from dataclasses import dataclass

from surrogate.formats.record import Fact, Radiation

K_ALPHA_1 = {
    "Ag": 0.5594, "Co": 1.7890, "Cr": 2.2897, "Cu": 1.5406, "Fe": 1.9360, "Ga": 1.3401, "Mn": 2.1018, "Mo": 0.7093,
    "Ni": 1.6579, "W": 0.2090,
}  # fmt: skip
USUAL_RATIO = 0.5
"""Of K-alpha 2 to K-alpha 1: their levels hold two and four electrons."""
K_ALPHA_2 = {
    "Ag": 0.5638, "Co": 1.7928, "Cr": 2.2936, "Cu": 1.5444, "Fe": 1.9400, "Ga": 1.3440, "Mn": 2.1058, "Mo": 0.7136,
    "Ni": 1.6617, "W": 0.2138,
}  # fmt: skip
LARGEST_MISFIT = 5e-4
"""Relative. Tables differ by less than half of it, and a cell is as wrong as the wavelength."""
PLAUSIBLE_ANGSTROM = (0.05, 10.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tube:
    """What a header says of a tube; None or empty where it says nothing."""

    anode: str = ""
    alpha_1: float | None = None
    alpha_2: float | None = None
    beta: float | None = None
    ratio: float | None = None

    def radiation(self) -> Radiation | None:
        """Return the lines: K-alpha 1 and, where its share is not zero, K-alpha 2.

        K-beta is a fact and no line of the radiation: no header says how much of it a filter let pass.
        """
        if not _plausible(self.alpha_1):
            return None
        lines, shares = [float(self.alpha_1 or 0.0)], [1.0]
        share = USUAL_RATIO if self.ratio is None else self.ratio
        if _plausible(self.alpha_2) and share > 0.0 and self.alpha_2 != self.alpha_1:
            lines.append(float(self.alpha_2 or 0.0))
            shares.append(share)
        return Radiation(wavelength_angstrom=tuple(lines), ratio=tuple(shares), anode=self.anode)

    def facts(self) -> dict[str, Fact]:
        """Return the anode and K-beta, as far as they are known."""
        found: dict[str, Fact] = {}
        if self.anode:
            found["anode"] = self.anode
        if self.beta:
            found["k_beta_angstrom"] = self.beta
        return found

    def warnings(self) -> list[str]:
        """Say what was assumed and what cannot be right."""
        if not _plausible(self.alpha_1):
            given = "no wavelength" if not self.alpha_1 else f"the wavelength {self.alpha_1:g} Ao"
            return [f"the header gives {given}: the radiation is not known"]
        found = []
        if _plausible(self.alpha_2) and self.ratio is None:
            found.append(f"the header gives K-alpha 2 without its ratio; {USUAL_RATIO} is assumed")
        return [*found, *filter(None, [misfit(self.anode, float(self.alpha_1 or 0.0))])]


def misfit(anode: str, wavelength_angstrom: float) -> str:
    """Say that a wavelength is neither K-alpha 1 of the anode nor the mean of its lines.

    It is empty where the wavelength is one of these, and where the anode is not known.
    """
    known = K_ALPHA_1.get(anode.strip().capitalize())
    if not known:
        return ""
    name = anode.strip().capitalize()
    mean = (2.0 * known + K_ALPHA_2[name]) / 3.0
    if any(abs(wavelength_angstrom - one) <= LARGEST_MISFIT * one for one in (known, mean)):
        return ""
    return f"the header gives {wavelength_angstrom:g} Ao, and K-alpha 1 of {name} is {known:g} Ao"


def _plausible(wavelength_angstrom: float | None) -> bool:
    return wavelength_angstrom is not None and PLAUSIBLE_ANGSTROM[0] < wavelength_angstrom < PLAUSIBLE_ANGSTROM[1]
