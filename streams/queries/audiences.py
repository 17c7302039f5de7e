"""Who looks: an audience has its own words and its own order of panels, and never its own numbers."""

from __future__ import annotations

from dataclasses import dataclass, field

from streams.queries.panels import PANELS


@dataclass(frozen=True)
class Audience:
    """asks: what they come with, in a sentence. order: panels that come first; the others follow. words: a
    line under the title of a panel, that says what it means for them."""

    id: str
    asks: str
    order: tuple[str, ...]
    words: dict[str, str] = field(default_factory=dict)

    def panels(self) -> list[str]:
        """The ids of all panels, in the order of this audience."""
        others = [panel.id for panel in PANELS if panel.id not in self.order]
        return [*self.order, *others]


AUDIENCES = (
    Audience(
        "leadership",
        "Will we reach the goal, and what do we decide today?",
        (
            "goal",
            "gap",
            "late",
            "alerts",
            "black_hole",
            "coverage",
            "clock",
            "bands",
            "sla",
            "waiting",
            "funnel",
            "definition",
        ),
        {
            "gap": "The largest cause is where a decision moves most.",
            "late": "Each line is a buyer who waits for us now.",
        },
    ),
    Audience(
        "marketing",
        "What became of the leads we handed over, and what do we owe?",
        (
            "goal",
            "gap",
            "black_hole",
            "returns",
            "definition",
            "funnel",
            "late",
            "alerts",
            "waiting",
            "sla",
            "clock",
            "bands",
        ),
        {
            "black_hole": "Every lead you handed over is in exactly one of these states.",
            "returns": "Each return is an answer you owe, and what Sales thinks of the definition.",
            "definition": "Precision is what Sales takes and wins of yours; recall is what the definition"
            " missed.",
            "gap": "Volume and qualification are yours; the other causes are shown beside them.",
        },
    ),
    Audience(
        "sales",
        "Who waits for us, and is the pipeline enough?",
        (
            "goal",
            "gap",
            "late",
            "alerts",
            "waiting",
            "clock",
            "bands",
            "sla",
            "speed",
            "coverage",
            "black_hole",
            "funnel",
        ),
        {
            "late": "The oldest first: the chance to reach a buyer falls by the hour.",
            "clock": "Business minutes of your own calendars; nights and holidays do not count.",
            "sla": "Marketing owes you answers too: theirs are in the same table.",
            "gap": "Acceptance, speed and win rate are yours; the other causes are shown beside them.",
        },
    ),
    Audience(
        "finance",
        "What is booked, what is missing, and can these numbers be trusted?",
        (
            "goal",
            "gap",
            "coverage",
            "freshness",
            "failed",
            "funnel",
            "definition",
            "promises",
            "late",
            "black_hole",
        ),
        {
            "goal": "Booked in the period, in the goal's currency; without a price is counted apart.",
            "coverage": "Unweighted: open pipeline by what is left of the goal.",
            "freshness": "A source that is silent makes these numbers old.",
            "late": "What it may cost is an average of the cohort, not a forecast.",
        },
    ),
)


def audience(audience_id: str) -> Audience:
    """One of the audiences; leadership for any other id."""
    return next((found for found in AUDIENCES if found.id == audience_id), AUDIENCES[0])
