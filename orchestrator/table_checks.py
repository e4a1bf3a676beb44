"""What must hold of the tables that a campaign names: candidates, and what is known beforehand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from orchestrator.charges import Charges
from orchestrator.errors import InputError
from orchestrator.points import candidates_of, known_of
from orchestrator.simulated import REPLAY, worlds_of
from orchestrator.sources import source_of
from orchestrator.space import objectives, search_space
from orchestrator.subject import Subject
from orchestrator.tables import digest_of
from orchestrator.yaml_source import Problem
from planner.policies.base import POLICIES, WITH_SOURCES


def candidates(subject: Subject) -> Iterator[Problem]:
    """Find a table of candidates that cannot be read, or of which none may be tried."""
    given = subject.campaign.candidates
    if given is None:
        return
    replay = subject.campaign.replay
    if replay is not None and replay.mode == "pool" and REPLAY in worlds_of(subject.lab):
        message = "the rows of the replayed table are the only points already (replay, mode: pool); leave this out"
        yield subject.campaign_source.problem(("candidates",), message, of_key=True)
        return
    yield from _told(subject, "candidates", given)
    try:
        search_space(subject.campaign, candidates_of(subject.campaign))
    except InputError as error:
        yield from (_problem(subject, "candidates", text) for text in error.problems)
    except ValueError as error:
        yield _problem(subject, "candidates", str(error))


def known(subject: Subject) -> Iterator[Problem]:
    """Find a table of earlier results that cannot be read, or that no planner would learn from."""
    given = subject.campaign.known
    if given is None:
        return
    yield from _told(subject, "known", given)
    try:
        rows = [result.data() for result in known_of(subject.campaign)]
    except InputError as error:
        yield from (_problem(subject, "known", text) for text in error.problems)
        return
    from orchestrator.records import known_observations  # with it comes the database
    from planner import Planner

    try:
        Planner(search_space(subject.campaign), objectives(subject.campaign), policy="random").tell(
            known_observations(rows)
        )
    except ValueError as error:
        yield _problem(subject, "known", str(error))


def sources(subject: Subject) -> Iterator[Problem]:
    """Find sources that cannot be read or used, or that the policy would make nothing of."""
    campaign, source = subject.campaign, subject.campaign_source
    policy = campaign.planner.policy
    if campaign.sources and policy in POLICIES and policy not in WITH_SOURCES:
        message = f"policy {policy!r} takes nothing from sources; write policy: {WITH_SOURCES[0]}, or leave them out"
        yield source.problem(("sources",), message, of_key=True)
    for index, given in enumerate(campaign.sources):
        path = ("sources", index, given.place[0])
        if given.table is not None and given.sha256 is not None and Path(given.table).is_file():
            found = digest_of(Path(given.table))
            if found != given.sha256:
                yield source.problem(("sources", index, "sha256"), _changed(given.table, found))
                continue
        try:
            source_of(campaign, given)
        except InputError as error:
            yield from (source.problem(path, text) for text in error.problems)


def durations(subject: Subject) -> Iterator[Problem]:
    """Find a file of durations that cannot be read, was changed, or lacks what is charged by it."""
    given = subject.campaign.durations
    if given is None:
        return
    source = subject.campaign_source
    path = ("durations", "file") if isinstance(source.data.get("durations"), dict) else ("durations",)
    if given.sha256 is not None and Path(given.file).is_file():
        found = digest_of(Path(given.file))
        if found != given.sha256:
            yield source.problem(("durations", "sha256"), _changed(given.file, found))
            return
    try:
        Charges.of(subject.campaign)
    except InputError as error:
        yield source.problem(path, str(error).removeprefix("durations: "))


def _told(subject: Subject, key: str, given: Any) -> Iterator[Problem]:
    """Find a file that is not the one whose hash the campaign file gives."""
    if given.sha256 is None or not Path(given.table).is_file():
        return
    found = digest_of(Path(given.table))
    if found != given.sha256:
        yield subject.campaign_source.problem((key, "sha256"), _changed(given.table, found))


def _changed(table: str, found: str) -> str:
    return f"the SHA-256 of {Path(table).name} is {found}; write this one if the file was meant to change"


def _problem(subject: Subject, key: str, message: str) -> Problem:
    path = (key, "table") if isinstance(subject.campaign_source.data.get(key), dict) else (key,)
    return subject.campaign_source.problem(path, message)
