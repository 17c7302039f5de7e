"""Money in SQL: amounts of any currency in the goal's currency, exactly, to the cent."""

SQL_FUNCTIONS = (
    # Rounds half away from zero, to cents. Null without a rate: such amounts are listed, never guessed.
    # (20,4), because DuckDB keeps the product of two decimals of 18 digits within 18 digits, and fails.
    """
    create or replace macro converted(amount, rate) as
        round(amount::decimal(20,4) * rate::decimal(18,8), 2)::decimal(38,2)
    """,
    # amount * part / whole to the cent, half up: a division of decimals would pass through a double. The
    # parts are whole numbers of at least 0; null when `whole` is 0, and beyond 38 digits.
    """
    create or replace macro portion(amount, part, whole) as try(
        ((2 * (amount * 100)::hugeint * part + whole) // (2 * whole) * 0.01::decimal(3,2))::decimal(38,2))
    """,
)
