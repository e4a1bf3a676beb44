"""The frame of the command line: lazy commands, exit codes, one message and no traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import types
from importlib import import_module
from importlib.util import find_spec

import pytest
import typer

from drivers.errors import OutOfLimits
from orchestrator import errors
from orchestrator.cli import main as cli
from planner.errors import BadOption

HEAVY = ("pydantic", "numpy", "pint", "sqlmodel", "sqlalchemy", "torch", "ruamel.yaml", "rich", "drivers", "planner")


@pytest.fixture
def broken(monkeypatch):
    """A command `check` that raises what the test wants."""

    def install(problem):
        def command(status: int = 0):
            """Break."""
            if problem is not None:
                raise problem
            return status

        module = types.ModuleType("orchestrator.cli.check")
        module.command = command
        monkeypatch.setitem(sys.modules, "orchestrator.cli.check", module)

    return install


def _run(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "orchestrator.cli.main", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", **environment},
        timeout=60,
    )


def test_help_names_every_command_and_loads_nothing_slow():
    code = (
        "import sys\n"
        "from orchestrator.cli.main import supervise\n"
        "status = supervise(['--help'])\n"
        f"loaded = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "print('status', status, 'loaded', loaded)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("status 0 loaded []\n")
    for name, line in cli.COMMANDS.items():
        assert f"  {name}" in done.stdout
        assert line in done.stdout


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_module_with_a_documented_command(name):
    module = f"orchestrator.cli.{name.replace('-', '_')}"
    assert find_spec(module) is not None
    declared = import_module(module).command
    assert isinstance(declared, typer.Typer) or declared.__doc__


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_has_a_help_page(name, capsys):
    assert cli.supervise([name, "--help"]) == 0
    assert f"labpilot {name}" in capsys.readouterr().out


def test_completion_offers_commands_and_their_options():
    words = {"_LABPILOT_COMPLETE": "complete_bash", "COMP_CWORD": "1", "COMP_WORDS": "labpilot dev"}
    assert _run(**words).stdout.split() == ["devices"]
    words = {"_LABPILOT_COMPLETE": "complete_bash", "COMP_CWORD": "2", "COMP_WORDS": "labpilot check --l"}
    assert _run(**words).stdout.split() == ["--lab"]


def test_version_is_printed(capsys):
    assert cli.supervise(["--version"]) == 0
    assert capsys.readouterr().out.startswith("labpilot ")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["chek"], "labpilot: No such command 'chek'. Did you mean 'check'?"),
        (["check"], "Missing argument"),
        (["check", "a.yaml", "--sett", "x"], "No such option"),
    ],
)
def test_usage_errors_end_with_2(arguments, message, capsys):
    assert cli.supervise(arguments) == 2
    assert message.removeprefix("labpilot: ") in capsys.readouterr().err


def test_without_arguments_the_help_is_shown(capsys):
    assert cli.supervise([]) == 2
    assert "Usage: labpilot" in capsys.readouterr().out


CODES = [
    (errors.LabpilotError("no"), 1),
    (errors.InputError("no"), 2),
    (errors.LabRefused("no"), 3),
    (errors.InUse("no"), 4),
    (errors.NewerVersion("no"), 5),
    (errors.StorageError("no"), 6),
    (errors.CampaignFaulted("no"), 7),
    (OutOfLimits("no", value=1.0, low=None, high=0.0, unit="mm"), 3),
    (BadOption("no"), 2),
    (OSError(errno.ENOSPC, "No space left on device", "/full/journal.sqlite"), 6),
    (PermissionError(errno.EACCES, "Permission denied", "/root"), 6),
    (OSError(errno.ECONNRESET, "Connection reset"), 1),
    (ZeroDivisionError("no"), 1),
    (KeyboardInterrupt(), 130),
    (typer.Abort(), 130),
    (typer.Exit(7), 7),
]


@pytest.mark.parametrize(("problem", "code"), CODES, ids=[f"{type(item).__name__}-{code}" for item, code in CODES])
def test_every_error_has_its_exit_code_and_one_message(problem, code, broken, capsys):
    broken(problem)
    assert cli.supervise(["check"]) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.err
    assert said.out == ""


def test_the_exit_code_of_a_command_is_passed_on(broken):
    broken(None)
    assert cli.supervise(["check", "--status", "7"]) == 7
    assert cli.supervise(["check"]) == 0


def test_a_full_disk_names_the_file(broken, capsys):
    broken(OSError(errno.ENOSPC, "No space left on device", "/full/journal.sqlite"))
    cli.supervise(["check"])
    assert "/full/journal.sqlite: No space left on device" in capsys.readouterr().err


def test_the_traceback_is_shown_on_request(broken, capsys, monkeypatch):
    broken(ZeroDivisionError("no"))
    monkeypatch.setenv("LABPILOT_DEBUG", "1")
    assert cli.supervise(["check"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_the_exit_code_reaches_the_shell():
    done = _run("check", "missing.yaml")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("missing.yaml: no such file")


def test_a_reader_that_has_had_enough_is_no_error():
    command = f"{sys.executable} -m orchestrator.cli.main devices list --json | head -c 1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


def test_documented_codes_are_those_of_the_errors():
    text = (cli_docs() / "exit_codes.md").read_text()
    for error in (errors.LabpilotError, *errors.LabpilotError.__subclasses__()):
        assert f"| {error.exit_code} | " in text
    assert f"| {cli.EXIT_INTERRUPTED} | " in text


def cli_docs():
    from pathlib import Path

    return Path(cli.__file__).parents[2] / "docs"


def test_every_command_computes_on_one_thread_unless_told_otherwise():
    code = (
        "import os\n"
        "from orchestrator.cli.main import main\n"
        "try: main(['--version'])\n"
        "except SystemExit: print(os.environ['OMP_NUM_THREADS'])\n"
    )
    given = {name: value for name, value in os.environ.items() if name != "OMP_NUM_THREADS"}
    for more, threads in (({}, "1"), ({"OMP_NUM_THREADS": "3"}, "3")):
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env={**given, **more})
        assert done.stdout.splitlines()[-1] == threads
