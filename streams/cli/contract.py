"""`baton contract`: the event contract, its reference page, and what Kafka and a registry must know."""

from __future__ import annotations

import sys
from dataclasses import asdict
from pathlib import Path

import click

import schemas
from schemas.compatibility import ContractCheck, check_contract
from schemas.errors import BatonError, ExitCode
from streams.cli.output import json_option, print_json, say

SOURCE_TREE = Path(schemas.__file__).resolve().parents[1]
REFERENCE = Path("docs/reference/events.md")


@click.group()
def contract() -> None:
    """Check the event contract, write its reference page, and register its schemas.

    \b
    Example:
      baton contract check
    """


@contract.command()
@click.option("--publish", is_flag=True, help="Mark new versions as published; they are frozen then.")
@json_option
def check(publish: bool, as_json: bool) -> None:
    """Check every .avsc file.

    Checks the rules, the compatibility of all versions, and that no published version was edited. Exit code 5
    when there are problems.

    \b
    Example:
      baton contract check --publish
    """
    found = check_contract(publish=publish)
    if as_json:
        print_json(_as_dict(found))
    else:
        _print(found)
    if found.problems:
        sys.exit(int(ExitCode.DATA_PROBLEMS))


@contract.command()
@click.option("--check", "only_check", is_flag=True, help="Write nothing; exit code 5 when it is stale.")
@json_option
def docs(only_check: bool, as_json: bool) -> None:
    """Write docs/reference/events.md.

    Generated from the .avsc files of the source tree.

    \b
    Example:
      baton contract docs --check
    """
    from schemas.reference import render  # imported here: reading the catalogue fails on a broken file

    path = SOURCE_TREE / REFERENCE
    wanted = render()
    is_stale = not path.exists() or path.read_text(encoding="utf-8") != wanted
    if is_stale and not only_check:
        _write(path, wanted)
    if as_json:
        print_json({"file": str(path), "was_stale": is_stale, "written": is_stale and not only_check})
    elif not is_stale:
        print(f"{path} is up to date")
    elif not only_check:
        print(f"{path} written")
    if is_stale and only_check:
        say(f"{path} is stale\n  next:  baton contract docs")
        sys.exit(int(ExitCode.DATA_PROBLEMS))


@contract.command()
@json_option
def register(as_json: bool) -> None:
    """Register every schema in the project's registry. Safe to run again.

    Subjects are called by topic and record, as publishers with BATON_SCHEMA_REGISTRY expect.

    \b
    Example:
      baton contract register
    """
    # Imported here, as below: all of these read the catalogue, which fails on a broken file.
    from streams.kafka.registry import Registered, register_contract, registry_of
    from streams.project import Project

    project = Project.here()
    registry = registry_of(project)
    if registry is None:
        raise BatonError(
            "There is no schema registry to register in",
            where="environment",
            why="BATON_SCHEMA_REGISTRY is not set; without one nothing needs to be registered",
            next_command="export BATON_SCHEMA_REGISTRY=http://127.0.0.1:8081",
            exit_code=ExitCode.CONFIGURATION,
        )

    def tell(done: Registered) -> None:
        if done.is_new and not as_json:
            print(f"new  {done.event} v{done.version}  id {done.schema_id}  {done.subject}")

    found = register_contract(project, registry, tell)
    new = sum(each.is_new for each in found)
    if as_json:
        schemas_found = [asdict(each) for each in found]
        print_json({"registry": registry.address, "new": new, "schemas": schemas_found})
    else:
        print(f"{len(found)} schemas in {registry.address}, {new} of them new")


@contract.command()
@click.option("--principal", default="User:baton", show_default=True, help="Who is allowed to.")
@json_option
def acls(principal: str, as_json: bool) -> None:
    """Print the commands that give Baton its permissions in Kafka.

    \b
    Example:
      baton contract acls --principal User:baton
    """
    from streams.kafka.acls import needed_acls
    from streams.kafka.names import names_of
    from streams.project import Project

    needed = list(needed_acls(names_of(Project.here())))
    if as_json:
        print_json([asdict(acl) for acl in needed])
        return
    for acl in needed:
        print(f"# {acl.why}\n{acl.command(principal)}")


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise BatonError(
            "The reference page cannot be written",
            where=str(path),
            why=error.strerror or str(error),
            next_command="git clone ... && make setup && baton contract docs   (it needs a source tree)",
            exit_code=ExitCode.CONFIGURATION,
        ) from error


def _as_dict(found: ContractCheck) -> dict[str, object]:
    return {
        "events": len({file.name for file in found.files}),
        "versions": len(found.files),
        "newly_published": list(found.newly_published),
        "problems": [asdict(problem) for problem in found.problems],
    }


def _print(found: ContractCheck) -> None:
    for problem in found.problems:
        place = f"{problem.file}, field {problem.field}" if problem.field else problem.file
        print(f"{place}\n  why:   {problem.why}\n  next:  {problem.next}")
    for version in found.newly_published:
        print(f"published {version}")
    events = len({file.name for file in found.files})
    count = len(found.problems)
    problems = f"{count or 'no'} problem{'' if count == 1 else 's'}"
    print(f"{events} events, {len(found.files)} versions, {problems}")
