"""Pools of candidates that a campaign names: read, told apart from changed ones, and described by features."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.campaign import Campaign
from orchestrator.errors import InputError
from orchestrator.feature_fields import Features, Pool
from orchestrator.parameters import Categorical
from orchestrator.pool_reading import digest, read, shown
from orchestrator.yaml_source import Path_, Problem, Source

if TYPE_CHECKING:
    from planner.parameters import Categorical as PlannedCategorical
    from surrogate.features.pools import Pool as ReadPool


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolSummary:
    """What the words of a parameter with features are."""

    parameter: str
    candidates: int
    takes: str
    kinds: tuple[str, ...]
    columns: int
    """That vary."""
    twins: tuple[tuple[str, str], ...]
    """(left out, the same one that was kept)."""


def settled(campaign: Campaign, source: Source) -> tuple[Campaign, list[Problem]]:
    """Return a campaign whose pools were read: levels are their words, paths absolute, hashes and versions found out.

    A parameter of which something is wrong is left as it was.
    """
    parameters, problems = [], []
    for index, item in enumerate(campaign.parameters):
        if isinstance(item, Categorical) and item.features is not None:
            try:
                item = _settled(_located(item, index, source))
            except _Wrong as wrong:
                problems += [source.problem(("parameters", index, *wrong.at), text) for text in wrong.problems]
        parameters.append(item)
    return campaign.model_copy(update={"parameters": tuple(parameters)}), problems


def refuse_changed(campaign: Campaign) -> None:
    """Hold pools and featurizers against what they were when a campaign began.

    Raises:
        InputError: One is not the same, or cannot be had any more.
    """
    for item in campaign.parameters:
        if isinstance(item, Categorical) and item.features is not None:
            try:
                _settled(item)
            except _Wrong as wrong:
                began = f"parameter {item.name!r} is not what this campaign began with, or cannot be had any more"
                mend = "put it back as it was, or begin another campaign in a directory of its own"
                raise InputError([f"{began}: {text}; {mend}" for text in wrong.problems]) from None


def category(item: Categorical) -> PlannedCategorical:
    """Return a parameter with features as the planner knows it; the same once more costs nothing.

    Raises:
        SpaceError: A featurizer is unknown, a word has no features, or the pool cannot be read any more.
        InputError: Its table cannot.
    """
    from planner.errors import SpaceError
    from surrogate.features.errors import BadPool

    try:
        return _category(_Asked(item.model_dump_json(by_alias=True), item))
    except BadPool as error:
        raise SpaceError(f"parameter {item.name!r}: {error}") from None


def pool_summaries(campaign: Campaign) -> tuple[PoolSummary, ...]:
    """Return what the words of each parameter with features are."""
    return tuple(
        PoolSummary(
            parameter=item.name,
            candidates=len(item.levels),
            takes=item.features.takes,
            kinds=item.features.kind,
            columns=category(item).codes.width,
            twins=() if item.pool is None else read(item.name, item.pool, item.features.takes).twins,
        )
        for item in campaign.parameters
        if isinstance(item, Categorical) and item.features is not None
    )


class _Wrong(Exception):
    """Something about a parameter."""

    def __init__(self, at: Path_, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.at, self.problems = at, problems


@dataclass(frozen=True, slots=True)
class _Asked:
    """A parameter that equal JSON tells apart."""

    key: str
    item: Categorical = field(compare=False)


@lru_cache(maxsize=8)
def _category(asked: _Asked) -> PlannedCategorical:
    from planner.featured import table_of
    from planner.parameters import Categorical as PlannedCategorical

    item, features = asked.item, asked.item.features
    assert features is not None  # noqa: S101  only such are asked for
    pool = _words(item, features)
    table = table_of(item.name, pool, features.kind, options=features.options)
    return PlannedCategorical(item.name, item.levels, descriptors=table, when=item.when)


def _words(item: Categorical, features: Features) -> ReadPool:
    """Return the words of a parameter and what they stand for."""
    from surrogate.features.pools import pool_of

    if item.pool is None:
        return pool_of(features.takes, item.levels, item.levels, at=[f"level {word!r}" for word in item.levels])
    return read(item.name, item.pool, features.takes).only(item.levels)


def _located(item: Categorical, index: int, source: Source) -> Categorical:
    """Return a parameter whose paths are absolute; what a file says counts from its folder."""
    features, pool = item.features, item.pool
    assert features is not None  # noqa: S101  only such are asked for
    kinds = {kind: _absolute_kind(kind, index, source) for kind in features.kind}
    told: dict[str, Any] = {"kind": tuple(kinds.values())}
    for key in ("options", "versions"):
        told[key] = {kinds[kind]: value for kind, value in getattr(features, key).items()}
    changes: dict[str, Any] = {"features": features.model_copy(update=told)}
    if pool is not None:
        key = "folder" if pool.folder is not None else "table"
        path = _absolute(source, ("parameters", index, "pool"), getattr(pool, key))
        changes["pool"] = pool.model_copy(update={key: path})
    return item.model_copy(update=changes)


def _absolute_kind(kind: str, index: int, source: Source) -> str:
    file, is_file, wanted = kind.partition(".py")
    return _absolute(source, ("parameters", index, "features"), file + ".py") + wanted if is_file else kind


def _absolute(source: Source, path: Path_, written: str) -> str:
    from_file = source.place(path).line is not None
    plain = os.path.expanduser(written)
    return str(Path(os.path.normpath(source.folder / plain if from_file else plain)).absolute())


def _settled(item: Categorical) -> Categorical:
    """Return a parameter with its words, hash and versions.

    Raises:
        _Wrong: Something is not as it says, or cannot be had.
    """
    from planner.errors import SpaceError
    from surrogate.features.errors import BadPool

    features = item.features
    assert features is not None  # noqa: S101  only such are asked for
    versions = _versions(features)
    item = item.model_copy(update={"features": features.model_copy(update={"versions": versions})})
    if item.pool is not None:
        item = _with_words(item, item.pool, features.takes)
    try:
        _words(item, features)
        category(item)
    except BadPool as error:  # levels that are none of the pool, or no formulas
        raise _Wrong(("levels",), error.problems) from None
    except SpaceError as error:
        raise _Wrong(("features",), [str(error)]) from None
    return item


def _versions(features: Features) -> dict[str, str]:
    from surrogate.features.errors import FeatureError
    from surrogate.features.named import featurizer

    found: dict[str, str] = {}
    for kind in features.kind:
        try:
            found[kind] = featurizer(kind, features.options.get(kind)).stamp
        except FeatureError as error:
            raise _Wrong(("features", "kind"), [str(error)]) from None
        said = features.versions.get(kind)
        if said is not None and said != found[kind]:
            raise _Wrong(("features", "versions"), [f"{kind} is of version {found[kind]!r} here, not {said!r}"])
    return found


def _with_words(item: Categorical, pool: Pool, takes: str) -> Categorical:
    from surrogate.features.errors import BadPool

    try:
        found = digest(item.name, pool, takes)
        if pool.sha256 is not None and pool.sha256 != found:
            text = f"the SHA-256 of {shown(pool)} is {found}; write this one if it was meant to change"
            raise _Wrong(("pool", "sha256"), [text])
        pool = pool.model_copy(update={"sha256": found})
        item = item.model_copy(update={"pool": pool})
        words = read(item.name, pool, takes).words
    except (InputError, BadPool) as error:
        raise _Wrong(("pool",), error.problems) from None
    if len(words) < 2:
        raise _Wrong(
            ("pool",), [f"{shown(pool)} holds one candidate ({', '.join(words)}); two are needed to choose from"]
        )
    return item if item.levels else item.model_copy(update={"levels": words})
