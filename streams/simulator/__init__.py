"""The simulator: a company's funnel as events, out of order and with copies.

`simulate` writes them to a file, `stories` yields them. Both are decided by the seed alone.
"""

from streams.simulator.simulation import stories
from streams.simulator.writer import Summary, simulate

__all__ = ["Summary", "simulate", "stories"]
