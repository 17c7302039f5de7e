"""The Java that runs Kafka: found, and new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from schemas.errors import BatonError, ExitCode

OLDEST_JAVA = 17


def find_java() -> tuple[str, int]:
    """(path of the java command, its major version). JAVA_HOME goes before PATH.

    Raises BatonError when there is none or when it is older than Kafka needs.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=os.path.join(home, "bin")) if home else None
    java = java or shutil.which("java")
    if java is None:
        raise _no_java("Java is missing", "PATH", "no java command, and JAVA_HOME does not lead to one")
    # `java -version` speaks on stderr. macOS ships a java that only says that there is none.
    answer = subprocess.run([java, "-version"], capture_output=True, text=True, check=False)
    match = re.search(r'version "(?:1\.)?(\d+)', answer.stderr + answer.stdout)
    if match is None:
        said = (answer.stderr + answer.stdout).strip().splitlines()
        raise _no_java("Java does not run", java, said[0] if said else f"exit code {answer.returncode}")
    version = int(match[1])
    if version < OLDEST_JAVA:
        raise _no_java("Java is too old", java, f"it is Java {version}, Kafka needs {OLDEST_JAVA} or newer")
    return java, version


def docker_answers() -> bool:
    """Whether a Docker daemon really answers (a docker command alone says little)."""
    docker = shutil.which("docker")
    if docker is None:
        return False
    try:
        ping = subprocess.run(
            [docker, "version", "--format", "{{.Server.Version}}"],
            capture_output=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return ping.returncode == 0


def _no_java(what: str, where: str, why: str) -> BatonError:
    install = "install Java 17 (apt install openjdk-17-jre-headless | brew install openjdk@17)"
    if docker_answers():
        next_command = (
            "docker compose up -d kafka && BATON_KAFKA=127.0.0.1:9092 baton up   "
            f"(Docker answers here; or {install})"
        )
    else:
        next_command = f"{install}, or export BATON_KAFKA=host:port of a broker you have"
    return BatonError(what, where=where, why=why, next_command=next_command, exit_code=ExitCode.CONFIGURATION)
