"""The `baton` command. Each verb lives in the module its row names and is imported when it is called."""

from __future__ import annotations

import importlib
import json
import sys

import click

from schemas.errors import BatonError, ExitCode

VERBS = {
    "up": "streams.cli.services",
    "down": "streams.cli.services",
    "status": "streams.cli.services",
    "doctor": "streams.cli.doctor",
    "worker": "streams.cli.worker",
    "publish": "streams.cli.publish",
    "simulate": "streams.cli.simulate",
    "demo": "streams.cli.demo",
    "sql": "streams.cli.sql",
    "verify": "streams.cli.verify",
    "rebuild": "streams.cli.verify",
    "contract": "streams.cli.contract",
    "playbook": "streams.cli.playbook",
    "failed": "streams.cli.failed",
    "alerts": "streams.cli.alerts",
    "bench": "streams.cli.bench",
}


class Verbs(click.Group):
    """Commands by name, imported on use, so that `baton --help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = VERBS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command


@click.command(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="baton-revenue", prog_name="baton")
def baton() -> None:
    """One funnel for Marketing and Sales, from Kafka to numbers both can trust."""


def main() -> None:
    """Run a verb; a BatonError becomes a message with the next command, and its exit code."""
    try:
        baton.main(standalone_mode=False)
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
    except click.exceptions.Exit as stop:
        sys.exit(stop.exit_code)


if __name__ == "__main__":
    main()
