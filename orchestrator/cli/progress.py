"""The live display of a campaign: where it stands, what it does now, how the two times pass."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from orchestrator.campaign import Campaign
from orchestrator.fidelities import counting
from orchestrator.loop import Progress
from orchestrator.plan import Act
from orchestrator.stopping import best_trial
from orchestrator.words import duration

REFRESH_S = 0.1


class LiveProgress:
    """Shows the progress of one campaign while it runs; one line per finished trial where there is no terminal."""

    def __init__(self, console: Console, campaign: Campaign) -> None:
        self._console = console
        self._campaign = campaign
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._began = time.perf_counter()
        self._shown = 0.0
        self._progress: Progress | None = None
        self._doing = ""
        self._position = ""
        self._trial = 0

    def __enter__(self) -> LiveProgress:
        """Begin to show."""
        if self._console.is_terminal and not self._console.quiet:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End the display."""
        self._live.stop()

    def update(self, progress: Progress) -> None:
        """Take note of a trial that ended or of new proposals."""
        self._progress = progress
        self._draw()

    def step(self, trial: int, act: Act) -> None:
        """Take note of what is being done."""
        self._trial, self._doing = trial, act.label
        if act.command == "move":
            self._position = act.label.removeprefix("to ")
        self._draw()

    def _draw(self) -> None:
        now = time.perf_counter()
        if not self._live.is_started or now - self._shown < REFRESH_S:
            return
        self._shown = now
        self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table.grid(padding=(0, 2))
        for name, value in self._rows().items():
            table.add_row(f"[bold]{name}[/bold]", value)
        return table

    def _rows(self) -> dict[str, str]:
        progress = self._progress
        rows = {"campaign": self._campaign.name}
        if progress is not None:
            ended = [trial for trial in progress.trials if trial.outcome is not None]
            rows["trials"] = f"{len(ended)} of {self._campaign.budget.trials}"
            rows["sample"] = self._sample(progress)
        if self._position:
            rows["position"] = self._position
        rows["now"] = self._doing
        if progress is not None:
            rows["best so far"] = self._best(progress)
            uncertainty = progress.diagnostics.get("map_uncertainty")
            if uncertainty is not None:
                rows["map uncertainty"] = f"{uncertainty:.4g}"
            rows["laboratory time"] = duration(progress.now_s)
        rows["real time"] = duration(round(time.perf_counter() - self._began))
        return rows

    def _sample(self, progress: Progress) -> str:
        """Return the trial at work and the first of its parameters, as "4: peak_temperature 700 degC, ..."."""
        found = [trial for trial in progress.trials if trial.number == self._trial]
        return f"{self._trial}: {self._point(found[0].parameters)}" if found else "-"

    def _point(self, parameters: Mapping[str, Any]) -> str:
        units = self._campaign.units
        return ", ".join(f"{name} {_quantity(value, units[name])}" for name, value in list(parameters.items())[:3])

    def _best(self, progress: Progress) -> str:
        objective = self._campaign.leading
        counted = counting(self._campaign.parameters, progress.trials)
        best = best_trial(counted, self._campaign.objectives)
        if best is None:
            return "-"
        value = _quantity(best.values[objective.name], objective.unit)
        return f"{objective.name} {value} at {self._point(best.parameters)}"


def _quantity(value: Any, unit: str) -> str:
    text = f"{value:.4g}" if isinstance(value, float) else str(value)
    return text if unit == "1" else f"{text} {unit}"
