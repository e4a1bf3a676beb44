"""Both stores: a test that asks for `make` runs on SQLite, and on a PostgreSQL server that is started once."""

import contextlib
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest

from orchestrator.directory import CampaignDirectory
from orchestrator.record.faults import Patience
from orchestrator.record.stores import PostgresStore

PASSWORD = "geheim-3"
SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "16MB",
    "max_connections": "40",
    "listen_addresses": "127.0.0.1",
    "password_encryption": "scram-sha-256",
    "autovacuum": "off",
}


def binaries():
    """Return the folder of the newest installed server, or None."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[4]))
    on_path = shutil.which("initdb")
    real = Path(os.path.realpath(on_path)) if on_path else None
    return found[-1].parent if found else real.parent if real else None


def unprivileged():
    """Return whom the server runs as: initdb refuses root."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    return None


@dataclass
class Server:
    """A PostgreSQL server in a folder of its own, on a loopback port and a socket."""

    folder: Path
    bin: Path
    port: int
    process: subprocess.Popen | None = None
    numbers: itertools.count = field(default_factory=itertools.count)

    def _run(self, *command, popen=False, **options):
        user = unprivileged()
        if user is not None:
            options |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        options |= {"cwd": self.folder, "env": {"PATH": os.environ["PATH"], "LC_ALL": "C"}}
        if popen:
            return subprocess.Popen([self.bin / command[0], *command[1:]], **options)
        return subprocess.run([self.bin / command[0], *command[1:]], check=True, capture_output=True, **options)

    def prepare(self):
        (self.folder / "password").write_text(PASSWORD)
        user = unprivileged()
        for path in (self.folder, self.folder / "password"):
            if user is not None:
                os.chown(path, user.pw_uid, user.pw_gid)
        self._run(
            "initdb", "-D", "data", "-U", "lab", "-A", "scram-sha-256", "--pwfile=password", "-E", "UTF8", "--no-sync"
        )

    def start(self):
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        options += [f"--port={self.port}", f"--unix_socket_directories={self.folder}"]
        with (self.folder / "log").open("ab") as log:
            self.process = self._run("postgres", "-D", "data", *options, popen=True, stdout=log, stderr=log)
        until = time.monotonic() + 30
        while True:
            try:
                self.query("SELECT 1")
                return
            except psycopg.OperationalError:
                if time.monotonic() > until or self.process.poll() is not None:
                    raise RuntimeError((self.folder / "log").read_text()[-2000:]) from None
                time.sleep(0.05)

    def stop(self, how=signal.SIGINT):
        """Shut down: SIGINT ends every session first, SIGQUIT is as good as a crash."""
        self.process.send_signal(how)
        self.process.wait(30)

    def query(self, text):
        """Run a statement as somebody else who uses the server; return its rows."""
        with psycopg.connect(
            host="127.0.0.1", port=self.port, user="lab", password=PASSWORD, dbname="postgres", autocommit=True
        ) as connection:
            cursor = connection.execute(text)
            return cursor.fetchall() if cursor.description else []

    def url(self, port=None):
        return f"postgresql+psycopg://lab@127.0.0.1:{port or self.port}/postgres"

    def socket_url(self):
        return f"postgresql+psycopg://lab@/postgres?host={self.folder}&port={self.port}"

    def store(self, url=None):
        return PostgresStore(url=url or self.url(), schema=f"labpilot_test_{next(self.numbers)}_{os.getpid()}")

    def sessions(self):
        """Return the process numbers of the sessions that labpilot has open."""
        return [pid for (pid,) in self.query("SELECT pid FROM pg_stat_activity WHERE application_name = 'labpilot'")]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def postgres():
    """Start a server for the session, with the password at hand as libpq wants it."""
    found = binaries()
    if found is None:
        pytest.skip("no PostgreSQL server is installed (no initdb under /usr/lib/postgresql or on the PATH)")
    if os.geteuid() == 0 and unprivileged() is None:
        pytest.skip("PostgreSQL refuses to run as root, and there is no user 'postgres' or 'nobody' to run it as")
    folder = Path(tempfile.mkdtemp(prefix="labpilot-pg-"))
    server = Server(folder, found, free_port())
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGPASSWORD", PASSWORD)
        patch.delenv("LABPILOT_STORE", raising=False)
        server.prepare()
        server.start()
        yield server
        server.stop()
    shutil.rmtree(folder)


@pytest.fixture(params=["sqlite", "postgresql"])
def store_kind(request):
    return request.param


@pytest.fixture
def make(store_kind, request, tmp_path_factory):
    """Return what makes a campaign directory whose journal lives in the store under test."""
    server = request.getfixturevalue("postgres") if store_kind == "postgresql" else None

    def make_directory(path=None):
        store = server.store() if server else None
        return CampaignDirectory.create(path or tmp_path_factory.mktemp("campaign") / "c", {}, store=store)

    return make_directory


@pytest.fixture
def directory(make):
    return make()


@pytest.fixture
def engine(directory):
    engine = directory.database(fsync=False, migrate=True)
    yield engine
    engine.dispose()


@pytest.fixture
def brief():
    """Return a patience that is short, for faults that do not pass."""
    return Patience(total_s=0.3, first_pause_s=0.05)
