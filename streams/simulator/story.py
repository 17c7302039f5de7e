"""The story of a lead: captured, touched, offered, answered, worked, and what became of it.

Shares and delays are this simulation's own choice, made to look like a mid-sized vendor's year; they are
not taken from anybody's data.
"""

from __future__ import annotations

from streams.simulator.chance import Odds
from streams.simulator.clock import DAY, HOUR, MINUTE, SECOND
from streams.simulator.deal import sell
from streams.simulator.lead import Handoff, Lead
from streams.simulator.world import DEVELOPMENT, MARKETING, PARTNERS, SALES

CHANNELS = Odds(
    ("web_form", 46), ("event", 15), ("partner", 8), ("list_import", 12), ("outbound_prospecting", 19)
)
WARMTH = Odds(("hot", 24), ("warm", 34), ("event", 10), ("cold", 32))
INBOUND = Odds(("page_viewed", 44), ("email_clicked", 24), ("form_submitted", 18), ("webinar_attended", 14))
ACTIVITY_CHANNEL = {
    "page_viewed": "web",
    "form_submitted": "web",
    "demo_requested": "web",
    "email_clicked": "email",
    "webinar_attended": "event",
}
WAYS = Odds(("phone", 52), ("email", 33), ("social", 9), ("chat", 6))
RETURN_REASONS = Odds(
    ("bad_data", 22), ("not_icp", 24), ("no_intent", 26), ("duplicate", 12), ("wrong_region", 16)
)
DISPOSITIONS = Odds(("nurture", 46), ("fix_data", 20), ("reroute", 17), ("disqualify", 17))
MOST_RECYCLES = 2


def emit_lead(lead: Lead) -> None:
    """The whole story of one lead, from the first trace of it to the end of the period."""
    captured_at = _capture(lead)
    warmth = lead.dice.draw(WARMTH)
    touched_at = _touches(lead, captured_at, warmth)
    if warmth == "cold":
        return
    if warmth == "hot":
        asked_at = lead.later(touched_at, 2.0)
        lead.touch(asked_at, "demo_requested", "web", inbound=True, automated=False)
        pursue(lead, asked_at + int(lead.dice.around(70, 1.0) * SECOND), "demo_requested")
    elif warmth == "warm":
        pursue(lead, touched_at + int(lead.dice.around(9, 1.2) * MINUTE), "score_reached")
    else:
        marketer = lead.world.person(lead.dice, MARKETING, lead.account.region)
        pursue(lead, lead.acts(marketer, MARKETING, touched_at, lead.dice.around(260, 0.8)), "event_attended")


def _capture(lead: Lead) -> int:
    dice, world, account = lead.dice, lead.world, lead.account
    day = world.first_day + int(dice.random() * world.days)
    if (day + 3) % 7 >= 5 and dice.chance(0.7):
        day = world.first_day + int(dice.random() * world.days)
    at = max(lead.buyer_moment(day), world.start + int(dice.within(1, 600) * SECOND))
    channel = dice.draw(CHANNELS)
    running = [c for c in world.campaigns if c.channel == channel and c.starts_on <= day <= c.ends_on]
    if running and dice.chance(0.85):
        lead.campaign_id = dice.pick(running).campaign_id
    fields = {
        "lead_id": lead.lead_id,
        "account_id": account.account_id if dice.chance(0.8) else None,
        "campaign_id": lead.campaign_id,
        "channel": channel,
        "region": account.region if dice.chance(0.9) else None,
        "email": f"person.{lead.name}@example.com" if channel == "list_import" else None,
    }
    if not dice.chance(0.015):  # a few leads are never captured as such: the funnel infers the stage
        lead.emit("LeadCaptured", at, "hubspot", None, fields)
    if dice.chance(0.7):
        _profile(lead, at + int(dice.around(8, 1.5) * MINUTE), is_first=True)
    if dice.chance(0.12):
        _profile(lead, at + int(dice.around(12, 0.9) * DAY), is_first=False)
    return at


