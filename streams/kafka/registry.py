"""The project's schema registry, for values in the Confluent wire format."""

from __future__ import annotations

from schemas.codec import RegistryLookup
from schemas.registry import SchemaRegistry
from streams.project import Project


def registry_lookup(project: Project) -> RegistryLookup | None:
    """How to find the schema of a Confluent-framed event; None when no registry is configured."""
    return SchemaRegistry(project.schema_registry).schema if project.schema_registry else None
