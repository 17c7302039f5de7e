"""The project's schema registry: its client, its lookup, and the contract's schemas in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from schemas.catalogue import CATALOGUE
from schemas.codec import RegistryLookup
from schemas.registry import SchemaRegistry, subject_of
from streams.kafka.names import names_of
from streams.project import Project


@dataclass(frozen=True)
class Registered:
    """A version of an event in the registry. is_new: it was not there before."""

    event: str
    version: int
    subject: str
    schema_id: int
    is_new: bool


def registry_of(project: Project) -> SchemaRegistry | None:
    """A client of the project's registry; None when it has none. Raises BatonError on settings that clash."""
    address = project.registry_address
    if address is None:
        return None
    username, password = project.registry_username, project.registry_password
    login = (username, password) if username is not None and password is not None else None
    return SchemaRegistry(address, login=login, tls=project.registry_tls())


def registry_lookup(project: Project) -> RegistryLookup | None:
    """How to find the schema of a Confluent-framed event; None when no registry is configured."""
    registry = registry_of(project)
    return registry.schema if registry else None


def register_contract(
    project: Project, registry: SchemaRegistry, on_registered: Callable[[Registered], None] = lambda _: None
) -> list[Registered]:
    """Register every version of every event, oldest first, as the registry checks one against the other.

    Idempotent. Raises BatonError when the registry refuses one; those before it stay.
    """
    names = names_of(project)
    found = []
    for event in CATALOGUE.event_types.values():
        topic = names.in_kafka(event.topic)
        for version in event.versions:
            is_new = not registry.has(topic, version.schema)
            schema_id = registry.register(topic, version.schema)
            subject = subject_of(topic, version.schema)
            found.append(Registered(event.name, version.version, subject, schema_id, is_new))
            on_registered(found[-1])
    return found
