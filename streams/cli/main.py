"""The `baton` command. Each verb lives in the module its row names and is imported when it is called."""

from __future__ import annotations

import importlib
import json
import os
import sys

import click

from schemas.errors import BatonError, ExitCode

VERBS = {
    "up": ("streams.cli.services", "Start Kafka and the worker, or say what already runs."),
    "down": ("streams.cli.services", "Stop what `up` started; the data stays."),
    "status": ("streams.cli.services", "What runs, how many events, how far behind."),
    "doctor": ("streams.cli.doctor", "Find what is wrong before you do."),
    "demo": ("streams.cli.demo", "A made-up company through a real Kafka."),
    "publish": ("streams.cli.publish", "Send events from a file of JSON lines."),
    "simulate": ("streams.cli.simulate", "Write the events of a lifelike funnel to a file."),
    "worker": ("streams.cli.worker", "Follow the log in the foreground."),
    "sql": ("streams.cli.sql", "One SELECT over the live tables."),
    "explain": ("streams.cli.explain", "Open any number, down to its events."),
    "whatif": ("streams.cli.whatif", "Try a proposed playbook on recorded history."),
    "verify": ("streams.cli.verify", "Replay the log and compare every table."),
    "rebuild": ("streams.cli.verify", "Compute all states again from the stored facts."),
    "failed": ("streams.cli.failed", "Records that could not be understood, and sending them again."),
    "alerts": ("streams.cli.alerts", "Alerts raised on the stream."),
    "playbook": ("streams.cli.playbook", "What Marketing and Sales agreed on."),
    "contract": ("streams.cli.contract", "The event contract: check it, document it."),
}


class Verbs(click.Group):
    """Commands by name, imported when called, so that `baton --help` and tab completion stay quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = getattr(importlib.import_module(VERBS[cmd_name][0]), cmd_name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(verb, says) for verb, (_, says) in VERBS.items()])


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="baton-revenue", prog_name="baton")
def baton() -> None:
    """One funnel for Marketing and Sales, from Kafka to numbers both can trust."""


def main() -> None:
    """Run a verb; a BatonError becomes a message with the next command, and its exit code."""
    # Hostile bytes make polars panic. That is caught, and a page of its stack says nothing.
    os.environ["RUST_BACKTRACE"] = "0"
    try:
        # Without standalone mode click returns the code of ctx.exit() instead of exiting with it.
        sys.exit(baton.main(standalone_mode=False) or 0)
    except BatonError as error:
        if "--json" in sys.argv:
            print(json.dumps(error.as_dict()))
        click.echo(f"baton: {error}", err=True)
        sys.exit(int(error.exit_code))
    except click.exceptions.Abort:
        click.echo("baton: interrupted", err=True)
        sys.exit(int(ExitCode.FAILED))
    except click.ClickException as error:
        error.show()
        sys.exit(int(ExitCode.USAGE))


if __name__ == "__main__":
    main()
