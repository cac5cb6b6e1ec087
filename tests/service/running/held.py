"""Studies that are held and due, without the processes of the service."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.service.core.world import World
from tests.service.running.scans import study

from ichscan.service.jobs.due import queue_due
from ichscan.service.settings import Settings


class Held(World):
    """With settings that a test gives."""

    def __init__(self, folder: Path, **changes: Any) -> None:
        super().__init__(folder)
        self.settings: Settings = replace(self.settings, **changes)

    def due(self, number: int = 1, count: int = 6, source: str = "dimse:CT1", **tags: object) -> int:
        """Receives a drawn study and queues its analysis; its id."""
        self.receive(study(number, count, **tags), source)
        later = max(one.due or 0.0 for one in self.rows_of_studies())
        queue_due(self.database, self.settings, later + 0.1)
        return self.rows_of_studies()[-1].id

    def rows_of_studies(self) -> list[Any]:
        from ichscan.service.tables import Study

        return self.rows(Study)
