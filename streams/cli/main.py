"""The `baton` command. Each subcommand is imported from its module when it is called."""

from __future__ import annotations

import importlib
import json
import keyword
import os
import sys
from contextlib import suppress
from typing import NoReturn

import click

from schemas.errors import NO_ROOM, BatonError, ExitCode, quoted, unwritable
from streams.cli.output import prepare_output, say_error

# By group, in the order of `baton --help`.
COMMANDS = {
    "Run it": {
        "up": ("streams.cli.services", "Start Kafka and the workers."),
        "down": ("streams.cli.services", "Stop them; the data stays."),
        "status": ("streams.cli.services", "Show processes, events, lag, file sizes."),
        "doctor": ("streams.cli.doctor", "Check this machine and this project."),
        "worker": ("streams.cli.worker", "Run one worker in the foreground."),
    },
    "Put events in": {
        "publish": ("streams.cli.publish", "Publish events from a file of JSON lines."),
        "import": ("streams.cli.import_files", "Make events of exports of other tools."),
        "simulate": ("streams.cli.simulate", "Write a simulated funnel to a file."),
        "demo": ("streams.cli.demo", "Run a simulated quarter from start to finish."),
    },
    "Read the numbers": {
        "sql": ("streams.cli.sql", "Run one SELECT on the warehouse."),
        "page": ("streams.cli.page", "Serve the page of both departments."),
        "explain": ("streams.cli.explain", "Trace a number to its events."),
        "snapshot": ("streams.cli.snapshot", "Copy the views to a file for BI tools."),
        "export": ("streams.cli.export", "Write the recorded events to a file."),
        "alerts": ("streams.cli.alerts", "List alerts."),
    },
    "Meet": {
        "report": ("streams.cli.report", "Write the pack of the weekly meeting."),
        "decide": ("streams.cli.decide", "Record a decision."),
        "dispute": ("streams.cli.dispute", "Open or settle a dispute about a number."),
    },
    "Agree on the playbook": {
        "playbook": ("streams.cli.playbook", "Check, compare, propose, sign."),
        "whatif": ("streams.cli.whatif", "Try a proposed playbook on recorded history."),
    },
    "Check and repair": {
        "verify": ("streams.cli.verify", "Replay the log and compare every table."),
        "rebuild": ("streams.cli.verify", "Recompute what is stored beside the facts."),
        "repair": ("streams.cli.repair", "Set a damaged warehouse file aside."),
        "backup": ("streams.cli.repair", "Copy the warehouse to a file."),
        "failed": ("streams.cli.failed", "Inspect and redrive unreadable records."),
        "access": ("streams.cli.access", "Give somebody a token for their own tools."),
        "contract": ("streams.cli.contract", "Check the event contract, write its reference."),
    },
}
_MODULES = {name: module for group in COMMANDS.values() for name, (module, _) in group.items()}


class LazyGroup(click.Group):
    """Commands by name, imported when called, so that `baton --help` and tab completion stay fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _MODULES:
            return None
        name = f"{cmd_name}_" if keyword.iskeyword(cmd_name) else cmd_name
        command: click.Command = getattr(importlib.import_module(_MODULES[cmd_name]), name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for group, commands in COMMANDS.items():
            with formatter.section(group):
                formatter.write_dl([(f"{name:<8}", summary) for name, (_, summary) in commands.items()])


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="baton-revenue", prog_name="baton")
def baton() -> None:
    """One revenue funnel for Marketing and Sales, from events in Kafka.

    \b
    Example:
      baton up
      baton sql "select state, handoffs from funnel.black_hole"
    """


def main(command: click.Command = baton) -> None:
    """Run a command; a BatonError becomes a message with the next command, and its exit code."""
    # Hostile bytes make polars panic. That is caught, so its stack trace is only noise.
    os.environ["RUST_BACKTRACE"] = "0"
    prepare_output()
    try:
        sys.exit(_run(command))
    except BatonError as error:
        _end_with(error)
    except BrokenPipeError:
        sys.exit(int(ExitCode.FAILED))
    except OSError as error:
        if error.errno in NO_ROOM:
            place = str(error.filename or "a file that this command writes")
            _end_with(unwritable(place, error, "df -h", "baton COMMAND --help"))
        if error.filename is None:
            raise
        _end_with(_refused(error))
    except click.exceptions.Abort:
        _end_interrupted()
    except RuntimeError as error:
        if str(error) != "Query interrupted":  # what DuckDB makes of Ctrl-C
            raise
        _end_interrupted()
    except click.ClickException as error:
        error.show()
        sys.exit(int(ExitCode.USAGE))


def _run(command: click.Command) -> int | str | None:
    """The exit code of the command, once all that it printed is out."""
    try:
        # Without standalone mode click returns the code of ctx.exit() instead of exiting with it.
        code = command.main(standalone_mode=False) or 0
    except SystemExit as end:
        code = end.code
    if sys.stdout is not None:
        sys.stdout.flush()
    return code


def _refused(error: OSError) -> BatonError:
    return BatonError(
        "The system refuses a file",
        where=str(error.filename),
        why=error.strerror or str(error),
        next_command=f"ls -ld {quoted(error.filename)}",
    )


def _end_with(error: BatonError) -> NoReturn:
    if "--json" in sys.argv:
        print(json.dumps(error.as_dict()))
    say_error(error)
    sys.exit(int(error.exit_code))


def _end_interrupted() -> NoReturn:
    """End now: threads that are busy computing would keep the process."""
    click.echo("baton: interrupted", err=True)
    with suppress(OSError):
        sys.stdout.flush()
    os._exit(int(ExitCode.INTERRUPTED))


if __name__ == "__main__":
    main()
