"""The files of one worker of a project."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class WorkerFiles:
    """What belongs to one worker of a project: its warehouse, and the traces of its process."""

    name: str
    home: Path
    warehouse_name: str

    @property
    def warehouse(self) -> Path:
        return self.home / self.warehouse_name

    @property
    def record(self) -> Path:
        return self.home / "run" / f"{self.name}.json"

    @property
    def supervisor(self) -> Path:
        return self.home / "run" / f"{self.name}-supervisor.json"

    @property
    def ready(self) -> Path:
        """Written by the worker once it reads the log: {"pid": ..., "ready_at": ...}."""
        return self.home / "run" / f"{self.name}-ready.json"

    @property
    def endpoint(self) -> Path:
        """Address and token of its SQL endpoint; written with mode 0600."""
        return self.home / "run" / f"{self.name}-sql.json"

    @property
    def page(self) -> Path:
        """Where the page is served: {"url": ...}."""
        return self.home / "run" / f"{self.name}-page.json"

    def forget(self) -> None:
        """Remove what says that it runs, and where it answers."""
        for file in (self.ready, self.endpoint, self.page):
            file.unlink(missing_ok=True)

    @property
    def log(self) -> Path:
        """Where the output of the worker in the background goes."""
        return self.home / "logs" / f"{self.name}.log"
