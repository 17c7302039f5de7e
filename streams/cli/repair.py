"""`baton repair` and `baton backup`: a damaged warehouse file set aside, and a copy of a sound one."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import click

from schemas.errors import BatonError, quoted
from streams.cli.output import json_option, print_json, say
from streams.local.worker_process import find_worker, is_supervised
from streams.process_record import only_one
from streams.project import Project
from streams.queries.kept_events import accept_loss
from streams.queries.warehouse_access import existing_file
from warehouse import warehouse_file


@click.command()
@click.option(
    "--log-lost-events",
    is_flag=True,
    help="Kafka lost events for good: keep what was read in a file, and begin with the log as it is now.",
)
@json_option
def repair(log_lost_events: bool, as_json: bool) -> None:
    """Set damaged warehouse files aside, so that `baton up` reads the log again.

    Reads every table first: a sound file stays where it is. Where only its write-ahead log is damaged, that
    is set aside alone, and its worker reads on from the last checkpoint. Nothing is deleted. The workers must
    be stopped.

    \b
    Example:
      baton down && baton repair && baton up
    """
    project = Project.here()
    files = [worker.warehouse for worker in project.workers if worker.warehouse.exists()]
    files = files or [existing_file(project)]
    project.make_folders()
    with only_one(project.lock_file):
        _refuse_beside_worker(project, "baton down && baton repair")
        if log_lost_events:
            _accept_loss(project, as_json)
            return
        repairs = {file: warehouse_file.repair(file) for file in files}
    if as_json:
        print_json({"warehouses": [{"file": file, **asdict(done)} for file, done in repairs.items()]})
        return
    for file, done in repairs.items():
        if not done.set_aside:
            print(f"sound      {file}: every table can be read, nothing was changed")
            continue
        print(f"damage     {done.damage}")
        for moved in done.set_aside:
            print(f"set aside  {moved}")
        _say_next(done.is_file_kept)


def _say_next(is_file_kept: bool) -> None:
    whence = "from the last checkpoint" if is_file_kept else "from its start"
    say(f"next:  baton up   (reads the log again, {whence}; baton status shows how many events are left)")


def _accept_loss(project: Project, as_json: bool) -> None:
    loss = accept_loss(project)
    if as_json:
        print_json(asdict(loss))
        return
    for partition in loss.partitions:
        print(f"lost       {partition}")
    print(f"kept       {loss.events:,} events in {loss.kept}")
    print(f"set aside  {loss.set_aside}")
    say(f"next:  baton up && baton publish {quoted(loss.kept)}   (what Kafka still has counts once)")


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
def backup(file: Path, as_json: bool) -> None:
    """Copy the warehouse to a new FILE, and read the copy to its end. The workers must be stopped.

    Restoring it saves reading the log again from the start: docs/guides/backup.md. While the worker runs,
    `baton export` writes the recorded events.

    \b
    Example:
      baton down && baton backup baton-backup.duckdb && baton up
    """
    project = Project.here()
    source = existing_file(project)
    project.make_folders()
    with only_one(project.lock_file):
        _refuse_beside_worker(project, f"baton down && baton backup {file} && baton up")
        warehouse_file.back_up(source, file)
    if as_json:
        print_json({"file": file, "bytes": file.stat().st_size})
    else:
        print(f"copied to {file} ({file.stat().st_size:,} bytes); every table of the copy was read")


def _refuse_beside_worker(project: Project, next_command: str) -> None:
    for files in project.workers:
        worker = find_worker(files)
        if worker is not None or is_supervised(files):
            raise BatonError(
                f"The worker of {files.name} {'is running' if worker else 'starts again soon'}",
                where=f"pid {worker.pid}" if worker else str(files.supervisor),
                why="it writes to its warehouse's file",
                next_command=next_command,
            )
