"""What `make bench` runs: ratios of things measured side by side on this machine, and their page.

It stands above Baton's packages and uses what they offer to anybody; none of them knows of it.
"""
