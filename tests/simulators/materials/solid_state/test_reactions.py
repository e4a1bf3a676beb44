"""The network of reactions: each keeps every element, and the known ones are found."""

import pytest

from simulators.materials.solid_state.facts import table
from simulators.materials.solid_state.reactions import balance, losses, network

EVERY = [
    *(reaction for reactions in network().values() for reaction in reactions),
    *(reaction for ways in losses().values() for _, reaction in ways),
]


@pytest.mark.parametrize("reaction", EVERY, ids=str)
def test_every_reaction_keeps_every_element(reaction):
    left: dict[str, int] = {}
    for name, n in reaction.coefficients.items():
        assert isinstance(n, int) and n != 0
        for element, atoms in table()[name].elements:
            left[element] = left.get(element, 0) + n * atoms
    assert set(left.values()) == {0}


@pytest.mark.parametrize(
    ("key", "written"),
    [
        ("anatase + witherite", "anatase + witherite -> BaTiO3-tetragonal + CO2"),
        ("alpha-Bi2O3 + rutile", "3 rutile + 2 alpha-Bi2O3 -> Bi4Ti3O12"),
        ("Co3O4 + zabuyelite", "6 zabuyelite + 4 Co3O4 + O2 -> 12 LiCoO2 + 6 CO2"),
        ("portlandite", "portlandite -> lime + H2O"),
        ("macedonite + witherite", "witherite + macedonite -> BaTiO3-tetragonal + massicot + CO2"),
    ],
)
def test_known_reactions_are_found(key, written):
    assert written in {str(reaction) for reaction in network()[key]}


@pytest.mark.parametrize(
    ("phase", "written"),
    [
        ("massicot", "massicot -> PbO vapour"),
        ("zabuyelite", "zabuyelite -> Li2O vapour + CO2"),
        ("macedonite", "macedonite -> rutile + PbO vapour"),
    ],
)
def test_known_losses_are_found(phase, written):
    assert written in {str(reaction) for _, reaction in losses()[phase]}


def test_what_cannot_react_is_not_there():
    assert "BaO + lime" not in network()
    assert "rutile" not in losses()


def test_what_does_not_balance_is_refused():
    phases = table().phases
    assert balance((phases["lime"],), (phases["rutile"],), ()) is None
    assert balance((phases["lime"], phases["rutile"]), (phases["lime"],), ()) is None
