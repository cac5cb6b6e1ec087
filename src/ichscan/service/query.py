"""Asks a peer for studies that did not come by themselves: C-FIND and C-MOVE (PS3.4 annex C, Study Root model).

What is asked for comes as C-STORE through the node like everything else: one door, one set of limits. So the peer
must know this node by its AE title and address, and the node must run.
"""

import datetime
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from ichscan.dicom.header import text
from ichscan.errors import UsageError
from ichscan.service.send.dimse import associated
from ichscan.service.send.failure import DeliveryError
from ichscan.service.settings import DicomSettings, Peer

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

FIND: Final = "1.2.840.10008.5.1.4.1.2.2.1"
MOVE: Final = "1.2.840.10008.5.1.4.1.2.2.2"
_SYNTAX: Final = "1.2.840.10008.1.2.1"
_PENDING: Final = (0xFF00, 0xFF01)
_UID: Final = re.compile(r"[0-9.]{1,64}")
MOST_FOUND: Final = 1000
_KEYS: Final = ("StudyDate", "StudyDescription", "ModalitiesInStudy", "NumberOfStudyRelatedInstances")


@dataclass(frozen=True, slots=True)
class Found:
    """A study that a peer holds.

    Attributes:
        study_instance_uid: of the study.
        date: DICOM DA, "" when not told.
        description: of the study, "" when not told.
        modalities: e.g. ("CT", "SR"); empty when not told.
        images: how many objects it has; None when not told.
    """

    study_instance_uid: str
    date: str
    description: str
    modalities: tuple[str, ...]
    images: int | None


@dataclass(frozen=True, slots=True)
class Moved:
    """What a peer said of a move.

    Attributes:
        sent: objects that this node took.
        failed: objects that could not be sent, or that this node refused.
    """

    sent: int
    failed: int


def find_studies(
    peer: Peer, node: DicomSettings, *, study_uid: str = "", patient_id: str = "", dates: str = ""
) -> list[Found]:
    """C-FIND on study level (PS3.4 section C.4.1): one study, those of one patient, or those with CT of some days.

    Args:
        peer: that is asked.
        node: AE title and certificates of this side.
        study_uid: Study Instance UID (0020,000D).
        patient_id: Patient ID (0010,0020).
        dates: Study Date (0008,0020) or a range of them, "20261120" or "20261120-20261121" (PS3.4 C.2.2.2.5).

    Raises:
        UsageError: not exactly one of the three is given, or it holds wildcards or is no date.
        DeliveryError: the peer is not reachable, refuses or fails, or finds more than `MOST_FOUND` studies.
    """
    asked = _asked(study_uid, patient_id, dates)
    for keyword in _KEYS:
        if keyword not in asked:
            setattr(asked, keyword, "")
    found: list[Found] = []
    with associated(peer, node, [(FIND, _SYNTAX)]) as association:
        for status, answer in association.send_c_find(asked, FIND):
            if _state(peer, "C-FIND", status) not in _PENDING or answer is None:
                continue
            if len(found) == MOST_FOUND:
                association.abort()
                raise DeliveryError(
                    f"{peer.name}: expected at most {MOST_FOUND} studies, found more; ask for fewer days"
                )
            found.append(_found(peer, answer))
    # A peer may ignore modalities as a key (PS3.4 table C.6-5: optional).
    return [one for one in found if not dates or not one.modalities or "CT" in one.modalities]


def move_study(peer: Peer, node: DicomSettings, study_uid: str) -> Moved:
    """C-MOVE of a study to this node (PS3.4 section C.4.2); returns when the peer has sent it.

    Raises:
        UsageError: no UID.
        DeliveryError: the peer is not reachable, refuses or fails, does not know this node, or holds no such study.
    """
    asked = _asked(study_uid, "", "")
    sent = failed = 0
    with associated(peer, node, [(MOVE, _SYNTAX)]) as association:
        for status, _ in association.send_c_move(asked, node.ae_title, MOVE):
            _state(peer, "C-MOVE", status, tolerated=(0xB000,))
            sent = _count(status, "NumberOfCompletedSuboperations") + _count(status, "NumberOfWarningSuboperations")
            failed = _count(status, "NumberOfFailedSuboperations")
    if not sent and not failed:
        raise DeliveryError(f"{peer.name}: expected objects of the study, found none; does it hold the study?")
    return Moved(sent, failed)


def _asked(study_uid: str, patient_id: str, dates: str) -> "Dataset":
    from pydicom.dataset import Dataset

    if sum(map(bool, (study_uid, patient_id, dates))) != 1:
        raise UsageError("expected a Study Instance UID, a Patient ID or a date, found none or several")
    if study_uid and not _UID.fullmatch(study_uid):
        raise UsageError("expected digits and dots as Study Instance UID, found others")
    if any(character in patient_id for character in "*?\\"):
        raise UsageError("expected one Patient ID, found a wildcard: whole archives are not asked for")
    asked = Dataset()
    asked.QueryRetrieveLevel = "STUDY"
    asked.StudyInstanceUID = study_uid
    if patient_id:
        asked.SpecificCharacterSet = "ISO_IR 192"
        asked.PatientID = patient_id
    if dates:
        asked.StudyDate = _checked(dates)
        asked.ModalitiesInStudy = "CT"
    return asked


def _checked(dates: str) -> str:
    days = dates.split("-")
    try:
        first, last = (datetime.datetime.strptime(day, "%Y%m%d").date() for day in (days[0], days[-1]))
    except ValueError:
        first, last = datetime.date.max, datetime.date.min
    if len(days) > 2 or first > last or any(len(day) != 8 for day in days):
        raise UsageError("expected a date such as 20261120, or two with a hyphen, found others")
    return dates


def _state(peer: Peer, what: str, status: "Dataset", tolerated: Iterable[int] = ()) -> int:
    """The status of an answer; raises when it is a failure, or there was none."""
    code = status.get("Status")
    if code is None:
        raise DeliveryError(f"{peer.name}: expected an answer to {what}, found none; see its log")
    if code != 0 and code not in _PENDING and code not in tolerated:
        asked = "; does the service run, and does the peer know its AE title and address?" if what == "C-MOVE" else ""
        raise DeliveryError(f"{peer.name}: expected success of {what}, found status 0x{code:04X}{asked}")
    return int(code)


def _found(peer: Peer, answer: "Dataset") -> Found:
    uid = text(answer, "StudyInstanceUID").rstrip("\0")
    if not _UID.fullmatch(uid):
        raise DeliveryError(f"{peer.name}: expected a Study Instance UID in its answer to C-FIND, found none")
    images = text(answer, "NumberOfStudyRelatedInstances")
    return Found(
        uid,
        text(answer, "StudyDate"),
        text(answer, "StudyDescription"),
        tuple(one for one in text(answer, "ModalitiesInStudy").split("\\") if one),
        int(images) if images.isdecimal() else None,
    )


def _count(status: "Dataset", keyword: str) -> int:
    told: Any = status.get(keyword)
    return int(told) if isinstance(told, int) else 0
