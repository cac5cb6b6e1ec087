"""What a peer holds and this service never got: studies that were missed, or earlier ones of a patient."""

from sqlalchemy import select

from ichscan.errors import UsageError
from ichscan.service.database import Database
from ichscan.service.query import Found
from ichscan.service.settings import Peer, Settings
from ichscan.service.tables import Study


def peer_to_ask(settings: Settings, name: str) -> Peer:
    """The peer of this name.

    Raises:
        UsageError: there is none, or it only calls, or this node takes no images from it.
    """
    peers = {peer.name: peer for peer in settings.dicom.peers}
    if not settings.dicom.enabled:
        raise UsageError("dicom.enabled: expected true, found false; what is asked for comes by DICOM")
    if name not in peers:
        raise UsageError(f"expected one of the names in dicom.peers ({', '.join(peers) or 'none'}), found another")
    peer = peers[name]
    if not peer.port or not peer.may_send:
        lacks = "port = 0" if not peer.port else "may_send = false"
        raise UsageError(f"dicom.peers, {name}: expected a peer that can be asked and may send, found {lacks}")
    return peer


def missing(database: Database, found: list[Found]) -> list[Found]:
    """Those of which no image ever came; one that came and was deleted since by its age counts as known."""
    with database.read() as session:
        uids = [one.study_instance_uid for one in found]
        held = set(session.scalars(select(Study.study_instance_uid).where(Study.study_instance_uid.in_(uids))))
    return [one for one in found if one.study_instance_uid not in held]