def _profile(lead: Lead, at: int, *, is_first: bool) -> None:
    dice, account = lead.dice, lead.account
    fields = {
        "lead_id": lead.lead_id,
        "account_id": account.account_id,
        "job_role": lead.role if dice.chance(0.8) else None,
        "industry": account.industry if is_first else None,
        "country": account.country if is_first else None,
        "employees": account.employees if dice.chance(0.7) else None,
        "fit_score": int(dice.within(5, 100)),
    }
    lead.emit("LeadProfiled", at, "hubspot", None, fields)


def _touches(lead: Lead, captured_at: int, warmth: str) -> int:
    """Touches before any offer; the instant of the last inbound one that a human made."""
    dice = lead.dice
    at = last = captured_at
    for number in range(1 + int(dice.around(1.3 if warmth == "cold" else 3.2, 0.6))):
        at = lead.later(at, 2.4) if number else at + int(dice.around(50, 1.0) * SECOND)
        if dice.chance(0.34):
            lead.touch(at, "email_sent", "email", inbound=False, automated=True)
        elif dice.chance(0.08):
            lead.touch(at, "page_viewed", "web", inbound=True, automated=True)  # a crawler or a preview
        elif dice.chance(0.07):
            lead.touch(at, "call_made", "phone", inbound=False, automated=False)
        else:
            activity = "webinar_attended" if warmth == "event" else dice.draw(INBOUND)
            lead.touch(at, activity, ACTIVITY_CHANNEL[activity], inbound=True, automated=False)
            last = at
    return last


def pursue(lead: Lead, at: int, reason: str, previous: Handoff | None = None, depth: int = 0) -> None:
    """Offer the lead to Sales Development, and what they do with it."""
    dice = lead.dice
    if dice.chance(0.005):
        desk = lead.offer(at, MARKETING, PARTNERS, reason, previous)
        if dice.chance(0.5):
            answered_at = lead.acts(desk.owner, PARTNERS, at, lead.answer_minutes())
            lead.emit("HandoffAccepted", answered_at, "salesforce", None, lead.about(desk, owner=desk.owner))
        return
    handoff = lead.offer(at, MARKETING, DEVELOPMENT, reason, previous)
    if dice.chance(0.02):
        return  # it never arrives in the CRM
    arrived_at = assign(lead, handoff)
    fate = dice.random()
    if fate < 0.06:
        if dice.chance(0.3):
            sequence(lead, handoff, arrived_at)  # only the automated sequence follows up
    elif fate < 0.20:
        give_back(lead, handoff, arrived_at, depth)
    else:
        accept(lead, handoff, arrived_at, depth)


def assign(lead: Lead, handoff: Handoff) -> int:
    """The CRM takes the offer in and names an owner, who may be on leave. When it has an owner."""
    dice, world = lead.dice, lead.world
    median = 95 * SECOND if dice.chance(0.96) else 5 * HOUR
    at = handoff.at + int(dice.around(median, 0.8))
    lead.emit(
        "HandoffReassigned",
        at,
        "salesforce",
        None,
        lead.about(handoff, to_owner=handoff.owner, reason="assigned"),
    )
    if not world.is_absent(handoff.owner, at) or dice.chance(0.25):
        return at
    for _ in range(4):
        colleague = world.person(dice, handoff.to_team, lead.account.region)
        if colleague != handoff.owner and not world.is_absent(colleague, at):
            at = lead.acts(colleague, handoff.to_team, at, dice.around(45, 1.0))
            fields = lead.about(handoff, from_owner=handoff.owner, to_owner=colleague, reason="absence")
            lead.emit("HandoffReassigned", at, "salesforce", None, fields)
            handoff.owner = colleague
            break
    return at


def answered(lead: Lead, handoff: Handoff, at: int) -> int:
    """When the owner gets to it: by their calendar, except for the few who work at night."""
    if lead.dice.chance(0.05):
        return at + int(lead.dice.around(16, 1.0) * MINUTE)
    return lead.acts(handoff.owner, handoff.to_team, at, lead.answer_minutes())


