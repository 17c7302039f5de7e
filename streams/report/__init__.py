"""The pack of the weekly meeting, and what is recorded in that meeting: decisions and disputes."""
