"""`labpilot metrics DIR`: a campaign's numbers for Prometheus."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer


def command(
    directory: Annotated[Path, typer.Argument(help="The campaign directory.")],
    port: Annotated[
        int | None,
        typer.Option("--serve", min=0, max=65535, help="Answer on this port of 127.0.0.1 until Ctrl-C; 0: a free one."),
    ] = None,
) -> None:
    """Print a campaign's numbers in the text format of Prometheus once, or serve them (docs/metrics.md)."""
    if port is None:
        from orchestrator.metrics import exposition
        from orchestrator.status.looks import Looks

        looks = Looks(directory)
        print(exposition(looks.look(), looks.findings), end="")
        return
    from orchestrator.cli.serving import HOST, open_server

    with open_server(directory, port) as server:
        print(
            f"http://{HOST}:{server.server_port}/metrics; Ctrl-C ends it, not the campaign", file=sys.stderr, flush=True
        )
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            return
