"""What every request may use: the settings, the database and the spool, and what this process remembers."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.requests import HTTPConnection

from ichscan.service.settings import Settings
from ichscan.service.web.recent import Recent

if TYPE_CHECKING:
    from ichscan.service.database import Database
    from ichscan.service.spool import Spool


@dataclass(frozen=True, slots=True)
class Service:
    """Of one web process; `request.app.state.service`.

    Attributes:
        settings: as read from the TOML.
        database: that all processes share.
        spool: where accepted DICOM files go.
        seen: accesses that are in the audit trail already, for a minute (see `ichscan.service.web.trail`).
    """

    settings: Settings
    database: "Database"
    spool: "Spool"
    seen: Recent = field(default_factory=Recent)


def service_of(request: HTTPConnection) -> Service:
    """The service that a request came to; also a dependency: `Depends(service_of)`."""
    service: Service = request.app.state.service
    return service
