"""What is known of a deal, in SQL: which of its events counts, as aggregates over rows of funnel.deal_event.

Each takes the row as an argument and is null when no row reports it. funnel.deal asks them of every event,
funnel.pipeline_coverage of those known at an instant.
"""

SQL_FUNCTIONS = (
    # The first opening.
    """
    create or replace macro deal_opening(event) as
        min({
            'place': event.place, 'event_type': event.event_type, 'account_id': event.account_id,
            'handoff_id': event.handoff_id, 'owner': event.owner
        }) filter (where event.event_type = 'OpportunityOpened')
    """,
    # The amount last given, by whichever event.
    """
    create or replace macro deal_amount(event) as
        max({
            'place': event.place, 'event_type': event.event_type, 'amount': event.amount,
            'currency': event.currency
        }) filter (where event.amount is not null)
    """,
    # The closing day last given.
    """
    create or replace macro deal_closing_day(event) as
        max({'place': event.place, 'event_type': event.event_type, 'closes_on': event.closes_on})
            filter (where event.closes_on is not null)
    """,
    # The last win or loss, with what a win books; null while the deal is open.
    """
    create or replace macro deal_outcome(event) as
        max({
            'place': event.place, 'event_type': event.event_type,
            'is_won': event.event_type = 'OpportunityWon', 'account_id': event.account_id,
            'amount': event.amount, 'currency': event.currency, 'reason_code': event.reason_code
        }) filter (where event.event_type in ('OpportunityWon', 'OpportunityLost'))
    """,
)
