"""Apache Kafka's official jars: resolved once per user by Maven from the pinned pom, then reused."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path

from schemas.errors import BatonError, ExitCode, quoted
from streams.process_record import read_json, write_json

POM = Path(__file__).resolve().parent / "pom.xml"
_POM_SPACE = {"m": "http://maven.apache.org/POM/4.0.0"}
# The goal with its version, so that it does the same next year.
_COPY_GOAL = "org.apache.maven.plugins:maven-dependency-plugin:2.8:copy-dependencies"
_INVENTORY = "jars.json"


def kafka_version() -> str:
    """The version of Kafka pinned in the pom."""
    for dependency in ElementTree.parse(POM).findall(".//m:dependency", _POM_SPACE):
        if dependency.findtext("m:groupId", namespaces=_POM_SPACE) == "org.apache.kafka":
            return dependency.findtext("m:version", default="", namespaces=_POM_SPACE)
    raise AssertionError(f"{POM} names no Kafka")


def cache_folder() -> Path:
    """Where this user's jars are kept: XDG_CACHE_HOME or ~/.cache, then baton/kafka-<version>."""
    cache = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(cache) / "baton" / f"kafka-{kafka_version()}"


def present_jars() -> Path | None:
    """The folder of jars if it is complete; fetches nothing. BATON_KAFKA_JARS takes precedence."""
    own = os.environ.get("BATON_KAFKA_JARS")
    if own:
        folder = Path(own).expanduser().resolve()
        if not list(folder.glob("kafka_2.13-*.jar")):
            raise BatonError(
                "BATON_KAFKA_JARS holds no Kafka",
                where=str(folder),
                why="there is no kafka_2.13-*.jar in it",
                next_command="unset BATON_KAFKA_JARS   (Maven then fetches the jars)",
                exit_code=ExitCode.CONFIGURATION,
            )
        return folder
    folder = cache_folder()
    inventory = read_json(folder / _INVENTORY)
    if inventory is None:
        return None
    whole = all(
        (folder / name).is_file() and (folder / name).stat().st_size == size
        for name, size in inventory.items()
    )
    return folder if inventory and whole else None


def kafka_jars(report: Callable[[str], None] = lambda text: None) -> Path:
    """The folder of jars, fetched first when it is missing. Safe to run concurrently.

    Raises BatonError without Maven, or when Maven cannot resolve them.
    """
    folder = present_jars()
    if folder is not None:
        return folder
    folder = cache_folder()
    maven = shutil.which("mvn")
    if maven is None:
        raise BatonError(
            "Maven is missing",
            where="PATH",
            why=f"Kafka {kafka_version()}'s jars are not in {folder} yet, and Maven fetches them",
            next_command="apt install maven   (macOS: brew install maven; or set BATON_KAFKA_JARS to a "
            "folder of Kafka's jars, or BATON_KAFKA to a broker)",
            exit_code=ExitCode.CONFIGURATION,
        )
    report(f"Fetching Kafka {kafka_version()} with Maven, once (about 43 MB) ...")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".fetching-") as scratch:
            jars = Path(scratch) / "jars"
            _run_maven(maven, Path(scratch), jars)
            inventory = {jar.name: jar.stat().st_size for jar in sorted(jars.glob("*.jar"))}
            write_json(jars / _INVENTORY, inventory)
            _put_in_place(jars, folder)
    except OSError as error:
        raise BatonError(
            "The cache for Kafka's jars cannot be written",
            where=str(error.filename or folder),
            why=error.strerror or str(error),
            next_command="export XDG_CACHE_HOME=/a/folder/you/can/write",
            exit_code=ExitCode.CONFIGURATION,
        ) from error
    return folder


def _run_maven(maven: str, scratch: Path, jars: Path) -> None:
    # Maven gets a copy of the pom: it may sit in a folder that cannot be written.
    pom = shutil.copy(POM, scratch / "pom.xml")
    command = [maven, "-q", "-B", "-f", str(pom), _COPY_GOAL, f"-DoutputDirectory={jars}"]
    try:
        run = subprocess.run(
            [*command, "-DincludeScope=runtime"],
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
            cwd=scratch,
            stdin=subprocess.DEVNULL,
        )
        failure = "" if run.returncode == 0 else run.stdout + run.stderr
    except subprocess.TimeoutExpired:
        failure = "it did not finish within 10 minutes"
    if failure or not list(jars.glob(f"kafka_2.13-{kafka_version()}.jar")):
        errors = [line for line in failure.splitlines() if "ERROR" in line] or failure.splitlines()
        raise BatonError(
            "Maven cannot fetch Kafka's jars",
            where=str(POM),
            why="\n".join(line.strip()[:400] for line in errors[:2]) or "it left no Kafka jar",
            next_command=f"mvn -B -f {quoted(POM)} dependency:copy-dependencies"
            " -DoutputDirectory=/tmp/kafka-jars"
            "   (shows all output; behind a proxy or mirror: ~/.m2/settings.xml)",
            exit_code=ExitCode.UNREACHABLE,
        )


def _put_in_place(jars: Path, folder: Path) -> None:
    """Rename the finished folder into place: replace an incomplete one, keep a complete one."""
    if folder.exists() and present_jars() is None:
        folder.rename(jars.parent / "incomplete")
    try:
        jars.rename(folder)
    except OSError:
        if present_jars() is None:
            raise
