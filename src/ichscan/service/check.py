"""Whether a service can work with its settings, without starting it."""

import shutil
import socket
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from sqlalchemy import func, select

from ichscan.doctor import Check, State
from ichscan.errors import IchscanError
from ichscan.service.settings import Peer, Settings
from ichscan.service.tables import User
from ichscan.service.validate import validate


def examine(settings: Settings, *, peers: bool = False) -> Iterator[Check]:
    """Looks at settings, folder, database, model and ports; with `peers`, also calls each DICOM node (C-ECHO)."""
    yield _tried("settings", lambda: _settings(settings))
    yield _tried("disk", lambda: _disk(settings))
    yield _tried("database", lambda: _database(settings))
    yield _tried("model", lambda: _model(settings))
    if settings.dicom.enabled:
        yield _tried("DICOM port", lambda: free_port(settings.dicom.host, settings.dicom.port))
    yield _tried("web port", lambda: free_port(settings.web.host, settings.web.port))
    for peer in settings.dicom.peers if peers else ():
        if peer.port:
            yield _tried(f"peer {peer.name}", partial(_peer, settings, peer))


def _tried(name: str, look: Callable[[], str]) -> Check:
    try:
        return Check(name, State.OK, look())
    except IchscanError as error:
        return Check(name, State.FAILED, str(error), exit_code=error.exit_code)


def _settings(settings: Settings) -> str:
    validate(settings)
    receivers = [*settings.send.to, *(hook.name for hook in settings.send.hooks)]
    return f"{len(settings.dicom.peers)} DICOM peers; results go to {', '.join(receivers) or 'nobody'}"


def _disk(settings: Settings) -> str:
    from ichscan.service.capacity import Capacity
    from ichscan.service.disk import make_private

    make_private(settings.folder)
    Capacity(settings).check()
    return f"{shutil.disk_usage(settings.folder).free / 1e9:.1f} GB free at {settings.folder}"


def _database(settings: Settings) -> str:
    from ichscan.service.database import open_database
    from ichscan.service.security.listening import check_listening

    database = open_database(settings)
    try:
        with database.read() as session:
            users = session.scalar(select(func.count()).select_from(User)) or 0
    finally:
        database.close()
    check_listening(settings.web, users or 1)  # the first start makes a user
    return f"{database.engine.dialect.name}, {users} users"


def _peer(settings: Settings, peer: Peer) -> str:
    from ichscan.service.send.dimse import echo

    echo(peer, settings.dicom)
    return "answers C-ECHO"


def _model(settings: Settings) -> str:
    from ichscan.model.bundle import load_bundle

    bundle = load_bundle(Path(settings.analysis.model) if settings.analysis.model else None)
    return f"{bundle.identity.name} {bundle.identity.version}, sha256 {bundle.identity.sha256[:16]}"


def free_port(host: str, port: int) -> str:
    """Says that a port can be listened on.

    Raises:
        IchscanError: another program has it, or this machine has no such address.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as one:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            one.bind((host, port))
    except OSError as error:
        raise IchscanError(f"{host}:{port}: cannot be listened on ({error.strerror or error}); end the program that "
                           "listens there, or choose another port") from error  # fmt: skip
    return f"{host}:{port} is free"
