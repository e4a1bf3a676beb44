"""Joining a cluster, and all that can be wrong with it."""

import asyncio
import logging
import socket
import subprocess
import sys
import time

import pytest
from distributed import LocalCluster, Scheduler, Security

from surrogate.compute.cluster import ClusterAddress, NoCluster, UnlikeWorkers, UnsafeCluster, connected
from tests.surrogate.compute.cluster.machines import (
    DOUBLE,
    WITHIN_S,
    certificates,
    live,
    until,
    wait_until,
    worker_by_hand,
)


async def ask(queue, pool):
    return (await queue.submit(DOUBLE).value(within_s=WITHIN_S))["twice"]


def test_with_certificates_of_one_authority_jobs_run_and_with_others_nobody_comes_in(tmp_path):
    files, strange = certificates(tmp_path), certificates(tmp_path, "strange")
    security = Security(
        require_encryption=True, tls_ca_file=files["ca"],
        **{f"tls_{who}_{part}": files[part] for who in ("client", "scheduler", "worker") for part in ("cert", "key")},
    )  # fmt: skip
    with LocalCluster(
        n_workers=1, threads_per_worker=1, processes=True, host="tls://127.0.0.1", dashboard_address=":0",
        security=security, silence_logs=logging.CRITICAL,
    ) as cluster:  # fmt: skip
        scheduler = cluster.scheduler_address
        assert scheduler.startswith("tls://")
        assert live(ClusterAddress(scheduler=scheduler, **files), ask) == 6
        with pytest.raises(NoCluster, match="are all certificates signed by the same authority"):
            live(ClusterAddress(scheduler=scheduler, **strange), ask, answers_s=2.0)
        with pytest.raises(NoCluster, match="is it started with the same protocol"):
            live(scheduler.replace("tls://", "tcp://"), ask, answers_s=2.0)


def test_a_scheduler_that_is_not_there_is_told_at_once():
    began_s = time.monotonic()
    with pytest.raises(NoCluster, match=r"no scheduler answers at tcp://127.0.0.1:1 \(Connection refused\); start one"):
        live("tcp://127.0.0.1:1", ask)
    assert time.monotonic() - began_s < 20.0


def test_what_answers_and_is_no_scheduler_is_told():
    async def main():
        server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, connected(ClusterAddress(scheduler=f"tcp://127.0.0.1:{port}"), answers_s=1.0):
            pass

    with pytest.raises(NoCluster, match="no scheduler that talks with this process"):
        asyncio.run(main())


def test_a_scheduler_without_workers_is_told_and_one_that_others_reach_is_refused():
    told = []

    async def main(host):
        async with Scheduler(host=host, port=0, dashboard_address="127.0.0.1:0") as scheduler:
            port = scheduler.port
            if host == "0.0.0.0" and "127.0.0.1" in scheduler.address:
                pytest.skip("this machine has no address but its own")
            address = ClusterAddress(scheduler=f"tcp://127.0.0.1:{port}")
            async with connected(address, workers_within_s=0.3, waiting=lambda: told.append(1)):
                pass

    with pytest.raises(NoCluster, match=r"start some \(`dask worker tcp://127.0.0.1:\d+ --host 127.0.0.1 "):
        asyncio.run(main("127.0.0.1"))
    assert told == [1]
    with pytest.raises(UnsafeCluster, match="can be reached from other machines without TLS.*--host 127.0.0.1"):
        asyncio.run(main("0.0.0.0"))


def test_a_scheduler_that_goes_while_workers_are_waited_for_is_told():
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    scheduler = [sys.executable, "-m", "dask", "scheduler", "--host", "127.0.0.1", "--port", str(port)]
    with subprocess.Popen([*scheduler, "--no-dashboard"], stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: is_listening(port))

        async def main():
            address = ClusterAddress(scheduler=f"tcp://127.0.0.1:{port}")
            async with connected(address, waiting=process.kill, workers_within_s=WITHIN_S):
                pass

        with pytest.raises(NoCluster, match="has gone while workers were waited for .*; start it again"):
            asyncio.run(main())


def is_listening(port):
    with socket.socket() as one:
        return one.connect_ex(("127.0.0.1", port)) == 0


def test_a_worker_that_listens_to_everybody_is_refused_whatever_its_address_says():
    """`dask worker` without --host: its address is of this machine, and its port open to all."""

    async def main():
        async with Scheduler(host="127.0.0.1", port=0, dashboard_address="127.0.0.1:0") as scheduler:
            with worker_by_hand(scheduler.address, "--no-nanny", host=()):
                await until(lambda: scheduler.workers)
                async with connected(ClusterAddress(scheduler=scheduler.address)):
                    pass

    with pytest.raises(UnsafeCluster, match=r"the worker at tcp://0\.0\.0\.0:\d+ can be reached from other machines"):
        asyncio.run(main())


def test_a_worker_of_another_version_is_refused_and_one_that_comes_later_is_not_used(scheduler, tmp_path):
    """It has our code, and what is installed there says that it is another version of it."""
    installed = tmp_path / "labpilot-9.9.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: labpilot\nVersion: 9.9\n")

    async def life(queue, pool):
        await until(lambda: pool.n_places == 2)
        with worker_by_hand(scheduler, "--nthreads", "1", "--no-nanny", first=str(tmp_path)):
            await until(lambda: pool.unlike)
            (words,) = pool.unlike.values()
            with pytest.raises(
                UnlikeWorkers, match="(?s)install the same versions there.*labpilot is 9.9 there"
            ) as caught:
                async with connected(ClusterAddress(scheduler=scheduler)):
                    pass
        return words, caught.value.differences, pool.n_places

    words, differences, n_places = live(scheduler, life)
    assert words == [next(iter(differences.values()))[0]] and words[0].startswith("labpilot is 9.9 there and 0")
    assert n_places == 2