def give_back(lead: Lead, handoff: Handoff, at: int, depth: int, reason: str | None = None) -> None:
    """Return the lead; Marketing answers or does not, and may offer it again."""
    dice = lead.dice
    at = answered(lead, handoff, at)
    reason = reason or dice.draw(RETURN_REASONS)
    note = f"{lead.contact_id} says: not before summer" if dice.chance(0.15) else None
    fields = lead.about(
        handoff, owner=handoff.owner if dice.chance(0.85) else None, reason_code=reason, note=note
    )
    lead.emit("HandoffReturned", at, "salesforce", handoff.owner, fields)
    if dice.chance(0.04):
        _dispute(lead, handoff, at)
    disposition = _sorted_out(lead, handoff, at) if reason == "duplicate" else None
    disposition = disposition or acknowledge(lead, handoff, at)
    if disposition is None:
        if dice.chance(0.03):  # Sales changes its mind and accepts it
            accept(lead, handoff, at + int(dice.around(1.5, 0.6) * DAY), MOST_RECYCLES)
        return
    if disposition != "disqualify" and depth < MOST_RECYCLES and dice.chance(0.5):
        back_at = lead.later(at, 1.5 if disposition in ("fix_data", "reroute") else 16.0)
        if disposition == "nurture":
            lead.touch(back_at, "form_submitted", "web", inbound=True, automated=False)
        pursue(lead, back_at + int(dice.around(20, 1.0) * MINUTE), "score_reached", handoff, depth + 1)


def _sorted_out(lead: Lead, handoff: Handoff, at: int) -> str | None:
    """A rule of the CRM disqualifies some duplicates in the instant of their return."""
    if not lead.dice.chance(0.2):
        return None
    fields = lead.about(handoff, acknowledged_by="duplicate rule", disposition="disqualify")
    lead.emit("FeedbackAcknowledged", at, "salesforce", handoff.owner, fields)
    return "disqualify"


def acknowledge(lead: Lead, handoff: Handoff, at: int) -> str | None:
    """The offering team's answer to a return, or None while it is still owed."""
    dice = lead.dice
    if not dice.chance(0.76):
        return None
    person = lead.world.person(dice, handoff.from_team, lead.account.region)
    disposition = dice.draw(DISPOSITIONS)
    answered_at = lead.acts(person, handoff.from_team, at, dice.around(190, 1.1))
    fields = lead.about(handoff, acknowledged_by=person, disposition=disposition)
    lead.emit("FeedbackAcknowledged", answered_at, "hubspot", None, fields)
    if dice.chance(0.02):
        again = lead.about(handoff, acknowledged_by=person, disposition=dice.draw(DISPOSITIONS))
        lead.emit(
            "FeedbackAcknowledged", answered_at + int(dice.around(2, 0.5) * DAY), "hubspot", None, again
        )
    return disposition


def _dispute(lead: Lead, handoff: Handoff, at: int) -> None:
    dice = lead.dice
    dispute = {"dispute_id": f"dis-{handoff.handoff_id}"}
    opened_at = lead.acts("", MARKETING, at, dice.around(300, 0.8))
    fields = {
        **dispute,
        "subject_kind": "handoff",
        "subject_id": handoff.handoff_id,
        "opened_by_team": MARKETING,
        "reason": "The buyer asked for a demo the day before.",
    }
    lead.emit("DisputeOpened", opened_at, "baton", None, fields)
    if dice.chance(0.7):
        fields = {
            **dispute,
            "resolution": dice.pick(("upheld", "rejected", "corrected")),
            "resolved_by": "revenue operations",
        }
        lead.emit("DisputeResolved", opened_at + int(dice.around(4, 0.6) * DAY), "baton", None, fields)


