"""How `labpilot metrics --serve` answers Prometheus, on this computer only."""

from __future__ import annotations

import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

from orchestrator.errors import InputError, LabpilotError
from orchestrator.metrics import CONTENT_TYPE, exposition
from orchestrator.status.looks import Looks

HOST = "127.0.0.1"
LARGEST_SHARE = 0.1
"""Of the time, at most so much is spent on looking; who asks sooner gets what was last seen."""
CLIENT_S = 10.0
"""What one client may take to say what it wants."""


class Seen:
    """What was last seen of a campaign, as text."""

    def __init__(self, path: Path) -> None:
        self._looks = Looks(path)
        self._text = ""
        self._again_s = 0.0

    def text(self) -> str:
        """Return the metrics, from a new look where one is due.

        Raises:
            LabpilotError: The campaign cannot be read.
        """
        began = time.monotonic()
        if began >= self._again_s:
            status = self._looks.look()
            self._text = exposition(status, self._looks.findings)
            over = time.monotonic()
            self._again_s = over + (over - began) * (1.0 / LARGEST_SHARE - 1.0)
        return self._text


class MetricsServer(HTTPServer):
    """Serves the metrics of one campaign; one client after the other."""

    def __init__(self, path: Path, port: int) -> None:
        self.seen = Seen(path)
        self.seen.text()  # what is wrong with the directory is said before anything is served
        super().__init__((HOST, port), _Answer)


class _Answer(BaseHTTPRequestHandler):
    server: MetricsServer  # pyright: ignore[reportIncompatibleVariableOverride]
    timeout = CLIENT_S

    def do_GET(self) -> None:
        """Answer with the metrics."""
        if self.path.partition("?")[0] != "/metrics":
            self._send(HTTPStatus.NOT_FOUND, "the metrics are at /metrics\n")
            return
        try:
            self._send(HTTPStatus.OK, self.server.seen.text())
        except LabpilotError as error:  # locked for a moment, say: Prometheus comes again
            self._send(HTTPStatus.SERVICE_UNAVAILABLE, f"{error}\n")

    def _send(self, status: HTTPStatus, text: str) -> None:
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is the base's
        """Say nothing of each request."""


def open_server(path: Path, port: int) -> MetricsServer:
    """Return a server that listens.

    Raises:
        InputError: The port is taken or may not be used, or the directory holds no campaign.
        NewerVersion, StorageError: It cannot be read.
    """
    try:
        return MetricsServer(path, port)
    except OSError as error:
        raise InputError(f"cannot listen on {HOST}:{port}: {error.strerror}; name another --serve") from error
