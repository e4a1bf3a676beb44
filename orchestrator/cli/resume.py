"""`labpilot resume DIR`: go on with a campaign that was stopped, killed, or lost its power."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    directory: Annotated[Path, typer.Argument(help="The campaign directory.")],
    json_file: Annotated[Path | None, typer.Option("--json", help="Write the result here; '-' for stdout.")] = None,
    real: Annotated[bool, typer.Option("--real-hardware", help="Allow devices that are not simulated.")] = False,
) -> int:
    """Settle what was open, then go on to the end of the budget."""
    import time

    from rich.console import Console

    from orchestrator.cli.results_file import STDOUT, refuse_unwritable, write_json
    from orchestrator.cli.running import say_how_it_ended
    from orchestrator.execution import resume
    from orchestrator.results import read_result

    refuse_unwritable(json_file)
    console = Console(quiet=json_file == STDOUT)
    began = time.perf_counter()
    ending = resume(directory, is_armed=real)
    if json_file is not None:
        write_json(json_file, read_result(directory, wall_s=time.perf_counter() - began), kept_in=str(directory))
    return say_how_it_ended(console, ending, directory)
