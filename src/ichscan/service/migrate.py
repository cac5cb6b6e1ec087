"""Brings the tables of a database up to this version, in one transaction."""

from typing import Final

from sqlalchemy import Connection, inspect, text

from ichscan.service.database import Database
from ichscan.service.errors import DatabaseError

REVISION: Final = "0001"
"""Newest revision in `migrations/versions`; a test holds the two together."""
TABLE: Final = "ichscan_revision"


def migrate(database: Database) -> None:
    """Makes or changes the tables when they are older than this version.

    Raises:
        DatabaseError: they are newer, or the database holds tables of something else.
    """
    with database.connected() as connection:
        # Several processes may start at once: the one that writes first does it, the others find it done.
        found = revision(connection)
        if found == REVISION:
            return
        _upgrade(connection, found)


def revision(connection: Connection) -> str | None:
    """The revision of the tables, None when there are none.

    Raises:
        DatabaseError: there are tables, but not ours.
    """
    names = inspect(connection).get_table_names()
    if TABLE in names:
        found = connection.execute(text(f"SELECT version_num FROM {TABLE}")).scalar()
        return None if found is None else str(found)
    if names:
        raise DatabaseError(
            f"database: expected an empty one or one of ichscan, found {len(names)} other tables; give ichscan its own",
            permanent=True,
        )
    return None


def _upgrade(connection: Connection, found: str | None) -> None:
    # Alembic takes a third of a second to import and is needed once.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", "ichscan.service:migrations")
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise DatabaseError(
            f"database: expected tables of revision {REVISION} or older, found {found}; they were made by a newer "
            "version of ichscan: install that one, or restore a backup",
            permanent=True,
        )
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
