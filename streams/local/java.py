"""The Java that runs Kafka: found, and new enough."""

from __future__ import annotations

import os
import re
import shutil
import subprocess

from schemas.errors import BatonError, ExitCode

OLDEST_JAVA = 17


def find_java() -> tuple[str, int]:
    """(path of the java command, its major version). JAVA_HOME takes precedence over PATH.

    Raises BatonError when there is none or when it is older than Kafka needs.
    """
    home = os.environ.get("JAVA_HOME")
    java = shutil.which("java", path=os.path.join(home, "bin")) if home else None
    java = java or shutil.which("java")
    if java is None:
        raise _no_java("Java is missing", "PATH", "no java command, and JAVA_HOME has none either")
    # `java -version` prints to stderr. macOS ships a java stub that only says that none is installed.
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
    """Whether a Docker daemon answers (having the docker command is not enough)."""
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
    install = "apt install openjdk-17-jre-headless"
    if docker_answers():
        next_command = (
            "docker compose up -d kafka && BATON_KAFKA=127.0.0.1:9092 baton up   "
            f"(Docker answers here; or: {install})"
        )
    else:
        next_command = f"{install}   (macOS: brew install openjdk@17; or export BATON_KAFKA=host:port)"
    return BatonError(what, where=where, why=why, next_command=next_command, exit_code=ExitCode.CONFIGURATION)
