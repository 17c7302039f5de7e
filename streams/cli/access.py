"""`baton access`: tokens with which people read the numbers from their own tools."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from streams.access.grants import Grants
from streams.access.readers import grants_file, role_of, roles_file
from streams.cli.options import instant
from streams.cli.output import json_option, print_json, print_rows, say
from streams.project import Project
from warehouse.roles import read_roles

SHOWN = ("name", "role", "state", "granted_at", "until")


@click.group()
def access() -> None:
    """Give somebody a token for their own tools, and take it back.

    A token reads what its role reads (warehouse/roles.toml, or roles.toml of the project): nothing that the
    contract marks as personal. docs/guides/sql_access.md has a recipe for each tool.

    \b
    Example:
      baton access grant maria --role marketing --until 2027-01-01
    """


@access.command()
@click.argument("name")
@click.option("--role", required=True, help="marketing, sales, finance or leadership; or one of roles.toml.")
@click.option("--until", metavar="DATE", help="The token expires then; default: it does not.")
@json_option
def grant(name: str, role: str, until: str | None, as_json: bool) -> None:
    """Give NAME a token. It is shown once: the project keeps only its hash.

    \b
    Example:
      baton access grant maria --role marketing
    """
    project = Project.here()
    role_of(project, role, f"baton access grant {name} --role")
    end = None if until is None else instant(until, "--until")
    _show(name, role, Grants(grants_file(project)).grant(name, role, end), as_json)


@access.command()
@click.argument("name")
@json_option
def rotate(name: str, as_json: bool) -> None:
    """Give NAME a new token; the old one ends at once.

    \b
    Example:
      baton access rotate maria
    """
    grants = Grants(grants_file(Project.here()))
    token = grants.rotate(name)
    _show(name, next(grant.role for grant in grants.all() if grant.name == name), token, as_json)


@access.command()
@click.argument("name")
@json_option
def revoke(name: str, as_json: bool) -> None:
    """End the token of NAME, at once. A statement that is being answered ends by itself.

    \b
    Example:
      baton access revoke maria
    """
    Grants(grants_file(Project.here())).revoke(name)
    if as_json:
        print_json({"name": name, "state": "revoked"})
    else:
        print(f"The token of {name} means nothing from now on.")


@access.command("ls")
@json_option
def list_grants(as_json: bool) -> None:
    """List who has a token, by name; never the tokens.

    \b
    Example:
      baton access ls
    """
    project = Project.here()
    roles = read_roles(roles_file(project))
    now = datetime.now(UTC)
    rows = [
        (
            found.name,
            found.role,
            found.state(now) if found.role in roles else "no such role",
            found.granted_at,
            found.until,
        )
        for found in Grants(grants_file(project)).all()
    ]
    if as_json:
        print_json([dict(zip(SHOWN, row, strict=True)) for row in rows])
        return
    print_rows(SHOWN, rows)
    if not rows:
        say("Nobody has a token.  next:  baton access grant NAME --role marketing")


def _show(name: str, role: str, token: str, as_json: bool) -> None:
    if as_json:
        print_json({"name": name, "role": role, "token": token})
    else:
        print(token)
    say(f"{name} reads as {role}. This token is shown once; it goes into the header Authorization: Bearer")
