"""The key `people:` of a lab file: who is told of what, and through which channels."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)

from orchestrator.errors import InputError
from orchestrator.fields import PositiveSeconds, StrictModel, did_you_mean, mistake
from orchestrator.mistakes import validated
from orchestrator.people.addresses import SecretError, names_in
from orchestrator.yaml_source import read_source


class Topic(StrEnum):
    """What somebody can be told of."""

    QUESTION = "question"
    ESCALATION = "escalation"
    INCIDENT = "incident"
    INTERVENTION = "intervention"
    FINISHED = "finished"
    FAULTED = "faulted"
    ALL_IS_WELL = "all_is_well"


WITHOUT_TOKENS = frozenset({"mailto", "mailtos", "json", "jsons", "xml", "xmls", "form", "forms", "syslog", "dbus"})
"""Schemes whose address is no secret in itself; any other must take something from the environment."""


def _url(text: str) -> str:
    if not re.match(r"\$|[A-Za-z][A-Za-z0-9+.-]*://", text):
        raise mistake("must be an Apprise URL such as 'mailtos://user:$SMTP_PASSWORD@example.org?to=lab@example.org'")
    try:
        names = names_in(text)
        parts = urlsplit(text)
    except (SecretError, ValueError) as error:
        raise mistake(str(error)) from None
    written = parts.password or _query_secret(parts.query)
    if written and "$" not in written:
        raise mistake("a password must not stand in the file: write $NAME, and set NAME in the environment")
    if not names and parts.scheme not in WITHOUT_TOKENS:
        raise mistake(
            f"the address of {parts.scheme}:// is a secret itself: write its token as $NAME (or the whole address as "
            "$NAME), and set NAME in the environment"
        )
    return text


def _query_secret(query: str) -> str:
    found = re.search(r"(?:^|&)(?:pass|password|token|key)=([^&]*)", query, re.IGNORECASE)
    return found[1] if found else ""


class Channel(StrictModel):
    """One way to reach somebody."""

    url: Annotated[str, AfterValidator(_url)] = Field(
        description="An Apprise URL; $NAME stands for a variable of the environment, $$ for a dollar sign"
    )
    told_of: tuple[Topic, ...] = Field(min_length=1, description="What is told through this channel")
    at_most_every_s: PositiveSeconds = Field(
        default=600.0, alias="at_most_every", description="Pause between two messages; what comes meanwhile is merged"
    )


def _zone(name: object) -> ZoneInfo:
    if isinstance(name, ZoneInfo):
        return name
    try:
        return ZoneInfo(str(name))
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise mistake(f"no time zone {name!r}; it is one such as Europe/Berlin, America/New_York or UTC") from None


def _time(value: object) -> time:
    if isinstance(value, time):
        return value
    match = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)", value) if isinstance(value, str) else None
    if match is None:
        raise mistake(f"must be a time of day in quotes such as '08:00', got {value!r}")
    return time(int(match[1]), int(match[2]))


Zone = Annotated[
    ZoneInfo, PlainValidator(_zone), PlainSerializer(str, return_type=str), WithJsonSchema({"type": "string"})
]
TimeOfDay = Annotated[
    time,
    BeforeValidator(_time),
    PlainSerializer(lambda value: value.strftime("%H:%M"), return_type=str),
    WithJsonSchema({"type": "string", "pattern": "^[0-9]{1,2}:[0-9]{2}$"}),
]


class People(StrictModel):
    """Who is told of what."""

    channels: dict[Annotated[str, Field(min_length=1, max_length=100)], Channel] = Field(
        default_factory=dict, description="Ways to reach people, by name"
    )
    timezone: Zone = Field(default=ZoneInfo("UTC"), description="Where the people are, such as Europe/Berlin")
    all_is_well_at: TimeOfDay = Field(
        default=time(8, 0), description="When the daily word is sent, local time, '08:00'"
    )

    def data(self) -> dict[str, Any]:
        """Return the settings as JSON values; no secret is among them."""
        return self.model_dump(mode="json", by_alias=True, exclude_none=True)

    def only(self, names: Sequence[str]) -> People:
        """Return the settings with these channels only; with all of them where no name is given.

        Raises:
            InputError: There is no such channel.
        """
        for name in names:
            if name not in self.channels:
                raise InputError(f"no channel {name!r}{did_you_mean(name, self.channels)}")
        kept = {name: channel for name, channel in self.channels.items() if name in names or not names}
        return self.model_copy(update={"channels": kept})


class _LabPeople(BaseModel):
    """A lab file as far as people are concerned."""

    model_config = ConfigDict(extra="ignore", frozen=True, arbitrary_types_allowed=True)

    people: People = Field(default_factory=People)


def read_people(path: Path) -> People:
    """Read who is told of what from a lab file, whatever else is in it.

    Raises:
        InvalidSource: It cannot be read, or something is wrong there.
    """
    return validated(_LabPeople, read_source(path)).people
