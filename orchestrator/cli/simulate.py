"""`labpilot simulate CAMPAIGN`: months of laboratory time in minutes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from orchestrator.cli.policies import HELP as POLICY_HELP

OUT_HELP = "Keep the campaign directory (one for each seed) here; with --workers or --cluster, the results."
CLUSTER_HELP = (
    "Spread the seeds over the workers of a Dask scheduler: tls://HOST:8786, or tcp://127.0.0.1:8786 on this machine. "
    "TLS takes the three files below, or LABPILOT_CLUSTER_CA, _CERT and _KEY."
)


def command(
    campaign: Annotated[Path, typer.Argument(help="The campaign file.")],
    lab: Annotated[Path | None, typer.Option(help="Another lab file than the campaign names.")] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Another seed; repeats count up from it.")] = None,
    repeat: Annotated[int, typer.Option(min=1, help="How many seeds.")] = 1,
    planner: Annotated[str | None, typer.Option(help=POLICY_HELP)] = None,
    overrides: Annotated[list[str] | None, typer.Option("--set", help="key=value; may be repeated.")] = None,
    faults: Annotated[Path | None, typer.Option(help="A file with rates of what goes wrong.")] = None,
    trials: Annotated[int | None, typer.Option(min=1, help="Another budget of trials.")] = None,
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write results here; '-' for stdout.")] = None,
    fsync: Annotated[bool, typer.Option("--fsync", help="Survive a power cut as well, as `run` does; slower.")] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="So many seeds at once, each in a process.")] = None,
    cluster: Annotated[str | None, typer.Option(metavar="ADDRESS", help=CLUSTER_HELP)] = None,
    cluster_ca: Annotated[Path | None, typer.Option(help="TLS: the authority's certificate, PEM.")] = None,
    cluster_cert: Annotated[Path | None, typer.Option(help="TLS: this machine's certificate, PEM.")] = None,
    cluster_key: Annotated[Path | None, typer.Option(help="TLS: its private key, PEM.")] = None,
) -> int:
    """Run a campaign in virtual time: the same drivers and the same bytes, against simulated instruments.

    Ctrl-C stops after the current step, and ends a series; what there is until then is written.

    With --workers or --cluster each result is kept in a file as it comes, in series/NAME or below --out, and what is
    kept is not made again.
    """
    from orchestrator.cli.results_file import STDOUT, refuse_unwritable, write_json
    from orchestrator.cli.simulating import freed, simulate_all, told
    from orchestrator.errors import InputError
    from orchestrator.fault_profile import read_profile

    refuse_unwritable(json_file)
    profile = None if faults is None else read_profile(faults)
    rates = () if profile is None else profile.overrides
    given = [*freed(campaign, planner), *rates, *(overrides or [])]
    task: dict[str, Any] = {
        "lab": lab,
        "overrides": [*given, *told(seed=seed, planner=planner, trials=trials)],
        "provenance": {} if profile is None else profile.provenance,
        "repeat": repeat,
        "out": out,
        "is_quiet": json_file == STDOUT,
    }
    files = {"ca": cluster_ca, "cert": cluster_cert, "key": cluster_key}
    if workers is None and cluster is None and not any(files.values()):
        series = simulate_all(campaign, fsync=fsync, **task)
    else:
        from orchestrator.cli.spreading import spread_all, spreading

        if fsync:
            raise InputError(
                "--fsync is for campaign directories, of which --workers and --cluster keep none; leave it out"
            )
        series = spread_all(campaign, over=spreading(cluster, workers, files), **task)
    if json_file is not None and series.results:
        value = series.results if repeat > 1 else series.results[0]
        write_json(json_file, value, kept_in="" if out is None else str(out))
    return series.exit_code
