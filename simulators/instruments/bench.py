r"""A robot that does whole experiments, on the wire: one JSON object per line, ended by ``\n``.

    {"do": "identify"}                                  -> {"maker", "model", "serial", "firmware"[, "provenance"]}
    {"do": "start", "tag": "t1", "parameters": {...}}   -> {"ok": true, "ready_s": 3600.0}
    {"do": "result", "tag": "t1"}                       -> {"state", "values", "reason", "remaining_s"}
    anything that it cannot do                          -> {"ok": false, "error": "a sentence"}

A tag names one experiment for good: starting it again changes nothing and gets the same answer, so a controller that
does not know whether its command arrived may send it once more. What happens in the experiment is a `BenchModel`'s
business; here are the places, the clock and the memory.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, NoReturn, Protocol

from drivers.links.framing import Line
from simulators.instruments.base import FramedInstrument, Now
from simulators.world import WorldFile

Value = float | int | str
State = Literal["done", "failed", "lost"]

MAX_TAG_CHARACTERS = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How one experiment ends; decided when it starts, told when its time is over."""

    state: State
    duration_s: float
    """Time on a place of its own, beside the other experiments."""
    analysis_s: float = 0.0
    """Time afterwards on the one analyser that all places share, first come first served."""
    values: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    """Why there are no values; the recipe's fault (`failed`) or the robot's (`lost`)."""


class BenchModel(Protocol):
    """What the robot does with a recipe."""

    identity: Mapping[str, str]
    """maker, model, serial, firmware."""
    provenance: Mapping[str, Any]
    """Where the answers come from, told with the identity; empty for closed-form physics."""
    capacity: int
    """Experiments at a time."""

    def refusal(self, parameters: Mapping[str, Value]) -> str | None:
        """Say in a sentence why these parameters cannot be run, or None where they can."""
        ...

    def run(self, parameters: Mapping[str, Value], *, tag: str, started_s: float) -> Outcome:
        """Decide the outcome of an experiment that starts now; equal arguments give an equal outcome."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """One experiment, as the world's file keeps it."""

    parameters: Mapping[str, Value]
    started_s: float
    ready_s: float
    ends_s: float
    analysis_s: float
    state: State
    values: Mapping[str, float]
    reason: str


class _Refused(Exception):
    """The request cannot be done; the message is the answer."""


