"""Money in SQL: amounts of any currency in the goal's currency, summed exactly, rounded once to the cent."""

SQL_FUNCTIONS = (
    # Which row of playbook.rate holds for money: that of its currency on the day the money belongs to. It is
    # the day of the win, of the cost (booked_on) or of the subscription event; the first day of the period
    # of a goal or a planned cost; of an open deal the day it is looked at. Every view joins by this alone.
    """
    create or replace macro is_rate_of(exchange, currency, day) as
        exchange.currency = currency and day >= exchange.from_on and day < exchange.until_on
    """,
    # Exact, for sums. Null without a rate: such amounts are listed, never guessed.
    # (20,4), because DuckDB keeps the product of two decimals of 18 digits within 18 digits, and fails.
    """
    create or replace macro converted(amount, rate) as
        (amount::decimal(20,4) * rate::decimal(18,8))::decimal(38,12)
    """,
    # To the cent, half away from zero: an amount, or a sum of exact ones.
    "create or replace macro cents(amount) as round(amount, 2)::decimal(38,2)",
    # amount * part / whole to the cent, half away from zero: a division of decimals would pass through a
    # double. The parts are whole numbers of at least 0; null when `whole` is 0, and beyond 38 digits.
    """
    create or replace macro portion(amount, part, whole) as try(
        ((2 * abs((amount * 100)::hugeint) * part + whole) // (2 * whole)
            * case when amount < 0 then -1 else 1 end * 0.01::decimal(3,2))::decimal(38,2))
    """,
)
