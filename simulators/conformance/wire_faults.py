"""Every command under every fault: the right outcome, nothing done twice, no wrong value, and the bus usable after."""

from __future__ import annotations

from collections.abc import Iterator

from simulators.conformance.bench import Bench, Exchange, Subject, run
from simulators.conformance.results import CaseResult
from simulators.conformance.trial import Clean, Trial
from simulators.faults import Fault, Strike, does_not_apply

RANDOM = frozenset({Fault.CUT, Fault.GARBLE, Fault.MISREAD})
"""Faults that chance places within a reply."""
NOISES = (5, 6, 7)
"""Seeds of these; each is a case."""
MOST_PLACES = 5
"""At so many exchanges of a command each fault strikes."""


def fault_cases(subject: Subject, command: str, clean: Clean) -> Iterator[CaseResult]:
    """Try every fault at every exchange of a command, or at a few where there are many."""
    for fault in Fault:
        yield from _cases_of(subject, command, clean, fault)


def _cases_of(subject: Subject, command: str, clean: Clean, fault: Fault) -> Iterator[CaseResult]:
    why_not = run(subject, lambda bench: _applies(bench, fault))
    if why_not or not clean.exchanges:
        why_not = why_not or "the command exchanges nothing"
        yield CaseResult(group="faults", wire=subject.instrument, command=command, fault=fault, why_not=why_not)
        return
    for at in _places(len(clean.exchanges)):
        for noise in NOISES if fault in RANDOM else NOISES[:1]:
            yield _case(subject, command, clean, fault, at, noise)


async def _applies(bench: Bench, fault: Fault) -> str:
    own = getattr(bench.wire, "does_not_apply", None)
    return own(fault) if own is not None else does_not_apply(fault, bench.wire.instrument)


def _places(n: int) -> list[int]:
    if n <= MOST_PLACES:
        return list(range(n))
    return sorted({0, 1, n // 2, n - 2, n - 1})


def _case(subject: Subject, command: str, clean: Clean, fault: Fault, at: int, noise: int) -> CaseResult:
    plan = [*([None] * at), strike(fault, clean.exchanges[at])]
    trial = Trial(subject=subject, command=command, clean=clean, plan=plan)
    try:
        run(subject, trial.carry_out, noise=noise)
    except Exception as error:  # the kit reports whatever a driver or simulator does, and goes on
        trial.problems.append(f"the case ended with {type(error).__name__}: {error}")
    reached = trial.was_struck or bool(trial.problems)
    return CaseResult(
        group="faults",
        wire=subject.instrument,
        command=command,
        fault=fault,
        at=at,
        outcome=trial.outcome,
        settled=trial.settled if reached else "",
        problems=tuple(trial.problems),
        why_not="" if reached else "the exchange was not reached",
    )


def strike(fault: Fault, exchange: Exchange) -> Strike:
    """Return a fault as it hits an exchange: late replies keep to what the command declares."""
    late_s = 0.5 * exchange.timeout_s
    if fault is Fault.TOO_LATE:
        late_s = exchange.timeout_s + 0.5 * exchange.late_max_s
    return Strike(fault=fault, late_s=late_s)
