"""A DICOM archive in the test's own process, which can be slow, refuse, be away and come back."""

import threading
import time
from dataclasses import dataclass, field
from typing import Any

from pynetdicom import evt
from pynetdicom.ae import ApplicationEntity
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

STORED = (
    "1.2.840.10008.5.1.4.1.1.88.34",
    "1.2.840.10008.5.1.4.1.1.88.59",
    "1.2.840.10008.5.1.4.1.1.30",
    "1.2.840.10008.5.1.4.1.1.7",
)


@dataclass
class Archive:
    port: int
    pause_s: float = 0.0
    status: int = 0x0000
    takes: tuple[str, ...] = STORED
    received: list[str] = field(default_factory=list)
    callers: list[str] = field(default_factory=list)
    first: threading.Event = field(default_factory=threading.Event)
    tls: Any = None
    _server: Any = None

    def start(self) -> None:
        entity = ApplicationEntity("ARCHIVE")
        entity.add_supported_context(Verification)
        for sop_class in self.takes:
            entity.add_supported_context(sop_class)
        self._server = entity.start_server(
            ("127.0.0.1", self.port), block=False, ssl_context=self.tls, evt_handlers=[(evt.EVT_C_STORE, self._store)]
        )

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server = None

    def _store(self, event: Any) -> int:
        self.first.set()
        time.sleep(self.pause_s)
        if self.status == 0:
            self.received.append(str(event.request.AffectedSOPInstanceUID))
            self.callers.append(event.assoc.requestor.ae_title)
        return self.status
