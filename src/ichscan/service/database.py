"""The database: SQLite in the folder, or PostgreSQL. Reads see one moment; writes happen one at a time.

One writer at a time is what SQLite does anyway (BEGIN IMMEDIATE). PostgreSQL is told to do the same with an advisory
lock, so that code which is right on one is right on the other; see docs/decisions/0005-one-writer.md.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy import exc as sql
from sqlalchemy.engine import URL, make_url
from sqlalchemy.orm import Session

from ichscan.errors import MissingExtraError, UsageError
from ichscan.service.disk import make_private
from ichscan.service.errors import DatabaseError
from ichscan.service.settings import Settings

FILE: Final = "ichscan.sqlite3"
BUSY_S: Final = 30
"""So long a transaction waits for its turn before it fails."""
WRITERS: Final = 0x696368
"""Key of PostgreSQL's advisory lock that lets writers in one by one."""
_WRITES: Final = "ichscan_writes"


class Database:
    """Transactions of one process; give every process its own."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = engine.execution_options(**{_WRITES: True})

    @contextmanager
    def read(self) -> Iterator[Session]:
        """A transaction that only reads; objects stay usable after it.

        Raises:
            DatabaseError: the database does not answer.
        """
        with _translated(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def write(self) -> Iterator[Session]:
        """A transaction that is committed at the end, rolled back by an exception; no other write runs meanwhile.

        Raises:
            DatabaseError: the database does not answer, is busy, or its disk is full. Whether the commit took place
                may be unknown then: what is written must be safe to write again.
        """
        with _translated(), Session(self._writing, expire_on_commit=False) as session, session.begin():
            yield session

    def connected(self) -> AbstractContextManager[Connection]:
        """A write transaction without session, for migrations."""
        return self._writing.begin()

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


def open_database(settings: Settings) -> Database:
    """Opens the database and brings its tables up to this version.

    Raises:
        DatabaseError: it does not answer, or was made by a newer version of ichscan.
        UsageError: not a URL of SQLite or PostgreSQL.
        MissingExtraError: the driver is not installed.
        OutputError: the folder cannot be made.
    """
    from ichscan.service.migrate import migrate

    database = Database(_engine(settings))
    try:
        with _translated():
            migrate(database)
    except BaseException:
        database.close()
        raise
    return database


def attach_database(settings: Settings) -> Database:
    """The database as another process has opened it: asked for the first time when it is used.

    For a door, which takes images whether or not the database answers.

    Raises:
        UsageError: not a URL of SQLite or PostgreSQL.
        MissingExtraError: the driver is not installed.
    """
    return Database(_engine(settings))


def _engine(settings: Settings) -> Engine:
    url = _url(settings)
    # Parameters hold patient data; they must not reach a log by way of an error.
    options: dict[str, Any] = {"hide_parameters": True, "pool_size": 16, "max_overflow": 32}
    try:
        if url.get_backend_name() == "sqlite":
            engine = create_engine(url, connect_args={"timeout": BUSY_S}, **options)
            _use_sqlite(engine, durable=settings.storage.durable)
        else:
            engine = create_engine(url, connect_args=_POSTGRESQL, pool_pre_ping=True, **options)
            _use_postgresql(engine)
    except ModuleNotFoundError as error:
        raise MissingExtraError(f"database: {error.name} is not installed; pip install 'ichscan[postgres]'") from error
    return engine


def _url(settings: Settings) -> URL:
    if not settings.database:
        make_private(settings.folder)
        return URL.create("sqlite", database=str(settings.folder / FILE))
    expected = "expected sqlite:///FILE or postgresql+pg8000://USER@HOST/NAME"
    try:
        url = make_url(settings.database)
    except sql.ArgumentError:
        # The text may hold a password: it is not repeated.
        raise UsageError(f"database: {expected}, found no URL") from None
    if url.drivername == "postgresql":
        url = url.set(drivername="postgresql+pg8000")
    if url.drivername not in ("sqlite", "postgresql+pg8000") or not url.database or url.database == ":memory:":
        raise UsageError(f"database: {expected}, found {url.drivername}")
    return url


_POSTGRESQL: Final = {
    "application_name": "ichscan",
    # Of every answer: a server that vanished without a word is noticed. Longer than a writer waits for its turn.
    "timeout": 2 * BUSY_S,
    "tcp_keepalive": True,
    "startup_params": {
        "lock_timeout": f"{BUSY_S}s",
        "idle_in_transaction_session_timeout": "120s",
        "timezone": "UTC",
    },
}


def _use_sqlite(engine: Engine, *, durable: bool) -> None:
    def connected(connection: Any, record: object) -> None:
        connection.isolation_level = None  # transactions are begun below, not by the driver
        cursor = connection.cursor()
        cursor.execute("PRAGMA journal_mode=WAL")
        cursor.execute(f"PRAGMA synchronous={'FULL' if durable else 'NORMAL'}")
        cursor.execute("PRAGMA foreign_keys=ON")
        cursor.close()

    def begin(connection: Connection) -> None:
        writes = bool(connection.get_execution_options().get(_WRITES))
        connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if writes else 'ON'}")
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    event.listen(engine, "connect", connected)
    event.listen(engine, "begin", begin)


def _use_postgresql(engine: Engine) -> None:
    def connect(dialect: Any, record: object, arguments: Any, options: Any) -> Any:
        try:
            return dialect.connect(*arguments, **options)
        except OSError as error:
            raise _away(error.strerror or type(error).__name__) from error

    asked = engine.dialect.do_ping

    def ping(dbapi_connection: Any) -> bool:
        try:
            return asked(dbapi_connection)
        except OSError as error:  # as the driver says itself in other places: the pool then makes a new connection
            raise engine.dialect.loaded_dbapi.InterfaceError("network error") from error

    engine.dialect.do_ping = ping  # type: ignore[method-assign]

    def begin(connection: Connection) -> None:
        if connection.get_execution_options().get(_WRITES):
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({WRITERS})")
        else:
            connection.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")

    event.listen(engine, "do_connect", connect)
    event.listen(engine, "begin", begin)


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of a database that does not answer as `DatabaseError`; errors of our own making pass."""
    try:
        yield
    except sql.TimeoutError as error:
        raise DatabaseError("database: expected a free connection, found none; it is tried again") from error
    except sql.DBAPIError as error:
        if not (isinstance(error, sql.OperationalError | sql.InterfaceError) or error.connection_invalidated):
            raise
        raise _away(" ".join(str(error.orig).split())[:300]) from error
    except UnicodeError as error:  # a name of a host that no name server takes
        raise _away("a host name that is none") from error
    except ConnectionError as error:  # the driver of PostgreSQL lets those of a dying server through as they are
        raise _away(error.strerror or type(error).__name__) from error


def _away(found: str) -> DatabaseError:
    return DatabaseError(f"database: expected an answer, found: {found}; it is tried again")
