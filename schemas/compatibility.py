"""Is the contract kept? What every .avsc must hold, which changes are allowed, and what is published.

This module reads the files itself and imports no catalogue: a broken file must be reported here, and not
stop the import. A published file is never edited; events/published.json holds the hash of each.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any, cast

import avro.schema
from avro.compatibility import ReaderWriterCompatibilityChecker, SchemaCompatibilityType
from avro.errors import AvroException

from schemas.avro_types import ATTRIBUTES, DAY, INSTANT, MONEY
from schemas.errors import BatonError, ExitCode, quoted

EVENTS_FOLDER = Path(__file__).parent / "events"
PUBLISHED = "published.json"
NAMESPACE = "funnel"

ENVELOPE: dict[str, Any] = {
    "event_id": "string",
    "occurred_at": INSTANT,
    "recorded_at": INSTANT,
    "source": "string",
}

_FILE_NAME = re.compile(r"([A-Z][A-Za-z0-9]*)\.v([1-9][0-9]*)\.avsc")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_RECORD_ATTRIBUTES = {"type", "name", "namespace", "doc", "topic", "key", "fields"}
_FIELD_ATTRIBUTES = {"name", "type", "doc", "default", "pii", "minimum", "maximum"}
_PLAIN_TYPES = ("string", "boolean", "int", "long", "double")
# What a required field may be when a source says nothing: not known, the usual flag, no attributes.
_DEFAULTS: tuple[Any, ...] = (("string", ""), ("boolean", False), ("boolean", True), (ATTRIBUTES, []))
_NUMBERS: tuple[Any, ...] = ("int", "long", "double", MONEY)
_INSTEAD = {
    "map": "name the fields; readers decode whole batches, and a map stops them",
    "array": "make one event for each item; an event is flat",
    "record": "put the fields beside the others; an event is flat",
    "enum": "use a string; a new symbol breaks old readers, and a nullable enum stops the batch reader",
    "fixed": "use a string",
    "float": "use a double",
}

Hashes = dict[str, dict[str, str]]
Finding = tuple[str, str, str]  # field ("" for the record), why, next


@dataclass(frozen=True, order=True)
class Problem:
    """One thing in the contract that must be fixed: file, field (or ""), why, and what to do next."""

    file: str
    field: str
    why: str
    next: str


@dataclass(frozen=True)
class SchemaFile:
    """A readable file of the contract: version `version` of event `name`."""

    path: Path
    name: str
    version: int
    schema: dict[str, Any]

    @property
    def label(self) -> str:
        return f"{self.path.parent.name}/{self.path.name}"

    @property
    def sha256(self) -> str:
        """Of the canonical file: JSON with sorted keys and no spaces. Words count, layout does not."""
        text = json.dumps(self.schema, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class ContractCheck:
    """What a check found: the files that could be read, every problem, and the versions it published."""

    files: tuple[SchemaFile, ...]
    problems: tuple[Problem, ...]
    newly_published: tuple[str, ...] = ()


def check_contract(folder: Path = EVENTS_FOLDER, publish: bool = False) -> ContractCheck:
    """Check every file against the rules, its other versions, and what is published.

    With publish, versions not yet in published.json are added to it, unless any other problem is left.
    Idempotent. Raises BatonError when published.json itself cannot be read or written.
    """
    files, problems = _read(folder)
    for file in files:
        problems += [Problem(file.label, *finding) for finding in _broken_rules(file)]
    problems += _differing_envelopes(files)
    for versions in _by_name(files).values():
        problems += _broken_evolution(versions)
    published = _read_published(folder)
    problems += _edited(files, published)
    new = [file for file in files if str(file.version) not in published.get(file.name, {})]
    if publish and not problems:
        for file in new:
            published.setdefault(file.name, {})[str(file.version)] = file.sha256
        if new:
            _write_published(folder, published)
        return ContractCheck(files, (), tuple(f"{file.name} v{file.version}" for file in new))
    for file in new:
        why = f"v{file.version} is not published, so nothing guards it against being edited"
        problems.append(Problem(file.label, "", why, "baton contract check --publish"))
    return ContractCheck(files, tuple(sorted(problems)))


# --- reading --------------------------------------------------------------------------------------


def _read(folder: Path) -> tuple[tuple[SchemaFile, ...], list[Problem]]:
    found = [_read_one(path) for path in sorted(folder.rglob("*.avsc"))]
    if not found:
        found = [Problem(str(folder), "", "there are no .avsc files", "restore them from version control")]
    files = tuple(one for one in found if isinstance(one, SchemaFile))
    return files, [one for one in found if isinstance(one, Problem)]


def _read_one(path: Path) -> SchemaFile | Problem:
    label = f"{path.parent.name}/{path.name}"
    try:
        schema = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return Problem(label, "", f"it cannot be read as JSON: {error}", "correct the JSON")
    if not isinstance(schema, dict) or schema.get("type") != "record":
        return Problem(label, "", "it is not an Avro record", 'make it {"type": "record", ...}')
    named = _FILE_NAME.fullmatch(path.name)
    if named is None or named[1] != schema.get("name"):
        why = f"the file's name is not the record's, {schema.get('name')!r}, and a version"
        return Problem(label, "", why, "name it <record name>.v<number>.avsc")
    fields = schema.get("fields")
    named_fields = [f for f in fields or () if isinstance(f, dict) and _is_text(f.get("name"))]
    if not isinstance(fields, list) or len(named_fields) != len(fields):
        return Problem(label, "", "fields is not a list of named fields", "list them as Avro asks")
    return SchemaFile(path, named[1], int(named[2]), schema)


def _by_name(files: Sequence[SchemaFile]) -> dict[str, list[SchemaFile]]:
    """Files of each event, oldest version first."""
    events: dict[str, list[SchemaFile]] = {}
    for file in sorted(files, key=lambda file: (file.name, file.version)):
        events.setdefault(file.name, []).append(file)
    return events


# --- rules of one file ----------------------------------------------------------------------------


def _broken_rules(file: SchemaFile) -> Iterator[Finding]:
    schema, topic = file.schema, file.path.parent.name
    if not _is_text(schema.get("doc")):
        yield "", "the record has no doc", "say in one sentence what happened"
    for attribute, wanted in (("namespace", NAMESPACE), ("topic", topic)):
        if schema.get(attribute) != wanted:
            why = f"{attribute} is {schema.get(attribute)!r}, not {wanted!r}"
            yield "", why, "correct it, or move the file"
    for attribute in sorted(schema.keys() - _RECORD_ATTRIBUTES):
        yield "", f"{attribute!r} is no attribute of an event", "remove or correct it"
    yield from _key(schema)
    for field in schema["fields"]:
        yield from _field(field)
        if _base(field.get("type")) == MONEY:
            yield from _currency(field, schema["fields"])
    try:
        _parsed(file)
    except AvroException as error:
        yield "", f"Avro refuses it: {' '.join(str(error).split())[:200]}", "correct the schema"


def _key(schema: Mapping[str, Any]) -> Iterator[Finding]:
    key = schema.get("key")
    field = next((field for field in schema["fields"] if field["name"] == key), None)
    if field is None:
        yield "", f"key is {key!r}, which is not a field", "name the field that the Kafka key comes from"
    elif field.get("type") != "string" or key in ENVELOPE:
        why = "it is the key, so it must be a required string that names the event's subject"
        yield field["name"], why, "choose an id that every event of the type has"
    elif "default" in field:
        yield field["name"], "it is the key, and every event has a subject", "remove the default"
    elif field.get("pii"):
        yield field["name"], "it is the key and may identify a person", "key by a pseudonymous id"


def _currency(money: Mapping[str, Any], fields: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    wanted = ["null", "string"] if isinstance(money["type"], list) else "string"
    if not any(field["name"] == "currency" and field.get("type") == wanted for field in fields):
        why = "money is an amount and a currency, both there or both null"
        yield money["name"], why, f"add the field currency, of type {json.dumps(wanted)}"


def _field(field: Mapping[str, Any]) -> Iterator[Finding]:
    name, avro_type = field["name"], field.get("type")
    base = _base(avro_type)
    if _FIELD_NAME.fullmatch(name) is None or name == "type":
        yield name, "a name is lower_case, and type names the event in its JSON form", "rename the field"
    if not _is_text(field.get("doc")):
        yield name, "it has no doc", "say what it means, and its unit"
    if not isinstance(field.get("pii", False), bool):
        yield name, f"pii is {field['pii']!r}, not true or false", "mark it true, or leave the mark out"
    for attribute in sorted(field.keys() - _FIELD_ATTRIBUTES):
        yield name, f"{attribute!r} is no attribute of a field", "remove or correct it"
    for bound in ("minimum", "maximum"):
        if bound in field and (type(field[bound]) not in (int, float) or base not in _NUMBERS):
            yield name, f"{bound} {field[bound]!r} on {json.dumps(base)}", "keep it for numbers, as a number"
    if isinstance(avro_type, list):
        yield from _nullable(field)
    elif "default" in field and not _says_nothing(base, field["default"]):
        why = "its default is a value, which would hide that a source left it out"
        yield name, why, 'make it "" (not known), true or false, or the type ["null", ...]'
    if base in (INSTANT, DAY, MONEY, ATTRIBUTES) or base in _PLAIN_TYPES:
        yield from _named_after_its_type(name, base)
    elif not isinstance(avro_type, list) or len(avro_type) == 2:
        instead = _INSTEAD.get(
            str(base.get("type") if isinstance(base, dict) else base),
            f"instants are {json.dumps(INSTANT)}, days {json.dumps(DAY)}, money {json.dumps(MONEY)}",
        )
        yield name, f"{json.dumps(base)} is not one of the contract's types", instead


def _says_nothing(base: Any, default: Any) -> bool:
    return any(base == kind and default == d and type(default) is type(d) for kind, d in _DEFAULTS)


def _nullable(field: Mapping[str, Any]) -> Iterator[Finding]:
    branches = field["type"]
    if len(branches) != 2 or branches[0] != "null" or branches[1] == "null":
        why = "a union may only say that a field can be null; the batch reader stops at any other"
        yield field["name"], why, 'make it ["null", <type>]'
    if field.get("default", "none") is not None:
        yield field["name"], "it may be null, and null is not its default", 'add "default": null'


def _named_after_its_type(name: str, base: Any) -> Iterator[Finding]:
    """Instants end in _at or _until, days in _on, flags begin with is_ or has_; and nothing else does."""
    for look, by_name, by_type in (
        ("an instant (_at, _until)", name.endswith(("_at", "_until")), base == INSTANT),
        ("a day (_on)", name.endswith("_on"), base == DAY),
        ("a flag (is_, has_)", name.startswith(("is_", "has_")), base == "boolean"),
    ):
        if by_name != by_type:
            says, not_so = ("name", "type") if by_name else ("type", "name")
            yield name, f"its {says} says {look}, its {not_so} does not", "make name and type agree"


def _base(avro_type: Any) -> Any:
    """The type without null. Of several branches the first; _nullable reports that there are too many."""
    if isinstance(avro_type, list):
        return next((branch for branch in avro_type if branch != "null"), "null")
    return avro_type


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip())


# --- rules across files ---------------------------------------------------------------------------


def _differing_envelopes(files: Sequence[SchemaFile]) -> Iterator[Problem]:
    """The envelope comes first and is one thing: types, and the words that document it."""
    texts: dict[str, str] = {}
    for file in files:
        found = file.schema["fields"][: len(ENVELOPE)]
        if [(field["name"], field.get("type")) for field in found] == list(ENVELOPE.items()):
            texts[file.label] = json.dumps(found, sort_keys=True)
    usual = Counter(texts.values()).most_common(1)
    model = min((label for label, text in texts.items() if text == usual[0][0]), default="another event")
    for file in files:
        if file.label not in texts or texts[file.label] != usual[0][0]:
            why = f"the envelope ({', '.join(ENVELOPE)}) does not come first, or is not the other events'"
            yield Problem(file.label, "", why, f"copy it from {model}")


def _broken_evolution(versions: Sequence[SchemaFile]) -> Iterator[Problem]:
    """FULL_TRANSITIVE: each version reads what each other one wrote, whichever came first."""
    for expected, file in enumerate(versions, start=1):
        if file.version != expected:
            why = f"v{expected} is missing or there twice; versions count from 1 without gaps"
            yield Problem(file.label, "", why, f"name it {file.name}.v{expected}.avsc, or restore the other")
            return
    for reader, writer in permutations(versions, 2):
        if reader.version > writer.version:
            for finding in _changed_meaning(reader, writer):
                yield Problem(reader.label, *finding)
        yield from _incompatible(reader, writer)


def _changed_meaning(newer: SchemaFile, older: SchemaFile) -> Iterator[Finding]:
    """What Avro does not look at: topic, key, logical types, and the marks that erasure goes by."""
    for attribute in ("topic", "key"):
        was, now = older.schema.get(attribute), newer.schema.get(attribute)
        if was != now:
            why = f"{attribute} was {was!r} in v{older.version} and is {now!r}"
            yield "", why, f"keep the {attribute}, or give the event a new name"
    before = {field["name"]: field for field in older.schema["fields"]}
    for field in newer.schema["fields"]:
        old = before.get(field["name"], field)
        if _base(old.get("type")) != _base(field.get("type")):
            why = f"its type was {json.dumps(_base(old.get('type')))} in v{older.version}"
            yield field["name"], why, "keep the type, and add a field for the new meaning"
        if old.get("pii") is True and field.get("pii") is not True:
            why = f"v{older.version} marks it as personal data, and erasure must still find it"
            yield field["name"], why, 'keep "pii": true'


def _incompatible(reader: SchemaFile, writer: SchemaFile) -> Iterator[Problem]:
    try:
        checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
        result = checker.get_compatibility(_parsed(reader), _parsed(writer))
    except AvroException:
        return  # the rules report the file that Avro refuses
    if result.compatibility is SchemaCompatibilityType.compatible:
        return
    kinds = ", ".join(sorted({kind.value for kind in result.incompatibilities}))
    said = "; ".join(sorted(result.messages))
    why = f"v{reader.version} cannot read what v{writer.version} wrote: {kinds} ({said})"
    remedy = "add only fields with a default (null, or one that says nothing), and remove only such fields"
    newer = max(reader, writer, key=lambda file: file.version)
    yield Problem(newer.label, ", ".join(_at_fault(_parsed(reader), _parsed(writer))), why, remedy)


def _at_fault(reader: avro.schema.RecordSchema, writer: avro.schema.RecordSchema) -> Iterator[str]:
    """The reader's fields that cannot be filled. (The checker forgets where it was inside a union.)"""
    checker = ReaderWriterCompatibilityChecker()  # type: ignore[no-untyped-call]
    written = writer.fields_dict
    for field in reader.fields:
        if field.name not in written:
            if not field.has_default:
                yield field.name
            continue
        result = checker.get_compatibility(field.type, written[field.name].type)
        if result.compatibility is not SchemaCompatibilityType.compatible:
            yield field.name


