"""The DICOM node: verification and storage as SCP, with pynetdicom (PS3.4 annexes A and B)."""

import logging
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from pynetdicom import AE, _config, evt

from ichscan.errors import OutputError
from ichscan.service.node.callers import Callers, plain_address
from ichscan.service.node.contexts import BESIDE, CT, TRANSFER_SYNTAXES, VERIFICATION
from ichscan.service.node.framing import ANNOUNCED_BYTES, Limits
from ichscan.service.node.meta import IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME
from ichscan.service.node.receive import NOT_AUTHORISED, Receiver, Reception, Receptions
from ichscan.service.node.server import NodeServer
from ichscan.service.node.tls import server_context
from ichscan.service.settings import Settings
from ichscan.service.spool import Spool

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pynetdicom.events import Event

LOG: Final = logging.getLogger(__name__)
REQUEST_S: Final = 15.0
"""From the connection to the end of the association request."""
STOP_S: Final = 10.0
SPARE_CONNECTIONS: Final = 16
"""Beyond `dicom.associations`: so many more may connect and are told that there is no room."""
_REJECTED_PERMANENT, _BY_USER, _CALLING_AE_TITLE = 0x01, 0x01, 0x03
RefusalTold = Callable[[str, str], None]


def _only_logged(source: str, reason: str) -> None:
    """What is told of refusals when nobody else is interested: the log has them anyway."""


