"""The queue's jobs on several machines, by way of a Dask scheduler (https://distributed.dask.org).

``async with connected(ClusterAddress(scheduler="tls://host:8786", ca=..., cert=..., key=...)) as pool`` is a pool for
`surrogate.compute.ComputeQueue`, as `ProcessPool` is. docs/cluster.md tells how to start scheduler and workers.
"""

from surrogate.compute.cluster.address import ClusterAddress
from surrogate.compute.cluster.connection import connected
from surrogate.compute.cluster.pool import ClusterPool
from surrogate.compute.errors import ClusterError, NoCluster, UnlikeWorkers, UnsafeCluster

__all__ = [
    "ClusterAddress",
    "ClusterError",
    "ClusterPool",
    "NoCluster",
    "UnlikeWorkers",
    "UnsafeCluster",
    "connected",
]
