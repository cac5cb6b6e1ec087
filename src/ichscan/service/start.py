"""Starts the service in the foreground: first what would make it fail, then its processes."""

import contextlib
import logging
import os
import sys
import time
from collections.abc import Callable
from typing import Final

from sqlalchemy import func, select

from ichscan.errors import IchscanError
from ichscan.service.check import free_port
from ichscan.service.database import open_database
from ichscan.service.disk import make_private
from ichscan.service.first import FILE, first_password
from ichscan.service.security.listening import check_listening
from ichscan.service.security.users import FIRST
from ichscan.service.settings import Settings, WebSettings
from ichscan.service.supervise import Supervisor
from ichscan.service.tables import User

LOG: Final = logging.getLogger(__name__)
FREE_S: Final = 10.0
"""So long a start waits for the processes of one that was killed to notice it."""


def start(settings: Settings, say: Callable[[str], None]) -> int:
    """Runs until SIGTERM or SIGINT.

    Args:
        settings: checked.
        say: shows a line to whoever started it.

    Returns:
        The exit code.

    Raises:
        IchscanError: a port is taken, the settings are not safe, the database or the folder cannot be used.
    """
    os.umask(0o077)
    make_private(settings.folder)
    with contextlib.closing(open_database(settings)) as database:
        password = first_password(settings, database)
        with database.read() as session:
            check_listening(settings.web, session.scalar(select(func.count()).select_from(User)) or 0)
        if settings.dicom.enabled:
            _wait_for(settings.dicom.host, settings.dicom.port)
        _wait_for(settings.web.host, settings.web.port)
        if password is not None:
            _tell(settings, password, say)
        return Supervisor(settings, database).run(lambda: _up(settings, say))


def _tell(settings: Settings, password: str, say: Callable[[str], None]) -> None:
    """The password goes to a terminal, not into a journal."""
    say(f"First start. The user {FIRST} is in {settings.folder / FILE}, readable by you alone.")
    if sys.stdout.isatty():
        say(f"Its password, to be changed at the first login: {password}")


def _up(settings: Settings, say: Callable[[str], None]) -> None:
    dicom = settings.dicom
    say(f"Worklist: {url(settings.web)}")
    if dicom.enabled:
        who = f"{len(dicom.peers)} peers" if dicom.peers else "nobody yet: add dicom.peers"
        say(f"DICOM: {dicom.ae_title} at {dicom.host}:{dicom.port}, for {who}")
    LOG.info("ready")


def url(web: WebSettings) -> str:
    """Where the worklist is."""
    host = f"[{web.host}]" if ":" in web.host else web.host
    return f"{'https' if web.tls_certificate else 'http'}://{host}:{web.port}/"


def _wait_for(host: str, port: int) -> None:
    deadline = time.monotonic() + FREE_S
    while True:
        try:
            free_port(host, port)
            return
        except IchscanError:
            if time.monotonic() >= deadline:
                raise
            time.sleep(0.2)
