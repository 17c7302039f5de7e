"""`baton doctor`: check this machine and this project. Read-only."""

from __future__ import annotations

import sys
from dataclasses import asdict

import click

from schemas.errors import ExitCode
from streams.cli.output import json_option, print_json, print_labelled, say
from streams.queries.health_checks import Check, run_checks


@click.command()
@json_option
def doctor(as_json: bool) -> None:
    """Check this machine and this project: Java, jars, disk, playbook, processes, failed events, ports,
    topics.

    Read-only. Exit code 5 when a check fails.

    \b
    Example:
      baton doctor
    """
    checks = list(run_checks())
    failed = [check for check in checks if check.level == "fail"]
    if as_json:
        print_json({"healthy": not failed, "checks": [asdict(check) for check in checks]})
    else:
        for check in checks:
            _print_check(check)
        warned = sum(check.level == "warn" for check in checks)
        say(f"{len(checks)} checks: {len(failed)} not passed, {warned} with a warning")
    if failed:
        sys.exit(int(ExitCode.DATA_PROBLEMS))


def _print_check(check: Check) -> None:
    color = {"ok": "green", "warn": "yellow", "fail": "bold red"}[check.level]
    print_labelled(f"{check.level:<4}  {check.name}", check.what, width=16, color=color)
    for label, text in (("why", check.why), ("next", check.next)):
        if text:
            print_labelled(f"{'':<17} {label}:", text, width=23)
