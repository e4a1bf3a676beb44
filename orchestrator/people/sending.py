"""Sending through Apprise, outside the event loop: a channel that hangs costs a thread and nothing else."""

from __future__ import annotations

import asyncio
import logging
import threading
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Protocol

from orchestrator.errors import InputError
from orchestrator.people.addresses import Secret, SecretError, expanded
from orchestrator.people.notices import Message
from orchestrator.people.settings import People

DEADLINE_S = 30.0


class SendFailed(Exception):
    """A message was not sent; the text holds no secret."""


class Sender(Protocol):
    """Sends messages."""

    async def send(self, channel: str, message: Message) -> None:
        """Send one.

        Raises:
            SendFailed: It was not sent, as far as is known.
        """
        ...


class AppriseSender:
    """Sends through the channels of a lab file.

    Args:
        people: The channels.
        environment: Where their secrets come from.
        deadline_s: How long one message may take.

    Raises:
        InputError: A secret is not set, or an address is none that Apprise knows; names the channels.
    """

    def __init__(self, people: People, environment: Mapping[str, str], *, deadline_s: float = DEADLINE_S) -> None:
        self._deadline_s = deadline_s
        self._secrets: dict[str, Secret] = {}
        self._channels: dict[str, Any] = {}
        self._under_way: dict[str, threading.Event] = {}
        problems = []
        for name, channel in people.channels.items():
            try:
                self._secrets[name] = expanded(channel.url, environment)
                self._channels[name] = _instance(self._secrets[name])
            except SecretError as error:
                problems.append(f"people: channel {name!r}: {error}")
        if problems:
            raise InputError(problems)

    async def send(self, channel: str, message: Message) -> None:
        """Send a message in a thread.

        Raises:
            SendFailed: It was not sent within the deadline.
        """
        hanging = self._under_way.get(channel)
        if hanging is not None and not hanging.is_set():
            raise SendFailed("the message before is still on its way")
        try:
            async with asyncio.timeout(self._deadline_s):
                problem = await self._threaded(channel, message)
        except TimeoutError:
            raise SendFailed(f"not sent within {self._deadline_s:g} s") from None
        if problem is not None:
            raise SendFailed(self._secrets[channel].cleaned(problem))

    async def _threaded(self, channel: str, message: Message) -> str | None:
        """Return what went wrong; the thread is a daemon, so that one that hangs does not keep the process."""
        loop = asyncio.get_running_loop()
        came_to: asyncio.Future[str | None] = loop.create_future()

        is_over = threading.Event()  # a thread lives for a moment longer than what it does

        def work() -> None:
            problem = _sent(self._channels[channel], message)
            is_over.set()
            with suppress(RuntimeError):  # the loop may be closed by now
                loop.call_soon_threadsafe(_settle, came_to, problem)

        thread = threading.Thread(target=work, name=f"notify {channel}", daemon=True)
        self._under_way[channel] = is_over
        thread.start()
        return await came_to


def _settle(future: asyncio.Future[str | None], value: str | None) -> None:
    if not future.done():
        future.set_result(value)


def _instance(secret: Secret) -> Any:
    with _listening(), warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its plugins import what Python 3.13 lacks, if they can
        import apprise

        found = apprise.Apprise.instantiate(secret.text, suppress_exceptions=True)
    if found is None:
        raise SecretError("Apprise knows no such address; its documentation lists them all")
    return found


def _sent(channel: Any, message: Message) -> str | None:
    """Send a message and return what went wrong; supervises foreign code, none of whose errors may go further."""
    with _listening() as heard:
        try:
            is_sent = channel.notify(title=message.subject, body=message.body, body_format="text")
        except Exception as error:
            return f"{type(error).__name__}: {error}"
    return None if is_sent else "; ".join(dict.fromkeys(heard)) or "the service refused it"


_LOGGERS = ("apprise", "urllib3.connectionpool")
"""Who logs while a message is sent; their texts hold addresses with secrets."""


class _Ear(logging.Filter):
    """Keeps what one thread would log, and lets nothing of it through."""

    def __init__(self) -> None:
        super().__init__()
        self.heard: list[str] = []
        self._thread = threading.get_ident()

    def filter(self, record: logging.LogRecord) -> bool:
        """Say whether a record may go to the log."""
        if record.thread != self._thread:
            return True
        if record.levelno >= logging.WARNING:
            self.heard.append(" ".join(record.getMessage().split())[:300])
        return False


@contextmanager
def _listening() -> Iterator[list[str]]:
    """Keep what foreign code says while it sends, for an error without secrets, instead of letting it log."""
    ear = _Ear()
    for name in _LOGGERS:
        logging.getLogger(name).addFilter(ear)
    try:
        yield ear.heard
    finally:
        for name in _LOGGERS:
            logging.getLogger(name).removeFilter(ear)


class Recorder:
    """Sends nothing and keeps what would have been sent: for virtual time."""

    def __init__(self) -> None:
        self.messages: list[tuple[str, Message]] = []

    async def send(self, channel: str, message: Message) -> None:
        """Keep a message."""
        self.messages.append((channel, message))


async def try_channels(sender: Sender, people: People, lab: str) -> dict[str, str]:
    """Send a test message through every channel at once; return what went wrong by channel, empty where nothing did."""
    names = list(people.channels)
    return dict(zip(names, await asyncio.gather(*(_tried(sender, people, name, lab) for name in names)), strict=True))


async def _tried(sender: Sender, people: People, name: str, lab: str) -> str:
    topics = tuple(str(topic) for topic in people.channels[name].told_of)
    body = f"Channel {name!r} of {lab} works. It will tell of: {', '.join(topics)}."
    try:
        await sender.send(name, Message(subject="labpilot: test message", body=body, topics=topics, n=1, upto=0))
    except SendFailed as error:
        return f"not sent: {error}"
    return ""
