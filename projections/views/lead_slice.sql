-- view:   lead_slice
-- grain:  one row per lead and dimension
-- key:    lead_id, dimension
-- reads:  funnel.lead_dimension
-- says:   the dimensions of each lead as rows: what the views whose names end in _slice join
-- means:  See lead_dimension. One SELECT for each dimension, so that a question about one of them reads its column alone.
-- columns:
--   lead_id    the lead; of merged ones the one that survives
--   dimension  a column of lead_dimension
--   value      what that column says of the lead
select lead_id, 'first_channel' as dimension, first_channel as value from funnel.lead_dimension
union all
select lead_id, 'first_campaign' as dimension, first_campaign as value from funnel.lead_dimension
union all
select lead_id, 'region' as dimension, region as value from funnel.lead_dimension
union all
select lead_id, 'country' as dimension, country as value from funnel.lead_dimension
union all
select lead_id, 'industry' as dimension, industry as value from funnel.lead_dimension
union all
select lead_id, 'size_band' as dimension, size_band as value from funnel.lead_dimension
union all
select lead_id, 'named_segment' as dimension, named_segment as value from funnel.lead_dimension
union all
select lead_id, 'source_system' as dimension, source_system as value from funnel.lead_dimension
union all
select lead_id, 'owner' as dimension, owner as value from funnel.lead_dimension
union all
select lead_id, 'owner_team' as dimension, owner_team as value from funnel.lead_dimension
