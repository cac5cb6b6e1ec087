import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import delete, exc, inspect, text, update
from tests.service.core.postgres import Postgres
from tests.service.core.world import World

from ichscan.errors import UsageError
from ichscan.service import migrate
from ichscan.service.audit import audit
from ichscan.service.database import FILE, open_database
from ichscan.service.errors import DatabaseError
from ichscan.service.settings import Settings
from ichscan.service.tables import Audit, Event, Result, Study, Table


def _study(uid: str = "1.2.3") -> Study:
    return Study(study_instance_uid=uid, patient_name="Doe^Jane", first_received=1.0, last_received=1.0)


def test_migrations_make_exactly_the_tables(any_world: World) -> None:
    with any_world.database.connected() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": migrate.TABLE, "compare_type": True})
        assert compare_metadata(context, Table.metadata) == []
        assert migrate.revision(connection) == migrate.REVISION


def test_newest_migration_is_the_one_that_the_code_expects() -> None:
    folder = Path(migrate.__file__).parent / "migrations"
    assert ScriptDirectory(str(folder)).get_heads() == [migrate.REVISION]


def test_opening_again_changes_nothing(any_world: World) -> None:
    with any_world.database.write() as session:
        session.add(_study())
    open_database(any_world.settings).close()
    assert any_world.study().patient_name == "Doe^Jane"


