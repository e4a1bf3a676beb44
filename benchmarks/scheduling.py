"""Hold schedules against their lower bounds, and time the dispatcher: `python benchmarks/scheduling.py`.

The real scheduler (board, dispatcher, journeys, firings) in virtual time, with acts that only take their time. Labs:
the powder laboratory (two arms that meet at a bridge, four furnaces of eight), a small one (one arm, two furnaces of
two), and one whose arm is the bottleneck (short firings). The bound is the largest, over robots, devices and furnaces,
of the shortest way to it, the work on it, and the shortest way on from it; furnaces count the runs that the programs
need at least. Beside the rule: the same with runs planned by the optimiser where its plan beats the rule's (its search
is limited by work done and not by time, so that a seed has one outcome), and without waiting to fill furnaces.
"""

from __future__ import annotations

import argparse
import math
import time
from collections import Counter
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any

import numpy as np

from drivers.clock import VirtualClock, VirtualLoop, run_virtual
from orchestrator.advice import Advisor
from orchestrator.events import Event
from orchestrator.journey import Doubt, Whereabouts
from orchestrator.journeys import Journeys
from orchestrator.outcomes import Done, StopSwitch
from orchestrator.plan import Act, Firing, Furnace, Plan, Visit, Way
from orchestrator.scheduling.board import Board
from orchestrator.scheduling.dispatcher import Dispatcher
from orchestrator.scheduling.layout import Layout, Station
from orchestrator.scheduling.names import board_names
from orchestrator.scheduling.optimising import Course, Optimiser

