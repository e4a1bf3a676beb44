"""Places of a cluster where a job can run, read off what its scheduler tells of its workers."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from surrogate.compute.cluster.address import host_of, is_loopback
from surrogate.compute.errors import UnsafeCluster
from surrogate.compute.jobs import Device

if TYPE_CHECKING:
    from distributed import Client

GPU = "GPU"
"""The Dask resource by which a worker declares its GPUs: ``dask worker --resources GPU=1``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A worker of the cluster, as long as its process lives."""

    address: str
    folder: str
    """Where it keeps its files; another process at the same address has another one."""
    name: str
    n_threads: int
    n_gpus: int

    @property
    def words(self) -> str:
        """Return what people call it."""
        return self.address if self.name in ("", self.address) else f"{self.name} ({self.address})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where one job at a time can run."""

    member: Member
    device: Device
    index: int

    @property
    def words(self) -> tuple[Device, str]:
        """Return what people call it: the device, and the worker."""
        return self.device, self.member.words


async def identity_of(client: Client) -> Mapping[str, Any]:
    """Ask a scheduler for its address and its workers.

    Raises:
        OSError: It does not answer.
    """
    scheduler: Any = client.scheduler
    if scheduler is None:
        raise ConnectionError("the connection is closed")
    return await scheduler.identity()


def members_of(identity: Mapping[str, Any]) -> dict[tuple[str, str], Member]:
    """Return the workers that a scheduler tells of, by address and folder."""
    found = [
        Member(
            address=address,
            folder=str(told.get("local_directory", "")),
            name=str(told.get("name", "")),
            n_threads=int(told["nthreads"]),
            n_gpus=int((told.get("resources") or {}).get(GPU, 0)),
        )
        for address, told in identity["workers"].items()
        if told.get("status", "running") == "running"
    ]
    return {(member.address, member.folder): member for member in found}


def places_of(member: Member, *, with_gpu: bool) -> Iterator[Place]:
    """Yield the places of a worker: one for each GPU that it declares, and one on the CPU for each further thread."""
    n_gpus = min(member.n_gpus, member.n_threads)
    if with_gpu:
        yield from (Place(member=member, device="gpu", index=index) for index in range(n_gpus))
    yield from (Place(member=member, device="cpu", index=index) for index in range(member.n_threads - n_gpus))


async def refuse_exposed(client: Client, identity: Mapping[str, Any], workers: Collection[str]) -> None:
    """Refuse a scheduler or workers that others than this machine reach without TLS.

    Args:
        client: Of Dask.
        identity: What the scheduler tells of itself and its workers.
        workers: Addresses of those to be asked where they listen, which may be everywhere whatever they are called.

    Raises:
        UnsafeCluster: Names the first of them.
        OSError: One of them has gone meanwhile.
    """
    refuse_open([("scheduler", identity["address"]), *(("worker", one) for one in identity["workers"])])
    if not workers:
        return
    said = await client.run(listens, workers=list(workers), on_error="return")
    refuse_open([("worker", one) for found in said.values() if isinstance(found, list) for one in found])


def refuse_open(addresses: Iterable[tuple[str, str]]) -> None:
    """Refuse addresses, each with what has it, that others than this machine reach without TLS.

    Raises:
        UnsafeCluster: Names the first of them.
    """
    for what, address in addresses:
        if address.startswith("tcp://") and not is_loopback(host_of(address)):
            raise UnsafeCluster(
                f"the {what} at {address} can be reached from other machines without TLS, and whoever reaches it can "
                "run code there: start it with --host 127.0.0.1, or scheduler and workers with TLS (docs/cluster.md)"
            )


def listens(dask_worker: Any) -> list[str]:
    """Return where a worker listens; runs there."""
    return [listener.listen_address for listener in dask_worker.listeners]