class BenchInstrument(FramedInstrument):
    """The wire side of a `BenchModel`.

    Runs, with their end times, are in the world's file before the answer goes out, and are taken up again from there.
    """

    def __init__(self, model: BenchModel, *, name: str, state: WorldFile, clock: Now) -> None:
        super().__init__(Line(), state=state, clock=clock)
        self._model = model
        self._prefix = f"{name}/run/"
        self._runs = {key.removeprefix(self._prefix): _Run(**state.get(key)) for key in state.keys(self._prefix)}
        self._actions = {"identify": self._identify, "start": self._start, "result": self._result}

    def answer(self, request: bytes) -> bytes | None:
        """Carry out one line; an empty one gets no reply."""
        if not request.strip():
            return None
        try:
            told = _parse(request)
            reply = self._action(told)(told)
        except _Refused as refusal:
            reply = {"ok": False, "error": str(refusal)}
        return json.dumps(reply).encode() + b"\n"

    def answer_damaged(self) -> bytes | None:
        """Say that what came is no line of text."""
        return (
            json.dumps({"ok": False, "error": "not a line of JSON: it holds bytes that are no text"}).encode() + b"\n"
        )

    def _action(self, request: Mapping[str, Any]) -> Callable[[Mapping[str, Any]], Mapping[str, Any]]:
        do = request.get("do")
        if not isinstance(do, str) or do not in self._actions:
            raise _Refused(f"'do' must be one of {', '.join(self._actions)}, not {do!r}")
        return self._actions[do]

    def _identify(self, _request: Mapping[str, Any]) -> Mapping[str, Any]:
        provenance = {"provenance": dict(self._model.provenance)} if self._model.provenance else {}
        return {**self._model.identity, **provenance}

    def _start(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        tag, parameters = _tag(request), _parameters(request)
        run = self._runs.get(tag)
        if run is None:
            run = self._begin(tag, parameters)
        elif run.parameters != parameters:
            raise _Refused(f"tag {tag!r} is taken by an experiment with other parameters; use a tag of its own")
        return {"ok": True, "ready_s": run.ready_s}

    def _result(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        run = self._runs.get(_tag(request))
        if run is None:
            return {"state": "absent", "values": {}, "reason": "", "remaining_s": 0.0}
        remaining_s = self._remaining_s(run.ends_s)
        if remaining_s > 0:
            return {"state": "running", "values": {}, "reason": "", "remaining_s": remaining_s}
        return {"state": run.state, "values": dict(run.values), "reason": run.reason, "remaining_s": 0.0}

    def _begin(self, tag: str, parameters: Mapping[str, Value]) -> _Run:
        refusal = self._model.refusal(parameters)
        if refusal is not None:
            raise _Refused(refusal)
        now_s = self._clock.now_s()
        self._check_room(now_s)
        outcome = self._model.run(parameters, tag=tag, started_s=now_s)
        run = self._scheduled(parameters, outcome, now_s)
        self._state.update({self._prefix + tag: asdict(run)})
        self._runs[tag] = run
        self._did("start", once=True, tag=tag)
        return run

    def _scheduled(self, parameters: Mapping[str, Value], outcome: Outcome, now_s: float) -> _Run:
        ends_s = now_s + outcome.duration_s
        if outcome.analysis_s > 0:
            analyser_free_s = max((run.ends_s for run in self._runs.values() if run.analysis_s > 0), default=now_s)
            ends_s = max(ends_s, analyser_free_s) + outcome.analysis_s
        return _Run(
            parameters=parameters,
            started_s=now_s,
            ready_s=ends_s - now_s,
            ends_s=ends_s,
            analysis_s=outcome.analysis_s,
            state=outcome.state,
            values=outcome.values,
            reason=outcome.reason,
        )

    def _check_room(self, now_s: float) -> None:
        ends = [run.ends_s for run in self._runs.values() if self._remaining_s(run.ends_s) > 0]
        if len(ends) >= self._model.capacity:
            raise _Refused(
                f"busy: all {self._model.capacity} places are taken; the next is free in {min(ends) - now_s:.0f} s"
            )


def _parse(line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line, parse_constant=_not_finite)
    except (ValueError, RecursionError) as error:
        raise _Refused(f"not a line of JSON: {error}") from error
    if not isinstance(request, dict):
        raise _Refused(f"a request is a JSON object, not {type(request).__name__}")
    return request


def _not_finite(text: str) -> NoReturn:
    raise _Refused(f"{text} is no number that can be set or measured")


def _tag(request: Mapping[str, Any]) -> str:
    tag = request.get("tag")
    if not isinstance(tag, str) or not 0 < len(tag) <= MAX_TAG_CHARACTERS or not (tag.isascii() and tag.isprintable()):
        raise _Refused(f"'tag' must be a text of 1 to {MAX_TAG_CHARACTERS} printable ASCII characters, not {tag!r}")
    return tag


def _parameters(request: Mapping[str, Any]) -> dict[str, Value]:
    parameters = request.get("parameters")
    if not isinstance(parameters, dict):
        raise _Refused(f"'parameters' must be an object of names and values, not {parameters!r}")
    for name, value in parameters.items():
        _check_value(name, value)
    return parameters


def _check_value(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, float | int | str):
        raise _Refused(f"parameter {name!r} must be a number or a text, not {value!r}")
    if isinstance(value, float) and not math.isfinite(value):
        raise _Refused(f"parameter {name!r} is {value}: no number that can be set")
    if isinstance(value, int) and abs(value) > 2**53:
        raise _Refused(f"parameter {name!r} is an integer beyond 2**53, which no instrument can set")
