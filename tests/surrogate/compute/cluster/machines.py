"""Machines for tests: clusters on loopback, workers started by hand, certificates that were made a moment ago."""

import asyncio
import datetime
import logging
import os
import subprocess
import sys
import time
from contextlib import contextmanager
from dataclasses import replace
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from distributed import LocalCluster

from surrogate.compute import ComputeQueue, Job, JobClass
from surrogate.compute.cluster import ClusterAddress, connected

WORK = "tests.surrogate.compute.work:"
MIB = 2**20
WITHIN_S = 90.0
DOUBLE = Job(job_class=JobClass.UPDATE, function=WORK + "double", arguments={"x": 3}, memory_bytes=64 * MIB)


def call(name, **arguments):
    return replace(DOUBLE, function=WORK + name, arguments=arguments)


@contextmanager
def local_cluster(workers=2, **options):
    """A scheduler in this process, and workers with nannies in processes of their own."""
    with LocalCluster(
        n_workers=workers, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address=":0",
        silence_logs=logging.CRITICAL, **options,
    ) as cluster:  # fmt: skip
        yield cluster


@contextmanager
def worker_by_hand(scheduler, *options, first="", host=("--host", "127.0.0.1")):
    """`dask worker`, as on another machine; what is in the folder `first` goes before all that is installed."""
    with subprocess.Popen(
        [sys.executable, "-m", "dask", "worker", scheduler, *host, "--no-dashboard", *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        cwd=first or None,  # where Python is started goes before PYTHONPATH, and may hold our egg-info
        env=os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, [first, *sys.path]))},
    ) as process:  # fmt: skip
        try:
            yield process
        finally:
            process.kill()


def live(scheduler, life, **options):
    """Run a coroutine function of a queue and its pool."""

    async def main():
        address = scheduler if isinstance(scheduler, ClusterAddress) else ClusterAddress(scheduler=scheduler)
        async with connected(address, **options) as pool, ComputeQueue(pool) as queue:
            return await life(queue, pool)

    return asyncio.run(main())


async def until(condition):
    """Poll, with a deadline."""
    async with asyncio.timeout(WITHIN_S):
        while not condition():
            await asyncio.sleep(0.01)


def wait_until(condition):
    until_s = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < until_s
        time.sleep(0.02)


def is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def certificates(folder, name="labpilot"):
    """Make an authority, and a certificate that it has signed; return the files as TLS of a cluster takes them."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = _certificate(f"{name} authority", authority_key, f"{name} authority", authority_key, is_authority=True)
    certificate = _certificate("127.0.0.1", key, f"{name} authority", authority_key, is_authority=False)
    files = {part: folder / f"{name}-{part}.pem" for part in ("ca", "cert", "key")}
    pem = serialization.Encoding.PEM
    files["ca"].write_bytes(authority.public_bytes(pem))
    files["cert"].write_bytes(certificate.public_bytes(pem))
    files["key"].write_bytes(
        key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )  # fmt: skip
    files["key"].chmod(0o600)
    return {part: str(path) for part, path in files.items()}


def _certificate(subject, key, issuer, issuer_key, *, is_authority):
    now = datetime.datetime.now(datetime.UTC)
    names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in (subject, issuer)]
    builder = (
        x509.CertificateBuilder()
        .subject_name(names[0])
        .issuer_name(names[1])
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    )
    return builder.sign(issuer_key, hashes.SHA256())
