"""`baton page`: where the page of both departments is."""

from __future__ import annotations

import signal
import threading

import click

from streams.cli.output import say
from streams.local.worker_process import page_of
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
    """Say where the page is: goal, handoffs, funnel, playbook, what-if. Open it in a browser.

    A running worker serves it. Without one it is served until Ctrl-C, with the numbers as they were left.

    \b
    Example:
      baton page
    """
    project = Project.here()
    if url := page_of(project.numbers):
        click.echo(url)
        return
    address = serve_page(make_page(WorkerSource(project)), port)
    is_ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: is_ending.set())
    click.echo(address.url)
    say("Ctrl-C ends it.")
    is_ending.wait()
    address.stop()
