select dispute_id, subject_kind, subject_id, opened_at, open_days from funnel.dispute where is_open
order by opened_at, dispute_id limit $most_shown
