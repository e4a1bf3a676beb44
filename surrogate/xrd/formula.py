"""Chemical formulas: what a CIF says, what the atoms say, and how people write it."""

from __future__ import annotations

import re
from collections.abc import Mapping

import gemmi

from surrogate.xrd.phase import HYDROGEN_ISOTOPES

TOKEN = re.compile(r"([A-Z][a-z]?)(\d*\.?\d*)")


def parse_formula(text: str) -> dict[str, float] | None:
    """Return the amounts in a formula like ``Al2 H4 O9 Si2`` or ``CaCO3``; None where it is written another way."""
    amounts: dict[str, float] = {}
    for word in text.strip().strip("'\"").replace(",", " ").split():
        if TOKEN.sub("", word):
            return None
        for symbol, amount in ((str(match[1]), str(match[2])) for match in TOKEN.finditer(word)):
            element = HYDROGEN_ISOTOPES.get(symbol, symbol)
            if gemmi.Element(element).atomic_number == 0 or amount == ".":
                return None
            amounts[element] = amounts.get(element, 0.0) + float(amount or 1)
    return {element: amount for element, amount in amounts.items() if amount > 0} or None


def write_formula(amounts: Mapping[str, float]) -> str:
    """Return a reduced formula as people write it, the more electropositive element first."""
    from pymatgen.core import Composition, Element

    if all(abs(amount - round(amount)) < 1e-3 for amount in amounts.values()):
        whole = Composition.from_dict({element: round(amount) for element, amount in amounts.items()})
        return whole.reduced_formula.replace("(HO)", "(OH)")
    ordered = sorted(amounts, key=lambda element: (Element(element).X, element))
    return "".join(f"{element}{_amount(amounts[element])}" for element in ordered)


def _amount(value: float) -> str:
    text = f"{value:.3f}".rstrip("0").rstrip(".")
    return "" if text == "1" else text


def largest_difference(stated: Mapping[str, float], found: Mapping[str, float]) -> tuple[str, float]:
    """Return the element whose part of all atoms but hydrogen differs most, and by how much."""
    one, other = _parts(stated), _parts(found)
    differences = {element: abs(one.get(element, 0.0) - other.get(element, 0.0)) for element in one | other}
    return max(differences.items(), key=lambda item: item[1], default=("H", 0.0))


def _parts(amounts: Mapping[str, float]) -> dict[str, float]:
    heavy = {element: amount for element, amount in amounts.items() if element not in ("H", "D", "T")}
    total = sum(heavy.values())
    return {element: amount / total for element, amount in heavy.items()}
