"""`labpilot energies ELEMENTS --out FILE`: energies of phases from the Materials Project, for planners of reactions."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from orchestrator.errors import InputError, LabRefused, StorageError

if TYPE_CHECKING:
    from surrogate.reactions.substances import Table


def command(
    elements: Annotated[str, typer.Argument(help="Elements that stay in a powder, as in Ba,Ti; O, C and H are added.")],
    out: Annotated[Path, typer.Option(help="The file, JSON; one that is there is not fetched again.")],
    above_hull: Annotated[
        float, typer.Option(min=0.0, help="Leave out phases less stable than this, eV per atom.")
    ] = 0.05,
) -> None:
    """Fetch the energies of all phases of some elements from the Materials Project, once, with your key in MP_API_KEY.

    A campaign names the file as planner.options.table (docs/planner.md, Reactions); its hash goes into the journal.
    """
    from orchestrator.tables import digest_of
    from surrogate.reactions.errors import NotFetched, ReactionError
    from surrogate.reactions.materials_project import fetch_table

    was_there = out.exists()
    try:
        table = fetch_table(elements.split(","), out, most_above_hull_ev=above_hull)
    except NotFetched as error:
        raise LabRefused(str(error)) from error
    except ReactionError as error:
        raise InputError(str(error)) from error
    except OSError as error:
        raise StorageError(f"{out} cannot be written: {error}") from error
    _print(table)
    print(f"{len(table.phases)} phases {'were already' if was_there else 'are now'} in {out}")
    print(f"SHA-256 {digest_of(out)}")


def _print(table: Table) -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table as Grid

    grid = Grid("phase", "kJ/mol", "J/(mol K)", "from", box=box.SIMPLE_HEAD)
    for one in table.phases.values():
        grid.add_row(one.name, f"{one.enthalpy_kj_mol:.1f}", f"{one.entropy_j_mol_k:.1f}", one.source)
    Console().print(grid)
