"""Joining a cluster: what can be wrong with it is said before the first job."""

from __future__ import annotations

import asyncio
import logging
import os
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, cast

from surrogate.compute.cluster.address import ClusterAddress
from surrogate.compute.cluster.likeness import unlike_workers
from surrogate.compute.cluster.places import identity_of, members_of, refuse_exposed
from surrogate.compute.cluster.pool import ClusterPool
from surrogate.compute.errors import ClusterError, NoCluster, UnlikeWorkers

if TYPE_CHECKING:
    from distributed import Client

_REACHED_S = 3.0
_TELLS_S = 60.0
_LOOK_S = 0.2
_SHOWN = 5


@asynccontextmanager
async def connected(
    address: ClusterAddress,
    *,
    answers_s: float = 10.0,
    workers_within_s: float = 60.0,
    waiting: Callable[[], None] | None = None,
    **options: Any,
) -> AsyncIterator[ClusterPool]:
    """Join a cluster, and hold the connection open.

    Args:
        address: Where its scheduler is.
        answers_s: What the scheduler may take to answer.
        workers_within_s: How long is waited for the first worker.
        waiting: Is called once where there is none yet.
        options: Of `ClusterPool`.

    Raises:
        NoCluster: The scheduler does not answer, does not take the certificates, or has no workers.
        UnsafeCluster: Others than this machine reach it without TLS.
        UnlikeWorkers: Workers have another version of labpilot or of a library.
    """
    client = await _client(address, answers_s)
    try:
        await _checked(client, address, workers_within_s, waiting)
        yield ClusterPool(client, **options)
    finally:
        await cast(Any, client.close())


async def _client(address: ClusterAddress, answers_s: float) -> Client:
    try:
        from distributed import Client
    except ImportError as error:
        raise ClusterError("a cluster needs Dask: pip install 'labpilot[cluster]', on every machine") from error
    await _reach(address)
    # what it says of lost connections is told by our own errors
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)
    made: Any = cast(
        Any,
        Client(address.url, security=address.security(), asynchronous=True, timeout=answers_s, set_as_default=False),
    )
    try:
        return await made
    except (OSError, ValueError) as error:
        with suppress(OSError, ValueError):
            await made.close()
        raise NoCluster(
            f"something answers at {address.url}, but it is no scheduler that talks with this process "
            f"({_reason(error, answers_s)}); is it started with the same protocol (tls or tcp), and are all "
            "certificates signed by the same authority?"
        ) from error


async def _reach(address: ClusterAddress) -> None:
    """Find out quickly whether anything listens there at all; Dask itself tries again and again."""
    host, port = address.place
    try:
        async with asyncio.timeout(_REACHED_S):
            _, writer = await asyncio.open_connection(host, port)
    except (OSError, TimeoutError) as error:
        code = error.errno if isinstance(error, OSError) else None
        reason = os.strerror(code) if code and code > 0 else str(error) or f"no answer within {_REACHED_S:g} s"
        raise NoCluster(
            f"no scheduler answers at {address.url} ({reason}); start one (`dask scheduler{_listening(address)}`, "
            "docs/cluster.md), or give the address that it prints"
        ) from error
    writer.close()


def _listening(address: ClusterAddress) -> str:
    """Return the option without which Dask listens to the whole network, which is refused without TLS."""
    return " --host 127.0.0.1" if address.url.startswith("tcp:") else ""


def _reason(error: BaseException, answers_s: float) -> str:
    """Return what TLS has against the other end, or else how long was waited."""
    while error.__cause__ is not None and not isinstance(error, ssl.SSLError):
        error = error.__cause__
    return str(error.reason) if isinstance(error, ssl.SSLError) else f"no answer within {answers_s:g} s"


async def _checked(
    client: Client, address: ClusterAddress, workers_within_s: float, waiting: Callable[[], None] | None
) -> None:
    began_s, is_told = time.monotonic(), False
    while True:
        identity = await _identity(client, address)
        addresses = [member.address for member in members_of(identity).values()]
        await refuse_exposed(client, identity, ())
        if addresses:
            await _asked(client, address, identity, addresses)
            return
        if time.monotonic() - began_s >= workers_within_s:
            raise NoCluster(
                f"the scheduler at {address.url} has no workers; start some "
                f"(`dask worker {address.url}{_listening(address)} --nthreads 1`, docs/cluster.md), and give the same "
                "command again"
            )
        if waiting is not None and not is_told:
            is_told = True
            waiting()
        await asyncio.sleep(_LOOK_S)


async def _identity(client: Client, address: ClusterAddress) -> Mapping[str, Any]:
    try:
        return await identity_of(client)
    except OSError as error:
        raise NoCluster(
            f"the scheduler at {address.url} has gone while workers were waited for ({error}); start it again, and "
            "give the same command again"
        ) from error


async def _asked(
    client: Client, address: ClusterAddress, identity: Mapping[str, Any], addresses: Sequence[str]
) -> None:
    try:
        async with asyncio.timeout(_TELLS_S):
            await refuse_exposed(client, identity, addresses)
            _refuse_unlike(await unlike_workers(client, addresses))
    except OSError as error:
        raise NoCluster(
            f"not all {len(addresses)} workers of {address.url} have said within {_TELLS_S:g} s what they are; end "
            "those that do not answer any more, and give the same command again"
        ) from error


def _refuse_unlike(unlike: Mapping[str, Sequence[str]]) -> None:
    if not unlike:
        return
    lines = [f"  {address}: {'; '.join(differs)}" for address, differs in list(unlike.items())[:_SHOWN]]
    more = [f"  and {len(unlike) - _SHOWN} more"] if len(unlike) > _SHOWN else []
    raise UnlikeWorkers(
        "\n".join(
            ["these workers would not come to the same results as this process; install the same versions there, and "
             "start them again:", *lines, *more]
        ), unlike,
    )  # fmt: skip
