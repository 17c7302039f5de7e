"""Mappings: records of another system become events, by rules written in TOML (docs/reference/mapping.md)."""
