"""What is known of a deal, in SQL: which of its events counts.

`deal_known` and `deal_account` aggregate rows of funnel.deal_event, taking the row as their argument; the
other macros read what deal_known gives. funnel.deal asks them of every event, funnel.pipeline_coverage of
those known at an instant.
"""

SQL_FUNCTIONS = (
    # The company: the first opening's that names one, else the last win's.
    """
    create or replace macro deal_account(event) as coalesce(
        arg_min(event.account_id, event.place) filter (where event.event_type = 'OpportunityOpened'),
        arg_max(event.account_id, event.place) filter (where event.event_type = 'OpportunityWon'))
    """,
    # What the events of a deal say. `opening`: the first one, `amount` and `closing_day`: the last given,
    # `outcomes`: every win and loss, `amounts`: what wins and revisions gave, `reopened`: when it was last
    # reopened. Opening a deal again reopens it; to open a record that is merged into it later does not, and a
    # loss of that record is no loss of the deal, nor a win that did not last. What no event reports is null.
    """
    create or replace macro deal_known(event) as {
        'opening': min({
            'place': event.place, 'event_type': event.event_type, 'owner': event.owner
        }) filter (where event.event_type = 'OpportunityOpened'),
        'amount': max({
            'place': event.place, 'event_type': event.event_type, 'amount': event.amount,
            'currency': event.currency
        }) filter (where event.amount is not null),
        'closing_day': max({
            'place': event.place, 'event_type': event.event_type, 'closes_on': event.closes_on
        }) filter (where event.closes_on is not null),
        'outcomes': list({
            'place': event.place, 'event_type': event.event_type,
            'is_won': event.event_type = 'OpportunityWon', 'reason_code': event.reason_code
        }) filter (
            where event.event_type in ('OpportunityWon', 'OpportunityLost') and not event.is_of_merged),
        'amounts': list({
            'place': event.place, 'event_type': event.event_type, 'amount': event.amount,
            'currency': event.currency
        }) filter (where event.event_type in ('OpportunityWon', 'OpportunityRevised')
            and event.amount is not null),
        'reopened': greatest(
            max(event.place) filter (
                where event.event_type = 'OpportunityReopened' and not event.is_of_merged),
            nullif(
                max(event.place) filter (
                    where event.event_type = 'OpportunityOpened' and not event.is_of_merged),
                min(event.place) filter (
                    where event.event_type = 'OpportunityOpened' and not event.is_of_merged)
            )
        )
    }
    """,
    # Wins and losses since the deal was last reopened.
    """
    create or replace macro outcomes_in_force(known) as
        list_filter(known.outcomes, lambda o: coalesce(o.place > known.reopened, true))
    """,
    # The latest outcome, reported once or several times: all of its kind since the last of the other kind.
    """
    create or replace macro same_outcomes(outcomes) as
        list_filter(outcomes, lambda o: o.is_won = list_max(outcomes).is_won and coalesce(
            o.place > list_max(
                list_filter(outcomes, lambda other: other.is_won <> list_max(outcomes).is_won)).place,
            true))
    """,
    # How the deal stands: its latest outcome, as of when that was first reported, and the last reason given.
    # Null while the deal is open. A win that is reported again, or revised, books the amount last given.
    """
    create or replace macro deal_outcome(known) as
        list_transform([same_outcomes(outcomes_in_force(known))], lambda same: case when len(same) > 0 then {
            'place': list_min(same).place,
            'event_type': list_min(same).event_type,
            'is_won': list_min(same).is_won,
            'reason_code': list_max(same).reason_code,
            'booked': case when list_min(same).is_won then list_max(
                list_filter(known.amounts, lambda given: given.place >= list_min(same).place)) end
        } end)[1]
    """,
    # The amount in the middle of a sorted list, or half the sum of the two in the middle, to the cent.
    """
    create or replace macro middle_amount(amounts) as
        round((amounts[(len(amounts) + 1) // 2] + amounts[len(amounts) // 2 + 1]) * 0.5::decimal(2,1), 2)
            ::decimal(38,2)
    """,
    # Last day of a day, week, month, quarter or year, given the first.
    """
    create or replace macro unit_to(unit, first_day) as (first_day + case unit
        when 'day' then interval 1 day when 'week' then interval 7 day when 'month' then interval 1 month
        when 'quarter' then interval 3 month when 'year' then interval 1 year end)::date - 1
    """,
)
