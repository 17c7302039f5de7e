"""The contract. Importing any part of Baton imports this first."""

import os

# Columns of a slice need not be aligned; Arrow copies those few instead of warning of each on stderr.
os.environ.setdefault("ACERO_ALIGNMENT_HANDLING", "reallocate")
