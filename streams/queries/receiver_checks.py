"""Whether alerts reach anybody: the receivers that rules name, and notices that did not arrive."""

from __future__ import annotations

from collections.abc import Iterator

from projections.playbook import read_playbook
from schemas.errors import BatonError
from streams.project import Project
from streams.queries.alerts import undelivered
from streams.receivers.configuration import read_receivers

# Name, state (ok, warn, fail), what, why, and the next command: as a check of `baton doctor`.
Said = tuple[str, str, str, str, str]


def check_receivers(project: Project) -> Iterator[Said]:
    """Of the file of receivers and the playbook, and of what the warehouse knows."""
    file = project.receivers_file
    try:
        receivers, playbook = read_receivers(file), read_playbook(project.playbook_file)
    except BatonError as error:
        yield "receivers", "fail", error.what, f"{error.where}: {error.why}", error.next_command
        return
    if not file.exists() and project.receivers is not None:
        why = f"{file}: BATON_RECEIVERS names it; alerts are on the page only"
        yield "receivers", "fail", "the file of receivers is not there", why, "unset BATON_RECEIVERS"
        return
    named = {name for rule in playbook.alerts for name in (*rule.receivers, *rule.escalate_to)}
    asked_for = {rule for each in receivers.values() for rule in each.rules}
    if missing := sorted(named - receivers.keys()):
        why = f"{file} has no {', '.join(missing)}: what is for them is given up, and kept"
        yield "receivers", "warn", "rules name receivers that are not there", why, f"$EDITOR {file}"
    elif unknown := sorted(asked_for - {"*", *(rule.id for rule in playbook.alerts)}):
        why = f"{file} names {', '.join(unknown)}, which the playbook has not"
        yield "receivers", "warn", "receivers ask for rules that are not there", why, f"$EDITOR {file}"
    elif reached := named | {name for name, each in receivers.items() if each.rules}:
        where = ", ".join(f"{name} ({receivers[name].shown})" for name in sorted(reached))
        yield "receivers", "ok", f"alerts go to {where}", "", ""
    else:
        says = "no rule names a receiver: alerts are on the page and in baton alerts ls"
        yield "receivers", "ok", says, "", ""
    if not project.numbers.warehouse.exists():
        return
    try:
        lost = undelivered(project)
    except BatonError:  # the check of the warehouse says why
        return
    if lost:
        who = ", ".join(sorted({row["receiver"] for row in lost}))
        why = f"of {who}; the oldest since {lost[0]['first_tried_at']:%Y-%m-%d %H:%M}"
        command = "baton alerts ls --undelivered"
        yield "notices", "warn", f"{len(lost):,} notices of alerts are not delivered", why, command
