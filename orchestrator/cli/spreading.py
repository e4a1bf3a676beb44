"""`labpilot simulate --cluster ADDRESS` and `--workers N`: a series spread over machines or processes, and told of."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from orchestrator.check import check_campaign
from orchestrator.cli.simulating import Series
from orchestrator.cli.spread_telling import Teller
from orchestrator.errors import CampaignFaulted, InputError
from orchestrator.interrupts import SIGNALS
from orchestrator.series.keeping import Shelf
from orchestrator.series.parcels import Parcel, packed_up, refuse_drivers
from orchestrator.series.spreading import AllAlike, Spreadable
from orchestrator.series.spreading import Series as Spread
from orchestrator.series.work import PRELOADED
from orchestrator.words import plural
from surrogate.compute import ProcessPool
from surrogate.compute.cluster import ClusterAddress, ClusterError, connected
from surrogate.compute.cluster.likeness import likeness

FOLDER = Path("series")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spreading:
    """Over what a series is spread: one of the two is given."""

    cluster: ClusterAddress | None = None
    workers: int | None = None


def spreading(cluster: str | None, workers: int | None, files: Mapping[str, Path | None]) -> Spreading:
    """Return over what the command line spreads a series.

    files: of TLS, by `ca`, `cert` and `key`.

    Raises:
        InputError: The options contradict each other, or the address is not safe.
    """
    if cluster is not None and workers is not None:
        raise InputError("give --cluster or --workers, not both; what a cluster has is up to its workers")
    if cluster is None:
        given = [f"--cluster-{name}" for name, path in files.items() if path is not None]
        if given:
            raise InputError(f"{given[0]} is of no use without --cluster tls://HOST:PORT")
        return Spreading(workers=workers)
    named = {name: None if path is None else str(path) for name, path in files.items()}
    try:
        return Spreading(cluster=ClusterAddress.of(cluster, named, os.environ))
    except ClusterError as error:
        raise InputError(str(error)) from error


def spread_all(
    campaign: Path,
    *,
    over: Spreading,
    lab: Path | None,
    overrides: Sequence[str],
    repeat: int,
    out: Path | None,
    is_quiet: bool,
    provenance: Mapping[str, Any],
) -> Series:
    """Simulate a campaign with several seeds at once; what is made already is not made again.

    Raises:
        InputError: Something is wrong with the files or with the cluster; nothing was started.
        StorageError: A result cannot be kept.
        KeyboardInterrupt: It was interrupted before there was any result.
    """
    console = Console(quiet=is_quiet)
    ready = check_campaign(campaign, lab, overrides).require()
    if over.cluster is not None:
        refuse_drivers(ready.lab)
    parcel = packed_up(ready.campaign, ready.lab)
    name = re.sub(r"[^\w.-]+", "-", ready.campaign.name) or "campaign"
    shelf = Shelf.of(out or FOLDER / name, parcel, versions=likeness(), provenance=provenance)
    first = ready.campaign.seed
    teller = Teller(console=console, ready=ready, shelf=shelf, seeds=range(first, first + repeat))
    missing = teller.begun()
    if missing:
        with teller.shown():
            _run(teller, missing, over, parcel, provenance)
    return teller.series()


def _run(
    teller: Teller, missing: Sequence[int], over: Spreading, parcel: Parcel, provenance: Mapping[str, Any]
) -> None:
    async def run() -> None:
        _hear_signals()
        async with _pool(over, teller) as pool:
            teller.shelf.opened()
            await Spread(parcel=parcel, provenance=provenance, pool=pool, watcher=teller).run(missing)

    try:
        asyncio.run(run())
    except (KeyboardInterrupt, asyncio.CancelledError):
        teller.interrupted()
    except AllAlike as error:
        raise CampaignFaulted(str(error)) from error
    except ClusterError as error:
        if not teller.is_joined:
            raise InputError(str(error)) from error
        teller.broken(str(error))


def _hear_signals() -> None:
    """Let SIGTERM and a terminal that goes away mean what Ctrl-C does; who was told to ignore one does."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    for number in SIGNALS:
        if task is not None and signal.getsignal(number) != signal.SIG_IGN:
            loop.add_signal_handler(number, task.cancel)


@asynccontextmanager
async def _pool(over: Spreading, teller: Teller) -> AsyncIterator[Spreadable]:
    if over.cluster is None:
        teller.joined(plural(over.workers or 1, "process", "processes"))
        yield ProcessPool(workers=over.workers or 1, threads=1, gpu=False, preload=PRELOADED)
        return
    address = over.cluster

    def waiting() -> None:
        teller.say(f"{address.url} has no workers yet; waiting for them")

    async with connected(address, waiting=waiting, threads=1, preload=PRELOADED) as pool:
        teller.joined(f"the cluster {address.url}")
        yield pool