def test_tables_of_a_newer_version_are_refused(fresh_world: World) -> None:
    with fresh_world.database.write() as session:
        session.execute(text(f"UPDATE {migrate.TABLE} SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match="newer version of ichscan") as error:
        open_database(fresh_world.settings)
    assert error.value.permanent


def test_database_of_something_else_is_refused_and_left_alone(fresh_world: World) -> None:
    with fresh_world.database.connected() as connection:
        connection.execute(text(f"DROP TABLE {migrate.TABLE}"))
    with pytest.raises(DatabaseError, match="give ichscan its own"):
        open_database(fresh_world.settings)


def test_failed_migration_leaves_nothing(fresh_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    tables = Table.metadata.tables.keys()
    with fresh_world.database.connected() as connection:
        for name in [*reversed([t.name for t in Table.metadata.sorted_tables]), migrate.TABLE]:
            connection.execute(text(f'DROP TABLE "{name}"'))
        if connection.dialect.name == "postgresql":
            connection.execute(text("DROP FUNCTION audit_kept, feedback_kept"))

    def fail(*_: object) -> None:
        raise RuntimeError("power cut")

    monkeypatch.setattr("alembic.script.base.ScriptDirectory.run_env", _after_env(fail))
    with pytest.raises(RuntimeError, match="power cut"):
        open_database(fresh_world.settings)
    monkeypatch.undo()
    with fresh_world.database.connected() as connection:
        assert not set(inspect(connection).get_table_names()) & tables
    open_database(fresh_world.settings).close()
    assert fresh_world.rows(Study) == []


def _after_env(then: object) -> object:
    from alembic.script.base import ScriptDirectory

    real = ScriptDirectory.run_env

    def run_env(self: ScriptDirectory) -> None:
        real(self)
        then()  # type: ignore[operator]

    return run_env


def test_processes_that_start_at_once_migrate_once(tmp_path: Path, database_url: str) -> None:
    code = (
        "import sys; from pathlib import Path; from ichscan.service.settings import Settings\n"
        "from ichscan.service.database import open_database\n"
        "open_database(Settings(folder=Path(sys.argv[1]), database=sys.argv[2])).close()\n"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, str(tmp_path), database_url]) for _ in range(4)]
    assert [one.wait(timeout=60) for one in started] == [0] * 4


@pytest.mark.parametrize("url", ["nonsense", "mysql://user:secret@host/x", "sqlite://", "sqlite:///:memory:"])
def test_other_urls_are_refused_without_repeating_a_password(tmp_path: Path, url: str) -> None:
    with pytest.raises(UsageError, match="expected sqlite:///FILE or postgresql") as error:
        open_database(Settings(folder=tmp_path, database=url))
    assert "secret" not in str(error.value)


def test_a_write_is_rolled_back_by_an_error(any_world: World) -> None:
    def fail() -> None:
        with any_world.database.write() as session:
            session.add(_study())
            session.flush()
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert any_world.rows(Study) == []


def test_a_read_cannot_write(any_world: World) -> None:
    def add() -> None:
        with any_world.database.read() as session:
            session.add(_study())
            session.flush()

    with pytest.raises((DatabaseError, exc.DBAPIError)):
        add()
    assert any_world.rows(Study) == []


def test_a_read_sees_one_moment(any_world: World) -> None:
    with any_world.database.read() as session:
        assert session.query(Study).count() == 0
        with any_world.database.write() as other:
            other.add(_study())
        assert session.query(Study).count() == 0
    assert len(any_world.rows(Study)) == 1


def test_writers_wait_for_each_other(any_world: World) -> None:
    with any_world.database.write() as session:
        session.add(_study())

    def add() -> None:
        for _ in range(20):
            with any_world.database.write() as session:
                study = session.query(Study).one()
                time.sleep(0.001)
                study.images += 1

    threads = [threading.Thread(target=add) for _ in range(4)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert any_world.study().images == 80


def test_numbers_of_events_ascend_with_commits(any_world: World) -> None:
    for _ in range(3):
        with any_world.database.write() as session:
            session.add(Event(time=1.0, kind="study"))
    ids = [one.id for one in any_world.rows(Event)]
    assert ids == sorted(ids)
    assert len(ids) == 3


def test_the_audit_trail_cannot_be_changed(any_world: World) -> None:
    with any_world.database.write() as session:
        audit(session, "user:a\0b", "view", 1, detail="x" * 5000)
    for statement in (update(Audit).values(actor="system"), delete(Audit)):
        with pytest.raises(exc.DBAPIError, match="added, never changed"), any_world.database.write() as session:
            session.execute(statement)
    (row,) = any_world.rows(Audit)
    assert row.actor == "user:ab"


def test_a_study_has_at_most_one_current_result(any_world: World) -> None:
    with any_world.database.write() as session:
        study = _study()
        session.add(study)
        session.flush()
        session.add(Result(study_id=study.id, generation=1, created=1.0, seconds=1.0, content=[], folder="a"))
    with pytest.raises(exc.IntegrityError), any_world.database.write() as session:
        session.add(Result(study_id=study.id, generation=2, created=1.0, seconds=1.0, content=[], folder="b"))


def test_errors_tell_no_patient_data(any_world: World) -> None:
    with any_world.database.write() as session:
        session.add(_study())
    with pytest.raises(exc.IntegrityError) as error, any_world.database.write() as session:
        session.add(_study())
    assert "Jane" not in str(error.value)


def test_sqlite_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / FILE).write_bytes(b"rubbish" * 1000)
    with pytest.raises((DatabaseError, exc.DatabaseError), match="not a database"):
        open_database(Settings(folder=tmp_path))


def test_sqlite_that_is_locked_is_a_database_error(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.database.close()
    monkeypatch.setattr("ichscan.service.database.BUSY_S", 0.1)
    impatient = open_database(world.settings)
    other = sqlite3.connect(world.settings.folder / FILE, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match="locked"), impatient.write() as session:
        session.add(_study())
    other.close()
    with impatient.write() as session:
        session.add(_study())
    impatient.close()


def test_connections_that_were_killed_are_made_anew(postgres: Postgres, tmp_path: Path) -> None:
    with World(tmp_path, database=postgres.new_database()) as world:
        with world.database.write() as session:
            session.add(_study())
        end_all = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'ichscan'"
        postgres.sql(end_all)
        assert len(world.rows(Study)) == 1

        def killed() -> None:
            with world.database.write() as session:
                session.add(_study("1.2.4"))
                session.flush()
                postgres.sql(end_all)
                session.add(_study("1.2.5"))

        with pytest.raises(DatabaseError, match="tried again"):
            killed()
        assert len(world.rows(Study)) == 1


def test_no_server_is_a_database_error(tmp_path: Path) -> None:
    pytest.importorskip("pg8000")
    for host in ("127.0.0.1:9", f"{'x' * 80}.invalid"):  # nobody listens; no name
        with pytest.raises(DatabaseError, match="expected an answer"):
            open_database(Settings(folder=tmp_path, database=f"postgresql://nobody@{host}/x"))
    with pytest.raises(DatabaseError, match="expected an answer"):
        open_database(Settings(folder=tmp_path, database=f"postgresql://nobody@/x?unix_sock={tmp_path}/none"))
