select signals, attempted, within_5_minutes, within_15_minutes, within_60_minutes, waiting, p50_minutes, p90_minutes,
    p95_minutes, p50_contact_minutes from funnel.speed_to_lead where $slice
