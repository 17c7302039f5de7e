"""The page: what both departments look at, served on loopback."""
