"""Where the result of a study is to go."""

from ichscan.service.settings import Peer, Settings
from ichscan.service.tables import Study


def targets_of(settings: Settings, study: Study) -> list[tuple[str, str]]:
    """Kind of job ("send", "store", "hook") and name of the receiver, each once, in the order of the settings."""
    send = settings.send
    named = {*send.to}
    found = [
        ("send", peer.name)
        for peer in settings.dicom.peers
        if peer.name in named or (send.back_to_sender and peer.port and _came_from(peer, study))
    ]
    token = study.source.removeprefix("stow:") if study.source.startswith("stow:") else ""
    found += [
        ("store", peer.name)
        for peer in send.web_peers
        if peer.name in named or (send.back_to_sender and peer.name == token)
    ]
    found += [("hook", hook.name) for hook in send.hooks if study.suspected or not hook.only_positive]
    return list(dict.fromkeys(found))


def _came_from(peer: Peer, study: Study) -> bool:
    return study.source in (f"dimse:{peer.ae_title}", f"query:{peer.ae_title}")