class Node:
    """Listens in threads of its own from `start` to `stop`."""

    def __init__(self, settings: Settings, spool: Spool, refused: RefusalTold = _only_logged) -> None:
        """Nothing listens yet.

        Args:
            settings: of the service; `dicom` is used.
            spool: where accepted objects go.
            refused: is told the source ("dimse:AE" or "dimse:@ADDRESS") and the reason of what is refused, from any
                thread.

        Raises:
            UsageError: `dicom` is beyond this machine without peers, or a file of TLS cannot be used.
        """
        self._settings = settings.dicom
        self._callers = Callers(settings.dicom)
        self._tls = server_context(settings.dicom)
        self._told = refused
        self._receiver = Receiver(spool, self._refused)
        self._receptions = Receptions()
        self._server: NodeServer | None = None
        self._thread: threading.Thread | None = None

    @property
    def port(self) -> int:
        """That is listened on; of use when the settings say 0. Only between `start` and `stop`."""
        if self._server is None:
            raise RuntimeError("the node was not started")
        return int(self._server.server_address[1])

    @property
    def associations(self) -> int:
        """How many connections are open, associations and those that are about to be."""
        return len(self._server.active_associations) if self._server else 0

    def start(self) -> None:
        """Begins to listen; returns at once.

        Raises:
            OutputError: the address cannot be listened on.
        """
        dicom = self._settings
        # A documented option of pynetdicom: otherwise it words its log of every unit even when nobody logs it, and
        # would log identifiers.
        _config.LOG_HANDLER_LEVEL = "none"
        try:
            entity = self._entity()
            server = NodeServer(
                entity,
                (dicom.host, dicom.port),
                dicom.ae_title,
                entity.supported_contexts,
                ssl_context=self._tls,
                evt_handlers=self._handlers(),
                callers=self._callers,
                limits=Limits(dicom.idle_s),
                connections=dicom.associations + SPARE_CONNECTIONS,
                refuse=self._refused_connection,
            )
        except OSError as error:
            raise OutputError(
                f"dicom.port: expected to listen on {dicom.host}:{dicom.port}, found {error.strerror or error}; "
                "does another program?"
            ) from error
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.1}, name="dicom node")
        self._thread.start()
        LOG.info("DICOM node %s listens on %s:%d%s", dicom.ae_title, dicom.host, self.port, " (TLS)" * bool(self._tls))

    def stop(self, grace_s: float = STOP_S) -> None:
        """Takes no more callers, lets associations end for `grace_s`, then aborts what is left of them."""
        if self._server is None or self._thread is None:
            return
        self._server.shutdown()
        self._thread.join()
        until = time.monotonic() + grace_s
        while self._server.active_associations and time.monotonic() < until:
            time.sleep(0.02)
        for association in self._server.active_associations:
            LOG.warning("DICOM association of %s aborted, as the node stops", association.requestor.ae_title)
            association.abort()
        self._server = self._thread = None

    def _entity(self) -> AE:
        dicom = self._settings
        entity = AE(dicom.ae_title)
        entity.implementation_class_uid = IMPLEMENTATION_CLASS_UID
        entity.implementation_version_name = IMPLEMENTATION_VERSION_NAME
        entity.require_called_aet = True
        entity.maximum_associations = dicom.associations
        entity.maximum_pdu_size = ANNOUNCED_BYTES
        entity.network_timeout = dicom.idle_s
        entity.acse_timeout = min(REQUEST_S, dicom.idle_s)
        entity.dimse_timeout = dicom.idle_s
        entity.add_supported_context(VERIFICATION)
        for sop_class in (*CT, *BESIDE):
            entity.add_supported_context(sop_class, list(TRANSFER_SYNTAXES))
        return entity

    def _handlers(self) -> list[evt.EventHandlerType]:
        return [
            (evt.EVT_REQUESTED, self._on_requested),
            (evt.EVT_ESTABLISHED, self._on_established),
            (evt.EVT_C_ECHO, self._on_echo),
            (evt.EVT_C_STORE, self._on_store),
            (evt.EVT_RELEASED, self._on_released),
            (evt.EVT_ABORTED, self._on_aborted),
        ]

    def _on_requested(self, event: "Event") -> None:
        """Rejects callers that are not known (PS3.8 section 9.3.4)."""
        association = event.assoc
        request = association.requestor.primitive
        address = plain_address(association.requestor.address or "")
        ae_title = request.calling_ae_title.strip() if request else ""
        if self._callers.caller(ae_title, address) is None:
            self._refused_connection(address, ae_title, "no peer has this AE title and address")
            association.acse.send_reject(_REJECTED_PERMANENT, _BY_USER, _CALLING_AE_TITLE)
            # Waits until it is sent, as pynetdicom does for its own rejections.
            association.kill()

    def _on_established(self, event: "Event") -> None:
        ae_title = event.assoc.requestor.ae_title.strip()
        caller = self._callers.caller(ae_title, plain_address(event.assoc.requestor.address or ""))
        if caller is None:
            event.assoc.abort()
            return
        self._receptions.open(event.assoc, Reception(f"dimse:{ae_title}", caller))

    def _on_echo(self, event: "Event") -> int:
        return 0x0000

    def _on_store(self, event: "Event") -> "int | Dataset":
        reception = self._receptions.of(event.assoc)
        return self._receiver.store(event, reception) if reception else NOT_AUTHORISED

    def _on_released(self, event: "Event") -> None:
        reception = self._receptions.close(event.assoc)
        if reception:
            self._receiver.finished(reception)
            _log_end(reception, "released")

    def _on_aborted(self, event: "Event") -> None:
        reception = self._receptions.close(event.assoc)
        if reception:
            _log_end(reception, "aborted or lost")

    def _refused_connection(self, address: str, ae_title: str, reason: str) -> None:
        self._refused(f"dimse:{ae_title}@{address}", reason)

    def _refused(self, source: str, reason: str) -> None:
        # The AE title is what a stranger sent; repr keeps control characters out of the log.
        LOG.warning("DICOM refused: %r: %s", source, reason)
        self._told(source, reason)


def _log_end(reception: Reception, how: str) -> None:
    level = logging.INFO if how == "released" and not reception.refused else logging.WARNING
    if reception.accepted or reception.refused or level > logging.INFO:
        LOG.log(
            level,
            "DICOM association of %s %s: %d objects of %d studies accepted, %d refused",
            *(reception.source, how, reception.accepted, len(reception.studies), reception.refused),
        )
