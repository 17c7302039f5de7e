"""What is true of leads that were merged: which one each of them lives on as."""

from __future__ import annotations

from collections.abc import Iterator

from streams.simulator.clock import iso
from streams.simulator.merges import survivors
from streams.simulator.simulation import Chapter
from streams.simulator.tellers import Row


class IdentityTruths:
    """Merged leads. Those merged into each other are told in one chapter."""

    def add(self, chapter: Chapter) -> Iterator[tuple[str, Row]]:
        """The rows of lead_identity."""
        merges = sorted(fact for fact in chapter.facts if fact.type == "LeadsMerged")
        for lead_id, survivor in survivors(merges).items():
            first = next(merge for merge in merges if merge.fields["merged_lead_id"] == lead_id)
            yield (
                "lead_identity",
                {
                    "lead_id": lead_id,
                    "surviving_lead_id": survivor,
                    "into_lead_id": first.fields["lead_id"],
                    "merged_at": iso(first.occurred_at),
                    "event_id": first.event_id,
                },
            )

    def finish(self) -> tuple[()]:
        """Nothing that only the whole story can tell."""
        return ()
