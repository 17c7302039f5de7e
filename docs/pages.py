"""The pages that are written from the code: tables, from the headers of the SQL files; settings and
permissions; metrics; mappings; and the answers to questions. (`baton contract docs` writes that of events.)

`python -m docs.pages` writes them; `--check` says which are stale.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from docs import mapping, questions
from projections.projection import Projection, views
from streams.kafka.acls import needed_acls
from streams.kafka.names import Names
from streams.settings import SETTINGS
from streams.web.metrics import METRICS

FOLDER = Path(__file__).parent / "reference"
OPERATIONS = Path(__file__).parent / "operations"

_TABLES = """# Tables

What analysts query, column by column. Written by `make reference` from the headers of the SQL files.

Read them with `baton sql "select * from funnel.handoff_latency limit 3"`. Minutes are decimal, instants
are in UTC, money is decimal with its currency beside it. Open clocks are read at the as-of of the warehouse:
now, or the instant it is pinned to.
"""

_SETTINGS = """\
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

_METRICS = """\
# Metrics

Written by `make reference` from the list in `streams/web/metrics.py`, with where each is used in
[the board](../operations/grafana.json) and [the alert rules](../operations/alerts.yml).

The worker of numbers exposes them at `/metrics` of the page's address, in Prometheus' text format, to this
machine only and without a token. A counter ends in `_total`; a histogram has `_bucket`, `_sum` and `_count`.
What needs a query is at most 10 seconds old. A metric without a value is missing: nothing is reported as 0
that is not known.

| metric | kind | labels | says | used in |
|---|---|---|---|---|
"""


def tables() -> str:
    """The page of all views, column by column."""
    return "\n".join(_tables())


def settings() -> str:
    """The page of all settings, and of the permissions that Baton needs."""
    return "".join(_settings())


def metrics() -> str:
    """The page of all metrics, and of what uses each."""
    return "".join(_metrics())


def _metrics() -> Iterator[str]:
    yield _METRICS
    files = {"board": OPERATIONS / "grafana.json", "alerts": OPERATIONS / "alerts.yml"}
    texts = {name: file.read_text(encoding="utf-8") for name, file in files.items()}
    for metric in METRICS:
        used = [name for name, text in texts.items() if any(sample in text for sample in metric.samples)]
        name = metric.samples[0] if metric.kind == "counter" else metric.name
        labels = ", ".join(f"`{label}`" for label in metric.labels)
        yield f"| `{name}` | {metric.kind} | {labels} | {metric.says} | {', '.join(used)} |\n"


def _tables() -> Iterator[str]:
    yield _TABLES
    yield "## Views"
    yield ""
    yield "| view | one row per |"
    yield "|---|---|"
    for view in sorted(views(), key=lambda view: view.name):
        yield f"| [funnel.{view.name}](#funnel{view.name}) | {view.grain.removeprefix('one row per ')} |"
    yield ""
    for view in sorted(views(), key=lambda view: view.name):
        yield from _section(view)


def _section(projection: Projection) -> Iterator[str]:
    yield f"### {projection.relation}"
    yield ""
    yield f"{projection.says[0].upper()}{projection.says[1:]}."
    yield ""
    if projection.means:
        yield projection.means
        yield ""
    yield f"Grain: {projection.grain}. Reads: {', '.join(projection.reads)}."
    yield ""
    yield "| column | says |"
    yield "|---|---|"
    for column in projection.columns:
        yield f"| {column.name} | {column.says.replace('|', chr(92) + '|')} |"
    yield ""


def _settings() -> Iterator[str]:
    yield _SETTINGS
    for setting in SETTINGS:
        default = f"`{setting.default}`" if setting.default else ""
        secret = " **Secret.**" if setting.is_secret else ""
        yield f"| `{setting.name}` | {default} | {setting.means.replace('|', chr(92) + '|')}{secret} |\n"
    yield _ACLS
    for acl in needed_acls(Names()):
        name = f"`{acl.name}*`" if acl.is_prefix else f"`{acl.name}`"
        yield f"| {acl.resource} | {name} | {', '.join(acl.operations)} | {acl.why} |\n"


# Same sources, same bytes.
PAGES: Mapping[Path, Callable[[], str]] = {
    FOLDER / "tables.md": tables,
    FOLDER / "settings.md": settings,
    FOLDER / "metrics.md": metrics,
    questions.PAGE: questions.page,
    mapping.PAGE: mapping.page,
}


def main() -> None:
    """Write the pages, or with --check exit 5 when one is stale."""
    wanted = {page: render() for page, render in PAGES.items()}
    stale = [page for page in wanted if not page.exists() or page.read_text(encoding="utf-8") != wanted[page]]
    if "--check" in sys.argv:
        for page in stale:
            print(f"{page} is stale; next: make reference", file=sys.stderr)
        sys.exit(5 if stale else 0)
    for page in stale:
        page.write_text(wanted[page], encoding="utf-8")


if __name__ == "__main__":
    main()
