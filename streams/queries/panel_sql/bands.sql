select from_team, to_team,
    count(*) filter (where answered_at is not null and band = '0-5') as within_5,
    count(*) filter (where answered_at is not null and band = '5-15') as within_15,
    count(*) filter (where answered_at is not null and band = '15-60') as within_60,
    count(*) filter (where answered_at is not null and band = '60+') as over_60,
    count(*) filter (where answered_at is null) as unanswered,
    count(*) filter (where answered_at is not null and band is null) as clock_suspect
from funnel.handoff_latency
where offered_on >= $from_on and offered_on < $until_on and $of_slice
group by all order by count(*) desc, from_team, to_team