def _parsed(file: SchemaFile) -> avro.schema.RecordSchema:
    return cast(avro.schema.RecordSchema, avro.schema.parse(json.dumps(file.schema)))


# --- what is published ----------------------------------------------------------------------------


def _edited(files: Sequence[SchemaFile], published: Hashes) -> Iterator[Problem]:
    found = {(file.name, str(file.version)): file for file in files}
    newest = {name: versions[-1].version for name, versions in _by_name(files).items()}
    for name, versions in published.items():
        for version, sha256 in versions.items():
            file = found.get((name, version))
            if file is None:
                why = f"{name} v{version} is published and its file is gone; old events need it to be read"
                yield Problem(f"{name}.v{version}.avsc", "", why, "restore the file from version control")
            elif file.sha256 != sha256:
                why = f"{name} v{version} is published, and a published .avsc is never edited"
                remedy = f"restore it, and make the change in {name}.v{newest[name] + 1}.avsc"
                yield Problem(file.label, "", why, remedy)


def _read_published(folder: Path) -> Hashes:
    path = folder / PUBLISHED
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {str(name): {str(v): str(h) for v, h in versions.items()} for name, versions in found.items()}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, AttributeError) as error:
        raise _out_of_reach(path, f"it cannot be read: {error}") from error


def _write_published(folder: Path, published: Hashes) -> None:
    path = folder / PUBLISHED
    try:
        path.write_text(json.dumps(published, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    except OSError as error:
        raise _out_of_reach(path, f"it cannot be written: {error.strerror}") from error


def _out_of_reach(path: Path, why: str) -> BatonError:
    return BatonError(
        "The list of published schemas is out of reach",
        where=str(path),
        why=why,
        next_command=f"git restore {quoted(path)}   (or run where the source tree can be written)",
        exit_code=ExitCode.CONFIGURATION,
    )
