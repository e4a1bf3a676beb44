"""Where a cluster's scheduler is, and what keeps strangers out of it.

Whoever reaches a Dask scheduler or worker can run code on it: messages carry pickles. So ``tcp://`` is for one machine
alone, and anything else takes ``tls://``, where both ends show a certificate of one authority (RFC 8446).
"""

from __future__ import annotations

import ipaddress
import os
import ssl
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from surrogate.compute.errors import UnsafeCluster

if TYPE_CHECKING:
    from distributed import Security

PORT = 8786
"""Of a scheduler, where nothing else is said."""
VARIABLES = {"ca": "LABPILOT_CLUSTER_CA", "cert": "LABPILOT_CLUSTER_CERT", "key": "LABPILOT_CLUSTER_KEY"}
"""Which environment variables name the files of TLS."""
_FILES = {
    "ca": "certificate of the authority (CA)",
    "cert": "certificate of this machine",
    "key": "private key of this machine",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterAddress:
    """Where a scheduler is, and the files of TLS, all PEM.

    Raises:
        UnsafeCluster: It is no address, it is off this machine without TLS, or a file cannot be used.
    """

    scheduler: str
    """``tls://host:port``, or ``tcp://127.0.0.1:port``."""
    ca: str | None = None
    """Certificate of the authority that has signed those of client, scheduler and workers."""
    cert: str | None = None
    key: str | None = None

    def __post_init__(self) -> None:
        parts = _parts(self.scheduler)
        if parts.scheme == "tcp":
            self._refuse_beside_tcp(parts)
        else:
            self._refuse_unusable_files()

    @classmethod
    def of(cls, scheduler: str, files: Mapping[str, str | None], environment: Mapping[str, str]) -> ClusterAddress:
        """Return an address with the files that were given, and those of the environment where they were not.

        Args:
            scheduler: The address.
            files: Of TLS, by ``ca``, ``cert`` and ``key``.
            environment: Variables by name; see `VARIABLES`.

        Raises:
            UnsafeCluster: As the class.
        """
        if _parts(scheduler).scheme == "tcp":
            return cls(scheduler=scheduler, **{name: files.get(name) for name in VARIABLES})
        found = {name: files.get(name) or environment.get(variable) or None for name, variable in VARIABLES.items()}
        return cls(scheduler=scheduler, **found)

    @property
    def place(self) -> tuple[str, int]:
        """Return host and port."""
        parts = _parts(self.scheduler)
        return parts.hostname or "", parts.port or PORT

    @property
    def url(self) -> str:
        """Return the address with its port."""
        host, port = self.place
        return f"{_parts(self.scheduler).scheme}://{f'[{host}]' if ':' in host else host}:{port}"

    def security(self) -> Security | None:
        """Return what Dask is told of TLS; None: there is none."""
        from distributed import Security

        if _parts(self.scheduler).scheme == "tcp":
            return None
        return Security(
            require_encryption=True, tls_ca_file=self.ca, tls_client_cert=self.cert, tls_client_key=self.key
        )

    def _refuse_beside_tcp(self, parts: SplitResult) -> None:
        if not is_loopback(parts.hostname or ""):
            raise UnsafeCluster(
                f"{self.scheduler} is not on this machine, and without TLS whoever is in the network could run code on "
                f"it: start scheduler and workers with --tls-ca-file, --tls-cert and --tls-key, and give "
                f"tls://{parts.netloc} with the three files (docs/cluster.md)"
            )
        given = [name for name in VARIABLES if getattr(self, name) is not None]
        if given:
            raise UnsafeCluster(
                f"{self.scheduler} takes no {given[0]}: tcp:// is without TLS; write tls://, or leave it out"
            )

    def _refuse_unusable_files(self) -> None:
        for name, what in _FILES.items():
            path = getattr(self, name)
            if path is None:
                raise UnsafeCluster(
                    f"{self.scheduler} needs the {what}: give --cluster-{name} FILE, or set {VARIABLES[name]}"
                )
            _refuse_unreadable(name, what, path)
        _refuse_unsuitable(str(self.ca), str(self.cert), str(self.key))


def is_loopback(host: str) -> bool:
    """Return whether a host's name or number is of this machine alone."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def host_of(address: str) -> str:
    """Return the host of an address as Dask tells it."""
    return urlsplit(address).hostname or ""


def _parts(scheduler: str) -> SplitResult:
    """Return an address in its parts.

    Raises:
        UnsafeCluster: It is none.
    """
    try:
        parts = urlsplit(scheduler)
        is_whole = parts.scheme in ("tcp", "tls") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # a port that is no number, or a bracket that is never closed
        parts, is_whole = urlsplit(""), False
    if not is_whole or parts.path or parts.query or parts.fragment or parts.username:
        raise UnsafeCluster(
            f"{scheduler!r} is no address of a scheduler; write tls://HOST:{PORT}, or, on one machine, "
            f"tcp://127.0.0.1:{PORT}"
        )
    return parts


def _refuse_unreadable(name: str, what: str, path: str) -> None:
    try:
        with open(path, "rb"):
            mode = os.stat(path).st_mode
    except OSError as error:
        raise UnsafeCluster(f"the {what}, {path}, cannot be read: {error.strerror}") from error
    if name == "key" and mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UnsafeCluster(f"the {what}, {path}, may be read by others than its owner: chmod 600 {path}")


def _refuse_unsuitable(ca: str, cert: str, key: str) -> None:
    """Refuse what is no PEM, and a key that is not the certificate's; a passphrase is never asked for."""
    context = ssl.create_default_context(ssl.Purpose.SERVER_AUTH)
    try:
        context.load_verify_locations(cafile=ca)
    except ssl.SSLError as error:
        raise UnsafeCluster(f"{ca} holds no certificate in PEM form: {error.reason or error}") from error
    try:
        context.load_cert_chain(cert, key, password=lambda: b"")
    except (ssl.SSLError, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise UnsafeCluster(
            f"{cert} and {key} are no certificate and its private key without passphrase, both PEM: {reason}"
        ) from error
