"""The benchmarks of `make bench`: ratios measured side by side on this machine, and their page.

They use the public names of Baton's packages; no package depends on them.
"""
