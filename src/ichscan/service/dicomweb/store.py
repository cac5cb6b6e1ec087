"""STOW-RS: parts of a request become files of the spool (PS3.18 section 10.5)."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from ichscan.errors import InputError, NotDicomError, OutputError
from ichscan.service.dicomweb.head import BrokenHeadError, Head, read_head
from ichscan.service.dicomweb.json_model import Json, element
from ichscan.service.dicomweb.media import DICOM, MULTIPART, MediaType, parse_type
from ichscan.service.dicomweb.multipart import Part, read_parts
from ichscan.service.errors import FullError
from ichscan.service.refusals import refused

if TYPE_CHECKING:
    from sqlalchemy.orm import Session

    from ichscan.service.spool import Spool

FULL: Final = 0xA700
FAILED: Final = 0x0110
NOT_UNDERSTOOD: Final = 0xC000
OTHER_STUDY: Final = 0xC409
"""In the range "cannot understand"; other archives answer the same for an instance of another study."""
MOST_REFUSALS: Final = 100
"""Rows of one request; the last one counts those beyond."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A part that was not taken.

    Attributes:
        reason: Failure Reason (0008,1197), PS3.18 Table I.2-2.
        text: for people; holds no patient data.
        sop_class: UID, "" when not known.
        sop_instance: UID, "" when not known.
    """

    reason: int
    text: str
    sop_class: str = ""
    sop_instance: str = ""


@dataclass(slots=True)
class Outcome:
    """What became of the parts of one request, so far."""

    stored: list[Head] = field(default_factory=list)
    failures: list[Failure] = field(default_factory=list)

    @property
    def studies(self) -> list[str]:
        """Study Instance UIDs of what was stored, each once."""
        return list(dict.fromkeys(head.study for head in self.stored))

    @property
    def status(self) -> int:
        """Of HTTP (PS3.18 Table 10.5.3-1); 507 when nothing could be stored for want of space."""
        if not self.failures:
            return 200
        if self.stored:
            return 202
        reasons = {failure.reason for failure in self.failures}
        if FULL in reasons:
            return 507
        return 500 if FAILED in reasons else 409


def store(
    spool: "Spool", chunks: Iterable[bytes], content: MediaType, source: str, study: str | None, outcome: Outcome
) -> None:
    """Stores a body; `outcome` is kept up to date, so that it holds what was stored before an error.

    Args:
        spool: where accepted files go.
        chunks: the body.
        content: its type: multipart/related of application/dicom, or one application/dicom.
        source: "stow:NAME".
        study: UID that the instances must be of, or None.
        outcome: to be filled.

    Raises:
        InputError: the multipart is malformed, or without parts.
    """
    try:
        for part in _parts(chunks, content):
            _store_part(spool, part, source, study, outcome)
    finally:
        if outcome.stored:
            spool.finished(outcome.studies, source)
    if not outcome.stored and not outcome.failures:
        raise InputError("expected at least one part, found none")


def _parts(chunks: Iterable[bytes], content: MediaType) -> Iterator[Part]:
    if content.name == MULTIPART:
        return read_parts(chunks, content.parameters.get("boundary", ""))
    return iter([Part({"content-type": content.name}, iter(chunks))])


def _store_part(spool: "Spool", part: Part, source: str, study: str | None, outcome: Outcome) -> None:
    try:
        _check_headers(part)
        head, body = read_head(part.body)
    except BrokenHeadError as error:
        outcome.failures.append(Failure(NOT_UNDERSTOOD, str(error), error.sop_class, error.sop_instance))
        return
    except (_PartError, NotDicomError) as error:
        outcome.failures.append(Failure(NOT_UNDERSTOOD, str(error)))
        return
    known = (head.sop_class, head.sop_instance)
    if study is not None and head.study != study:
        text = "expected an instance of the study of the URL, found one of another study"
        outcome.failures.append(Failure(OTHER_STUDY, text, *known))
        return
    try:
        spool.accept(body, source)
    except FullError as error:
        outcome.failures.append(Failure(FULL, str(error), *known))
    except OutputError as error:
        outcome.failures.append(Failure(FAILED, str(error), *known))
    else:
        outcome.stored.append(head)


class _PartError(InputError):
    """This part cannot be taken; others can."""


def _check_headers(part: Part) -> None:
    """Raises _PartError unless the headers say: a DICOM file, as it is."""
    told = part.headers.get("content-type", DICOM)
    try:
        name = parse_type(told).name
    except InputError as error:
        raise _PartError(str(error)) from error
    if name != DICOM:
        raise _PartError(f"expected a part of type {DICOM}, found {name}")
    coding = part.headers.get("content-transfer-encoding", "binary").lower()
    if coding not in ("binary", "8bit", "7bit"):
        raise _PartError("expected a part with Content-Transfer-Encoding binary, found another")


def response(outcome: Outcome, base_url: str) -> Json:
    """The Store Instances Response module (PS3.18 Annex I.2).

    Args:
        outcome: of the request.
        base_url: of the service, without a slash at the end.
    """
    studies = outcome.studies
    told = element("RetrieveURL", f"{base_url}/studies/{studies[0]}") if len(studies) == 1 else {}
    stored = [_reference(head.sop_class, head.sop_instance) | _place(head, base_url) for head in outcome.stored]
    named = [one for one in outcome.failures if one.sop_class and one.sop_instance]
    failed = [_reference(one.sop_class, one.sop_instance) | element("FailureReason", one.reason) for one in named]
    other = [
        element("FailureReason", one.reason) for one in outcome.failures if not (one.sop_class and one.sop_instance)
    ]
    for keyword, items in (
        ("ReferencedSOPSequence", stored),
        ("FailedSOPSequence", failed),
        ("OtherFailuresSequence", other),
    ):
        if items:
            told |= element(keyword, *items)
    return told


def _reference(sop_class: str, sop_instance: str) -> Json:
    return element("ReferencedSOPClassUID", sop_class) | element("ReferencedSOPInstanceUID", sop_instance)


def _place(head: Head, base_url: str) -> Json:
    url = f"{base_url}/studies/{head.study}/series/{head.series}/instances/{head.sop_instance}"
    return element("RetrieveURL", url)


def record_failures(session: "Session", failures: Sequence[Failure], source: str) -> None:
    """Writes down what was not taken: nothing is lost in silence."""
    for one in failures[:MOST_REFUSALS]:
        refused(session, source, f"{one.text} (SOP instance {one.sop_instance or 'unknown'})")
    beyond = len(failures) - MOST_REFUSALS
    if beyond > 0:
        refused(session, source, f"{beyond} more parts of the same request")