DOOR_S = 10.0
MINUTE_S = 60.0
LIMIT_S = 0.2
"""Of the optimiser's search for one plan, as campaigns have it."""


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A laboratory on paper."""

    name: str
    homes: int
    furnaces: int
    capacity: int
    arms: int
    move_s: float
    dose_s: float
    mill_s: float
    grind_s: float
    scan_s: float
    programs_s: tuple[float, ...]


LABS = (
    Lab(
        name="powder",
        homes=64,
        furnaces=4,
        capacity=8,
        arms=2,
        move_s=25.0,
        dose_s=150.0,
        mill_s=600.0,
        grind_s=300.0,
        scan_s=520.0,
        programs_s=(9 * 3600.0, 11 * 3600.0, 14 * 3600.0),
    ),
    Lab(
        name="small",
        homes=8,
        furnaces=2,
        capacity=2,
        arms=1,
        move_s=40.0,
        dose_s=180.0,
        mill_s=300.0,
        grind_s=300.0,
        scan_s=900.0,
        programs_s=(3 * 3600.0, 5 * 3600.0),
    ),
    Lab(
        name="arm-bound",
        homes=32,
        furnaces=4,
        capacity=8,
        arms=1,
        move_s=120.0,
        dose_s=60.0,
        mill_s=60.0,
        grind_s=60.0,
        scan_s=120.0,
        programs_s=(1.0 * 3600.0, 1.5 * 3600.0),
    ),
)
LOADS = (24, 64, 160)


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    names = (
        "lab",
        "samples",
        "bound, h",
        "what binds",
        "rule / bound",
        "optimiser / bound",
        "optimiser / rule",
        "without waiting / bound",
        "runs",
        "runs of the optimiser",
        "plans followed",
        "a plan, ms",
    )
    print("| " + " | ".join(names) + " |")
    print("|" + "---|" * len(names))
    for lab in LABS:
        for n in LOADS:
            _row(lab, n, range(arguments.seeds))
    print("\n| samples in flight | dispatches | median, ms | p99, ms | largest, ms |")
    print("|---|---|---|---|---|")
    for n in (25, 50, 100, 200):
        _dispatch_row(n)


def _row(lab: Lab, n: int, seeds: range) -> None:
    rule, planned, plain = [], [], []
    binds, bound_s = "", 0.0
    for seed in seeds:
        choice = np.random.default_rng([seed, n]).integers(len(lab.programs_s), size=n)
        bound_s, binds = _bound(lab, choice)
        rule.append((_simulated(lab, choice), bound_s))
        planned.append((_simulated(lab, choice, limit_s=LIMIT_S), bound_s))
        plain.append((_simulated(lab, choice, longest_wait_s=0.0), bound_s))
    courses = [course for made, _ in planned for course in made.courses]
    gains = [ours.makespan_s / theirs.makespan_s for (ours, _), (theirs, _) in zip(planned, rule, strict=True)]
    cells = (
        lab.name,
        n,
        f"{bound_s / 3600.0:.1f}",
        binds,
        *(f"{np.median([made.makespan_s / least_s for made, least_s in of]):.2f}" for of in (rule, planned)),
        f"{np.median(gains):.2f} ({min(gains):.2f} to {max(gains):.2f})",
        f"{np.median([made.makespan_s / least_s for made, least_s in plain]):.2f}",
        *(f"{np.median([made.n_runs for made, _ in of]):.0f}" for of in (rule, planned)),
        f"{np.mean([course.is_better for course in courses]):.0%} of {len(courses)}",
        f"{1e3 * np.median([course.took_s for course in courses]):.0f}",
    )
    print("| " + " | ".join(map(str, cells)) + " |", flush=True)


def _bound(lab: Lab, choice: np.ndarray) -> tuple[float, str]:
    """Return the lower bound of the makespan, and what it comes from."""
    n, move_s = len(choice), lab.move_s
    counts = Counter(choice.tolist())
    runs_s = sum(
        math.ceil(count / lab.capacity) * (lab.programs_s[program] + 4 * DOOR_S) for program, count in counts.items()
    )
    over_s = move_s if lab.arms == 1 else 2 * move_s  # with two arms, twice over the bridge
    shortest_s = min(lab.programs_s[program] for program in counts) + 4 * DOOR_S
    # magazine, dosing, mill, furnace, grinder, diffractometer, chute: (move there, work of one sample, work of all)
    stages = {
        "dosing": (move_s, lab.dose_s, n * lab.dose_s),
        "mill": (move_s, lab.mill_s, n * lab.mill_s),
        "furnaces": (over_s, shortest_s, runs_s / lab.furnaces),
        "grinder": (move_s, lab.grind_s, n * lab.grind_s),
        "xrd": (move_s, lab.scan_s, n * lab.scan_s),
    }
    names = list(stages)
    bounds = {}
    for place, name in enumerate(names):
        head_s = sum(stages[one][0] + stages[one][1] for one in names[:place]) + stages[name][0]
        tail_s = sum(stages[one][0] + stages[one][1] for one in names[place + 1 :]) + over_s
        bounds[name] = head_s + stages[name][2] + tail_s
    legs = {"arm-1": 6} if lab.arms == 1 else {"arm-1": 4, "arm-2": 4}
    bounds |= {robot: n * count * move_s for robot, count in legs.items()}
    longest_s = max(lab.programs_s[program] for program in counts) - shortest_s
    bounds["one sample"] = sum(move + work for move, work, _ in stages.values()) + longest_s + over_s
    binds = max(bounds, key=lambda name: bounds[name])
    return bounds[binds], binds


# --- a laboratory on paper ---------------------------------------------------------------------------------------


@dataclass
class _PaperJournal:
    clock: Any
    seq: int = 0
    kinds: Counter[str] = field(default_factory=Counter)

    def append(self, kind: str, body: Any, *, trial: int | None = None, **_: Any) -> Event:
        self.seq += 1
        self.kinds[kind] += 1
        return Event(seq=self.seq, kind=kind, at_s=self.clock.now_s(), utc="", body=body, trial=trial)


@dataclass
class _PaperRunner:
    """Does nothing, and takes the time that it would take."""

    lab: Lab
    clock: Any
    journal: _PaperJournal
    stop: StopSwitch = field(default_factory=StopSwitch)
    past: dict[str, Any] = field(default_factory=dict)
    laboratory: Any = None
    _doors: dict[str, str] = field(default_factory=dict)
    _ends_s: dict[str, float] = field(default_factory=dict)

    async def act(self, trial: int, act: Act, *, batch: str = "") -> Done:
        if act.command == "run_profile":
            self._ends_s[act.device] = self.clock.now_s() + act.arguments["segments"][0]["hold_s"]
            return Done(result={})
        if act.command in ("open_door", "close_door"):
            self._doors[act.device] = {"open_door": "open", "close_door": "closed"}[act.command]
        await self.clock.sleep(self._lasts_s(act))
        return Done(result={})

    def _lasts_s(self, act: Act) -> float:
        named = {"transfer": self.lab.move_s, "open_door": DOOR_S, "close_door": DOOR_S}
        return named[act.command] if act.command in named else float(act.arguments["lasts_s"])

    async def read(self, device: str, name: str) -> Any:
        left_s = max(0.0, self._ends_s.get(device, 0.0) - self.clock.now_s())
        answers = {
            "door_state": self._doors.get(device, "closed"),
            "program_state": "run" if left_s else "complete",
            "remaining_s": left_s,
            "read_temperature": 25.0,
        }
        return answers[name]

    def forget(self, owner: str) -> None:
        return None


@dataclass(frozen=True, kw_only=True)
class _Made:
    makespan_s: float
    n_runs: int
    served_ms: list[float]
    courses: list[Course]


def _simulated(
    lab: Lab, choice: np.ndarray, *, longest_wait_s: float | None = None, limit_s: float | None = None
) -> _Made:
    loop = VirtualLoop()
    clock = VirtualClock(loop)
    layout, furnaces = _layout(lab)
    devices = [*layout.reach, "doser", "mill", "grinder", "camera"]
    devices += [name for furnace in furnaces.values() for name in furnace.devices]
    journal = _PaperJournal(clock)
    dispatcher = _Timed(Board(board_names(layout, dict.fromkeys(devices, 1))), clock)
    runner = _PaperRunner(lab, clock, journal, laboratory=SimpleNamespace(stations={}))
    kinds: Any = {"runner": runner, "journal": journal}
    where = Whereabouts()
    courses: list[Course] = []
    advisor = None if limit_s is None else _advisor(limit_s, courses)

    async def all_of_them() -> float:
        import asyncio

        journeys = Journeys(
            layout=layout,
            dispatcher=dispatcher,
            clock=clock,
            where=where,
            furnaces=furnaces,
            attendant=_Nobody(),
            advisor=advisor,
            **kinds,
        )
        plans = [_plan(lab, furnaces, int(program), longest_wait_s) for program in choice]
        async with asyncio.TaskGroup() as group:
            for number, plan in enumerate(plans, start=1):
                group.create_task(journeys.run(number, plan))
        end_s = clock.now_s()
        await journeys.firings.drained()
        await journeys.close()
        return end_s

    makespan_s = run_virtual(all_of_them(), loop=loop)
    return _Made(
        makespan_s=makespan_s,
        n_runs=journal.kinds["batch_formed"],
        served_ms=dispatcher.served_ms,
        courses=courses,
    )


def _advisor(limit_s: float, courses: list[Course]) -> Advisor:
    def broken(text: str) -> None:
        raise RuntimeError(text)

    optimiser = Optimiser(limit_s=limit_s, is_timed=False)
    return Advisor(optimiser=optimiser, report=broken, on_course=courses.append)


class _Nobody:
    """Is never asked: nothing goes wrong on paper."""

    async def see_to(self, doubt: Doubt) -> str:
        raise RuntimeError(f"{doubt.text}, though nothing can go wrong here")


class _Timed(Dispatcher):
    """A dispatcher that notes how long it takes."""

    def __init__(self, board: Board, clock: Any) -> None:
        super().__init__(board, clock)
        self.served_ms: list[float] = []

    def serve(self) -> None:
        began_s = time.perf_counter()
        super().serve()
        self.served_ms.append(1e3 * (time.perf_counter() - began_s))


def _layout(lab: Lab) -> tuple[Layout, dict[str, Furnace]]:
    homes = tuple(f"home-{number}" for number in range(1, lab.homes + 1))
    slots = {
        f"box-{box}": tuple(f"box-{box}-{slot}" for slot in range(1, lab.capacity + 1))
        for box in range(1, lab.furnaces + 1)
    }
    inside = tuple(place for places in slots.values() for place in places)
    near, far = (*homes, "magazine", "scale", "mill", "chute"), (*inside, "grinder", "desk-1", "desk-2")
    reach = {"arm-1": (*near, *far)} if lab.arms == 1 else {"arm-1": (*near, "bridge"), "arm-2": (*far, "bridge")}
    stations = {
        "dosing": Station(places=("scale",), devices=("doser",)),
        "mill": Station(places=("mill",), devices=("mill",)),
        "grinder": Station(places=("grinder",), devices=("grinder",)),
        "xrd": Station(places=("desk-1", "desk-2"), devices=("camera",)),
    }
    furnaces = {
        name: Furnace(
            station=name,
            places=places,
            heater=name,
            door=f"{name}-door",
            devices=frozenset({name, f"{name}-door"}),
        )
        for name, places in slots.items()
    }
    stations |= {
        name: Station(places=furnace.places, devices=tuple(sorted(furnace.devices)))
        for name, furnace in furnaces.items()
    }
    layout = Layout(homes=homes, magazine="magazine", chute="chute", reach=reach, stations=stations)
    return layout, furnaces


def _plan(lab: Lab, furnaces: dict[str, Furnace], program: int, longest_wait_s: float | None) -> Plan:
    firing = Firing(
        path="2",
        label="fire",
        key=str(program),
        furnaces=tuple(furnaces.values()),
        segments=({"target_c": 900.0, "rate_k_per_min": 10.0, "hold_s": lab.programs_s[program]},),
        unload_below_c=100.0,
        work_s=lab.programs_s[program],
        longest_wait_s=longest_wait_s,
    )
    nodes = (
        _visit("0", "dosing", ("scale",), "doser", lab.dose_s),
        _visit("1", "mill", ("mill",), "mill", lab.mill_s),
        firing,
        _visit("3", "grinder", ("grinder",), "grinder", lab.grind_s),
        _visit("4", "xrd", ("desk-1", "desk-2"), "camera", lab.scan_s),
    )
    return Plan(nodes=nodes, devices=())


def _visit(path: str, station: str, places: tuple[str, ...], device: str, lasts_s: float) -> Visit:
    act = Act(path=f"{path}.0", label=station, device=device, command="work", arguments={"lasts_s": lasts_s})
    ways = tuple(Way(station=station, place=place, acts=(act,)) for place in places)
    return Visit(path=path, label=station, ways=ways, work_s=lasts_s)


def _dispatch_row(n: int) -> None:
    lab = replace(LABS[0], homes=n)
    choice = np.random.default_rng(n).integers(len(lab.programs_s), size=2 * n)
    made = _simulated(lab, choice, longest_wait_s=None)
    median, high, largest = np.quantile(made.served_ms, [0.5, 0.99, 1.0])
    print(f"| {n} | {len(made.served_ms)} | {median:.3f} | {high:.2f} | {largest:.1f} |", flush=True)


if __name__ == "__main__":
    main()
