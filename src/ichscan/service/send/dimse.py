"""Results to a DICOM node by C-STORE (PS3.4 annex B, PS3.7 section 9.1.1)."""

import ssl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.dicom.quiet import quiet_pydicom
from ichscan.service.send.failure import DeliveryError
from ichscan.service.settings import DicomSettings, Peer

if TYPE_CHECKING:
    from pynetdicom.association import Association

CONNECT_S: Final = 10.0
ANSWER_S: Final = 60.0
WARNINGS: Final = frozenset({0x0001, 0x0107, 0x0116})
"""Statuses beside 0xBxxx with which the object was stored (PS3.7 annex C)."""
LARGEST_PDU: Final = 0
"""Of what this side takes: no limit. The other side says its own."""


def store(peer: Peer, node: DicomSettings, paths: Sequence[Path]) -> int:
    """Sends files over one association; the other side may hold some of them already.

    Args:
        peer: that is called.
        node: AE title and certificates of this side.
        paths: Part 10 files.

    Returns:
        How many were stored.

    Raises:
        DeliveryError: not reachable, refused, or not all were stored.
    """
    from pydicom import dcmread
    from pydicom.uid import UID

    with quiet_pydicom():
        kinds = {_kind(path) for path in paths}
        with associated(peer, node, sorted(kinds)) as association:
            for number, path in enumerate(paths):
                dataset = dcmread(path)
                try:
                    status = association.send_c_store(dataset, msg_id=number % 0xFFFF + 1)
                except (ValueError, RuntimeError) as error:
                    # no accepted context for its class, or the association ended
                    raise DeliveryError(_said(peer, number, len(paths), _reason(error, dataset.SOPClassUID))) from error
                code = int(status.Status) if "Status" in status else None
                if code is None:
                    raise DeliveryError(_said(peer, number, len(paths), "it did not answer; see its log"))
                if code != 0 and code not in WARNINGS and code >> 12 != 0xB:
                    name = UID(dataset.SOPClassUID).name
                    raise DeliveryError(_said(peer, number, len(paths), f"status 0x{code:04X} for {name}; see its log"))
    return len(paths)


def echo(peer: Peer, node: DicomSettings) -> None:
    """C-ECHO (PS3.7 section 9.1.5). Raises DeliveryError: not reachable, refused, or no answer of success."""
    verification = "1.2.840.10008.1.1"
    with associated(peer, node, [(verification, "1.2.840.10008.1.2")]) as association:
        status = association.send_c_echo()
        if status.get("Status") != 0:
            raise DeliveryError(f"{peer.name}: expected success of C-ECHO, found status {status.get('Status')}")


@contextmanager
def associated(peer: Peer, node: DicomSettings, kinds: Sequence[tuple[str, str]]) -> "Iterator[Association]":
    """An association as SCU that offers these SOP classes, each in one transfer syntax; released at the end.

    Raises:
        DeliveryError: not reachable, or refused.
    """
    from pynetdicom.ae import ApplicationEntity

    entity = ApplicationEntity(node.ae_title)
    entity.connection_timeout = CONNECT_S
    entity.acse_timeout = CONNECT_S
    entity.dimse_timeout = ANSWER_S
    entity.network_timeout = ANSWER_S
    for sop_class, syntax in kinds:
        entity.add_requested_context(sop_class, syntax)
    secured: dict[str, Any] = {"tls_args": (_secured(node), peer.host)} if peer.tls else {}
    association = entity.associate(peer.host, peer.port, ae_title=peer.ae_title, max_pdu=LARGEST_PDU, **secured)
    if not association.is_established:
        found = "it refused this AE title" if association.is_rejected else "no association"
        raise DeliveryError(
            f"{peer.name}: expected an association with {peer.ae_title} at {peer.host}:{peer.port}, found {found}; "
            f"is it running, and does it know {node.ae_title}?"
        )
    try:
        yield association
        association.release()
    finally:
        if association.is_established:
            association.abort()


def _secured(node: DicomSettings) -> ssl.SSLContext:
    """TLS as a client (PS3.15 annex B): the other side must show a certificate for its name."""
    try:
        context = ssl.create_default_context(cafile=node.tls_authorities or None)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if node.tls_certificate:
            context.load_cert_chain(node.tls_certificate, node.tls_key or None)
    except OSError as error:
        raise DeliveryError(f"dicom.tls_*: a certificate or key cannot be read ({error}); check the files") from error
    return context


def _kind(path: Path) -> tuple[str, str]:
    """SOP class and transfer syntax of a file, of its File Meta Information (PS3.10 section 7.1)."""
    from pydicom.errors import InvalidDicomError
    from pydicom.filereader import read_file_meta_info

    try:
        meta = read_file_meta_info(path)
        return str(meta.MediaStorageSOPClassUID), str(meta.TransferSyntaxUID)
    except (OSError, InvalidDicomError, AttributeError) as error:
        raise DeliveryError(f"{path.name}: a result is missing or damaged; analyse the study again") from error


def _reason(error: Exception, sop_class: str) -> str:
    from pydicom.uid import UID

    if isinstance(error, ValueError):
        return f"it does not take {UID(sop_class).name} in the transfer syntax of the file"
    return "the association ended; see its log"


def _said(peer: Peer, stored: int, wanted: int, reason: str) -> str:
    return f"{peer.name}: expected {wanted} objects to be stored, found {stored}: {reason}"
