"""The first start on a new machine: a user who may log in, whose password is told once."""

import os
import time
from pathlib import Path
from typing import Final

from sqlalchemy import select

from ichscan.errors import OutputError
from ichscan.service.database import Database
from ichscan.service.security.users import FIRST, first_administrator
from ichscan.service.settings import Settings
from ichscan.service.tables import User

FILE: Final = "first-password.txt"
"""In the folder, readable by its owner alone; removed at the next start after the password was changed."""


def first_password(settings: Settings, database: Database) -> str | None:
    """Makes the first administrator and keeps the generated password in `FILE`; None when there are users.

    Raises:
        DatabaseError: the database does not answer.
        OutputError: the file cannot be written.
    """
    path = settings.folder / FILE
    password = first_administrator(database, time.time())
    if password is not None:
        _write_private(path, f"user: {FIRST}\npassword: {password}\n")
        return password
    if path.exists():
        with database.read() as session:
            waiting = session.scalar(select(User.id).where(User.name == FIRST, User.must_change.is_(True)))
        if waiting is None:
            path.unlink(missing_ok=True)
    return None


def _write_private(path: Path, text: str) -> None:
    """A file that only its owner may read, from its first byte on."""
    try:
        path.unlink(missing_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror}); give another folder") from error
