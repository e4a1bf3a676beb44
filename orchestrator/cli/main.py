"""The command line: `labpilot COMMAND ...`.

Each command is a module of its own, imported when it is invoked and not before, so that `labpilot --help` is quick. To
add one:

1. write `orchestrator/cli/NAME.py` (underscores for dashes) with a function `command`, annotated as typer wants it,
   whose docstring is the help; it returns None or the exit code, prints with `print`, and raises
   `orchestrator.errors` for whatever goes wrong (or a `typer.Typer` called `command`, for a command with commands of
   its own);
2. add its name and one line of help to `COMMANDS`.

`main` turns every error into one message on stderr and a documented exit code (docs/exit_codes.md). With
LABPILOT_DEBUG=1 the traceback follows.
"""

from __future__ import annotations

import errno
import io
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from orchestrator.cli.shadows import shadowed_packages
from orchestrator.errors import LabpilotError

COMMANDS: Mapping[str, str] = {
    "demo": "Simulate a SARA campaign and write its report.",
    "check": "Find every mistake in a campaign and its lab.",
    "simulate": "Run a campaign in virtual time.",
    "compare": "Say which planner is better on a campaign.",
    "run": "Run a campaign on the instruments of its lab.",
    "resume": "Go on with a campaign that was interrupted.",
    "drill": "Have a laboratory suffer every fault, and judge it.",
    "status": "Say where a campaign stands.",
    "health": "Say what about a campaign deserves a look.",
    "compute": "Say how well planning was hidden behind trials.",
    "metrics": "Write a campaign's numbers for Prometheus.",
    "orders": "Tell a campaign what to do, and answer its questions.",
    "models": "Say which model leads, and go back to another.",
    "guard": "Ask the guard beside a campaign, and stop all through it.",
    "notify-test": "Send a test message through every channel of a lab.",
    "report": "Write a campaign's report as one HTML file.",
    "export": "Write a campaign's tables as CSV or Parquet.",
    "read": "Say what measurement files hold, and draw them.",
    "convert": "Write a measurement as NeXus, CSV or Parquet.",
    "identify": "Say which phases patterns hold, how much, how sure.",
    "energies": "Fetch energies of phases for a planner of reactions.",
    "devices": "List or describe the installed drivers.",
    "driver": "Write a new driver, or check one under faults.",
    "simulator": "Serve a simulated instrument on real ports.",
}
"""Every command and its line in `labpilot --help`."""

EXIT_UNEXPECTED = 1
EXIT_USAGE = 2
EXIT_REFUSED = 3
EXIT_IN_USE = 4
EXIT_STORAGE = 6
EXIT_INTERRUPTED = 130
_FOREIGN_CODES = (
    ("drivers.errors", "DriverError", EXIT_REFUSED),
    ("drivers.registry", "DriverNotFound", EXIT_USAGE),
    ("drivers.links.url", "BadURL", EXIT_USAGE),
    ("planner.errors", "PlannerError", EXIT_USAGE),
    ("sqlite3", "Error", EXIT_STORAGE),
    ("simulators.world", "WorldBusy", EXIT_IN_USE),
)
"""Errors of the rooms below that a user can cause, where a command lets one through; never imported for this."""
_STORAGE_ERRNOS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO})


class LazyGroup(TyperGroup):
    """The commands by name; a module is imported only when its command is invoked (or completed)."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names of all commands, in the order of the help."""
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return what the help needs of a command: its name and its line."""
        if cmd_name not in COMMANDS:
            return None
        return TyperCommand(name=cmd_name, help=COMMANDS[cmd_name])

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Import the command that is invoked."""
        self.commands = dict.fromkeys(COMMANDS)  # type: ignore[assignment] # typer suggests from these names
        name, found, rest = super().resolve_command(ctx, args)
        return (name, _load(name), rest) if found is not None and name is not None else (name, found, rest)


def _load(name: str) -> Any:
    declared = import_module(f"orchestrator.cli.{name.replace('-', '_')}").command
    if isinstance(declared, typer.Typer):
        command = typer.main.get_command(declared)
    else:
        alone = typer.Typer(add_completion=False, rich_markup_mode=None)
        alone.command(name)(declared)
        command = typer.main.get_command(alone)
    command.name = name
    return command


def _version(is_asked: bool) -> None:
    if is_asked:
        from importlib.metadata import version

        print(f"labpilot {version('labpilot')}")
        raise typer.Exit


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback()
def labpilot(
    version: bool = typer.Option(False, "--version", callback=_version, is_eager=True, help="Show the version."),
) -> None:
    """Run a laboratory in a closed loop: plan, act, measure, learn, report."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code.

    Raises:
        SystemExit: Always.
    """
    # before anything loads numpy: matrices are small, and sums whose order varies with the number of threads would
    # make a resumed campaign differ from one that was not interrupted
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # a name of a file with bytes that are no characters, or a terminal that lacks one, must not end a series
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(supervise(arguments))


def supervise(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code: the one place where any exception ends in a message."""
    strangers = shadowed_packages()
    if strangers:
        return _tell("\n".join(strangers), EXIT_USAGE)
    try:
        result = app(args=None if arguments is None else list(arguments), prog_name="labpilot", standalone_mode=False)
        sys.stdout.flush()
        return result if isinstance(result, int) else 0
    except typer.TyperException as error:
        return _usage(error)
    except LabpilotError as error:
        return _tell(str(error), error.exit_code)
    except (KeyboardInterrupt, typer.Abort):
        return _tell("interrupted", EXIT_INTERRUPTED)
    except BrokenPipeError:
        return _stop_writing()
    except SystemExit as left:
        # typer leaves this way where it meets a broken pipe itself
        if isinstance(left.__context__, BrokenPipeError):
            return _stop_writing()
        raise
    except OSError as error:
        return _os_error(error)
    except Exception as error:
        return _unexpected(error)


def _stop_writing() -> int:
    """Go quietly: whoever read our output (head, say) has had enough, and Python would complain at its own exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
    return 0


def _usage(error: Any) -> int:
    context = getattr(error, "ctx", None)
    if type(error).__name__ == "NoArgsIsHelpError":
        print(error.format_message())
        return EXIT_USAGE
    hint = f"\ntry '{context.command_path} --help'" if context is not None else ""
    return _tell(f"{error.format_message()}{hint}", error.exit_code)


def _os_error(error: OSError) -> int:
    if error.errno not in _STORAGE_ERRNOS:
        return _unexpected(error)
    where = f" {error.filename}" if error.filename else ""
    return _tell(f"cannot write or read{where}: {error.strerror}", EXIT_STORAGE)


def _unexpected(error: Exception) -> int:
    for module, name, exit_code in _FOREIGN_CODES:
        if module in sys.modules and isinstance(error, getattr(sys.modules[module], name)):
            return _tell(str(error), exit_code)
    return _tell(
        f"unexpected {type(error).__name__}: {error}\nthis is a defect of labpilot; LABPILOT_DEBUG=1 shows where",
        EXIT_UNEXPECTED,
    )


def _tell(message: str, exit_code: int) -> int:
    print(f"labpilot: {message}" if "\n" not in message else message, file=sys.stderr)
    if os.environ.get("LABPILOT_DEBUG") == "1" and sys.exc_info()[0] is not None:
        traceback.print_exc()
    return exit_code


if __name__ == "__main__":
    main()
