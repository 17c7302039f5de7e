"""Who reads a project's numbers with a token of their own: its grants, its roles, its log."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from schemas.errors import BatonError, ExitCode
from streams.access.access_log import AccessLog
from streams.access.grants import Grants
from streams.project import Project
from streams.recorded import Recorded
from warehouse.role_statement import Asked, Reader
from warehouse.roles import DEFAULT_ROLES, Role, read_roles


class ProjectReaders:
    """What the statement server asks: whose a token is, and where to note what was asked."""

    def __init__(self, grants: Grants, roles: Mapping[str, Role], log: AccessLog) -> None:
        self.grants, self.roles, self.log = grants, roles, log

    @classmethod
    def of(cls, project: Project) -> ProjectReaders:
        """Raises BatonError when the roles cannot be read: once. The grants are read when they change."""
        roles = read_roles(roles_file(project))
        return cls(Grants(grants_file(project)), roles, AccessLog(access_log_file(project), roles))

    def enter(self, token: str) -> Reader | None:
        """Whose token this is, if it means something and its role is still one."""
        reader = self.grants.enter(token)
        return reader if reader is not None and reader.role in self.roles else None

    def note(self, reader: Reader, asked: Asked) -> None:
        """A statement has ended."""
        self.log.note(reader, asked)


def grants_file(project: Project) -> Path:
    return project.home / "access.json"


def access_log_file(project: Project) -> Path:
    return project.logs_dir / "access.log"


def roles_file(project: Project) -> Path:
    """roles.toml of the project's folder, else the packaged one."""
    recorded = Recorded.read(project.recorded_file)
    own = (recorded.folder if recorded else project.cwd) / "roles.toml"
    return own if own.exists() else DEFAULT_ROLES


def role_of(project: Project, name: str, next_command: str) -> Role:
    """The role of this name. Raises BatonError with the names there are; `next_command` ends with one."""
    roles = read_roles(roles_file(project))
    if name not in roles:
        raise BatonError(
            f"There is no role {name}",
            where=str(roles_file(project)),
            why=f"its roles: {', '.join(sorted(roles))}",
            next_command=f"{next_command} {min(roles, default='ROLE')}",
            exit_code=ExitCode.USAGE,
        )
    return roles[name]
