"""Queries on the numbers, and operations based on them; shared by commands, pages and APIs."""
