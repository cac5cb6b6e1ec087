"""C-STORE: the bytes as received go to the spool, then success is answered (PS3.4 annex B, PS3.7 section 9.1.1)."""

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final
from weakref import WeakKeyDictionary

from ichscan.errors import InputError, OutputError
from ichscan.service.errors import FullError
from ichscan.service.node.identifiers import Identifiers, read_identifiers
from ichscan.service.node.meta import file_head
from ichscan.service.settings import Peer
from ichscan.service.spool import Spool

if TYPE_CHECKING:
    from pydicom.dataset import Dataset
    from pynetdicom.association import Association
    from pynetdicom.dimse_primitives import C_STORE
    from pynetdicom.events import Event

LOG: Final = logging.getLogger(__name__)
SUCCESS: Final = 0x0000
NOT_AUTHORISED: Final = 0x0124
OUT_OF_RESOURCES: Final = 0xA700
NO_MATCH: Final = 0xA900
"""Data set does not match SOP class."""
NOT_UNDERSTOOD: Final = 0xC000
COMMENT_LENGTH: Final = 64
"""Of Error Comment (0000,0902), LO."""


@dataclass(slots=True)
class Reception:
    """What came over one association.

    Attributes:
        source: for the spool: "dimse:AE" or "query:AE".
        caller: the peer and its AE title.
        studies: Study Instance UIDs of the objects accepted.
        accepted: objects that are in the spool.
        refused: objects that the sender was told to keep.
    """

    source: str
    caller: Peer
    studies: set[str] = field(default_factory=set)
    accepted: int = 0
    refused: int = 0


class Receiver:
    """Answers C-STORE requests and says when a study may be complete. Thread-safe."""

    def __init__(self, spool: Spool, refuse: Callable[[str, str], None]) -> None:
        """`refuse` is told the source and the reason of every object that is not taken."""
        self._spool = spool
        self._refuse = refuse

    def store(self, event: "Event", reception: Reception) -> "int | Dataset":
        """One object.

        Returns:
            Status (PS3.4 section B.2.3): 0000H = it is in the spool. A700H = no room, 0124H = this caller may not
            send, A900H = it is another object than announced, C000H = no data set; each with a comment.
        """
        if not reception.caller.may_send:
            return self._no(reception, NOT_AUTHORISED, "may_send is false for this AE title")
        request: C_STORE = event.request  # type: ignore[assignment]
        syntax = str(event.context.transfer_syntax)
        data = request.DataSet.getbuffer() if request.DataSet else memoryview(b"")
        try:
            found = read_identifiers(data, syntax)
        except InputError as error:
            return self._no(reception, NOT_UNDERSTOOD, str(error))
        announced = (str(request.AffectedSOPClassUID), str(request.AffectedSOPInstanceUID))
        if announced != (found.sop_class, found.sop_instance):
            return self._no(reception, NO_MATCH, "SOP UIDs of the data set are not those of the request")
        return self._keep(reception, found, syntax, data)

    def finished(self, reception: Reception) -> None:
        """The association was released: its studies may be complete.

        One that was aborted or lost says nothing: the sender will come back, or `analysis.quiet_s` passes.
        """
        try:
            self._spool.finished(reception.studies, reception.source)
        except OutputError as error:
            LOG.warning("%s: studies are analysed later, after analysis.quiet_s: %s", reception.source, error)

    def _keep(self, reception: Reception, found: Identifiers, syntax: str, data: memoryview) -> "int | Dataset":
        head = file_head(found.sop_class, found.sop_instance, syntax, reception.caller.ae_title)
        try:
            self._spool.accept((head, data), reception.source)
        except FullError as error:
            return self._no(reception, OUT_OF_RESOURCES, str(error), "no room; send again later")
        except OutputError as error:
            return self._no(reception, OUT_OF_RESOURCES, str(error), "cannot be written; send again later")
        reception.studies.add(found.study)
        reception.accepted += 1
        return SUCCESS

    def _no(self, reception: Reception, status: int, reason: str, comment: str = "") -> "Dataset":
        from pydicom.dataset import Dataset

        reception.refused += 1
        self._refuse(reception.source, f"status {status:04X}H: {reason}")
        answer = Dataset()
        answer.Status = status
        answer.ErrorComment = (comment or reason)[:COMMENT_LENGTH]
        return answer


class Receptions:
    """What came over each association that is open. Thread-safe.

    pynetdicom does not tell of the end of an association whose reader died of what it was sent: keys are weak.
    """

    def __init__(self) -> None:
        self._open: WeakKeyDictionary[Association, Reception] = WeakKeyDictionary()
        self._lock = threading.Lock()

    def open(self, association: "Association", reception: Reception) -> None:
        """An association begins."""
        with self._lock:
            self._open[association] = reception

    def of(self, association: "Association") -> Reception | None:
        """What came over it; None when it is not open."""
        with self._lock:
            return self._open.get(association)

    def close(self, association: "Association") -> Reception | None:
        """An association is over; None when that was said before."""
        with self._lock:
            return self._open.pop(association, None)
