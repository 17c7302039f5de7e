"""The reference of every setting, and of the permissions in Kafka, written from their tables.

`python -m streams.queries.settings_page` writes it, `--check` says whether it is stale.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from streams.kafka.acls import needed_acls
from streams.kafka.names import Names
from streams.settings import SETTINGS

PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "settings.md"

_HEAD = """\
# Settings

Written by `make reference` from the tables in `streams/settings.py` and `streams/kafka/acls.py`.

Settings are variables of the environment; files they name are relative to the current folder. A **secret**
may come from a file instead: `BATON_KAFKA_SASL_PASSWORD_FILE=/run/secrets/kafka`. `baton doctor` shows what
is set, secrets masked, and names variables that look like settings and are none.

Playbook, keys and registry decide numbers. The worker records them in the project, in
`.baton/project.json`, at its first start, so that a command from another folder or shell uses the same, and
one that sees others is refused.
`baton up --adopt-settings` takes the others from then on.

A login crosses a network with TLS only: without it Baton refuses brokers and registries that are not on
loopback. Certificates and the names in them are always checked.

| setting | default | means |
|---|---|---|
"""

_ACLS = """
## Permissions in Kafka

Where the cluster checks permissions, Baton needs these. With `BATON_PREFIX` it goes before each name;
`baton contract acls` prints the commands with it.

| resource | name | operations | for |
|---|---|---|---|
"""


def render() -> str:
    """The whole page. Same tables, same bytes."""
    return "".join(_parts())


def _parts() -> Iterator[str]:
    yield _HEAD
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        secret = " **Secret.**" if setting.is_secret else ""
        yield f"| `{setting.name}` | {default} | {setting.means.replace('|', chr(92) + '|')}{secret} |\n"
    yield _ACLS
    for acl in needed_acls(Names()):
        name = f"`{acl.name}*`" if acl.is_prefix else f"`{acl.name}`"
        yield f"| {acl.resource} | {name} | {', '.join(acl.operations)} | {acl.why} |\n"


def main() -> None:
    """Write the page, or with --check exit 5 when it is stale."""
    if "--check" in sys.argv:
        if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != render():
            print(f"{PAGE} is stale; next: make reference", file=sys.stderr)
            sys.exit(5)
        return
    PAGE.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