def accept(lead: Lead, handoff: Handoff, at: int, depth: int) -> None:
    """Accept the lead and work it, or forget it."""
    dice = lead.dice
    answered_at = answered(lead, handoff, at)
    owner = handoff.owner
    if dice.chance(0.07):  # the eager call first and click "accept" afterwards
        lead.attempt(lead.acts(owner, DEVELOPMENT, handoff.at, dice.around(6, 0.8)), handoff, "phone")
    lead.emit("HandoffAccepted", answered_at, "salesforce", owner, lead.about(handoff, owner=owner))
    if dice.chance(0.005):  # a colleague takes it from the same list in the same instant
        colleague = lead.world.person(dice, DEVELOPMENT, lead.account.region)
        fields = lead.about(handoff, owner=colleague)
        lead.emit("HandoffAccepted", answered_at, "salesforce", owner, fields)
    if dice.chance(0.4):
        sequence(lead, handoff, answered_at)
    if dice.chance(0.06):
        return  # accepted and untouched
    reached_at, last_at = work(lead, handoff, answered_at)
    if reached_at is None:
        if dice.chance(0.18):
            give_back(lead, handoff, last_at + DAY, depth, "no_response")
        return
    after_the_talk(lead, handoff, reached_at, depth)


def sequence(lead: Lead, handoff: Handoff, at: int) -> None:
    """The automated e-mails of a sequence: attempts that do not stop the clock."""
    for _ in range(1 + int(lead.dice.random() * 2.4)):
        at += int(lead.dice.around(0.9, 0.8) * DAY)
        lead.attempt(at, handoff, "email", automated=True)


def work(lead: Lead, handoff: Handoff, at: int) -> tuple[int | None, int]:
    """Human attempts until the buyer is reached or the owner gives up: (reached at, last attempt at)."""
    dice, owner = lead.dice, handoff.owner
    at = lead.acts(owner, DEVELOPMENT, at, dice.around(24, 1.2))
    for _ in range(1 + int(dice.around(3.6, 0.5))):
        way = dice.draw(WAYS)
        lead.attempt(at, handoff, way)
        if dice.chance(0.17):
            wait = dice.around(4, 0.6) * MINUTE if way == "phone" else dice.around(7, 1.0) * HOUR
            lead.reached(at + int(wait), handoff, "meeting" if way == "social" else way)
            return at + int(wait), at
        at = lead.acts(owner, DEVELOPMENT, at, dice.around(560, 0.7))
    return None, at


def after_the_talk(lead: Lead, handoff: Handoff, at: int, depth: int) -> None:
    """Reached: pass on to Sales, open the deal right away, give back, or let it rest."""
    dice = lead.dice
    fate = dice.random()
    if fate < 0.38:
        offered_at = lead.acts(handoff.owner, DEVELOPMENT, at, dice.around(35, 1.0))
        _to_sales(lead, lead.offer(offered_at, DEVELOPMENT, SALES, "buyer_qualified"), depth)
    elif fate < 0.58:
        sell(lead, handoff, lead.acts(handoff.owner, DEVELOPMENT, at, dice.around(500, 0.8)))
    elif fate < 0.72:
        give_back(lead, handoff, at, depth, dice.pick(("not_icp", "no_intent")))


def _to_sales(lead: Lead, handoff: Handoff, depth: int) -> None:
    """The second leg: an account executive answers, calls, and opens the deal."""
    dice = lead.dice
    at = assign(lead, handoff)
    fate = dice.random()
    if fate < 0.05:
        return
    if fate < 0.14:
        give_back(lead, handoff, at, MOST_RECYCLES)
        return
    at = answered(lead, handoff, at)
    fields = lead.about(handoff, owner=handoff.owner)
    lead.emit("HandoffAccepted", at, "salesforce", handoff.owner, fields)
    at = lead.acts(handoff.owner, SALES, at, dice.around(150, 1.0))
    lead.attempt(at, handoff, "phone")
    if dice.chance(0.75):
        lead.reached(at + int(dice.around(5, 0.7) * MINUTE), handoff, "phone")
        if dice.chance(0.85):
            sell(lead, handoff, lead.acts(handoff.owner, SALES, at, dice.around(700, 0.8)))
