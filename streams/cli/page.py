"""`baton page`: the page of both departments, over a project's running worker."""

from __future__ import annotations

import signal
import threading

import click

from streams.cli.output import say
from streams.project import Project
from streams.web.app import make_page
from streams.web.serving import DEFAULT_PORT, serve_page
from streams.web.source import WorkerSource


@click.command()
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=DEFAULT_PORT,
    show_default=True,
    help="Port on loopback; 0 takes any that is free.",
)
def page(port: int) -> None:
    """Serve the page on this machine until Ctrl-C: goal, handoffs, funnel, playbook, what-if.

    It asks the running worker, and moves with it. Without one it shows the numbers as they were left.

    \b
    Example:
      baton page
    """
    address = serve_page(make_page(WorkerSource(Project.here())), port)
    is_ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_ending.set())
    click.echo(address.url)
    say("Ctrl-C ends it.")
    is_ending.wait()
    address.stop()
