import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select
from tests.dicom_builders import CT, SECONDARY_CAPTURE, STUDY, head_series, slice_dataset, to_bytes, twin_series
from tests.service.core.postgres import Postgres
from tests.service.core.world import World

from ichscan.errors import OutputError, UsageError
from ichscan.service import registry
from ichscan.service.capacity import HELD
from ichscan.service.errors import DatabaseError
from ichscan.service.identify import Identity, identify
from ichscan.service.recover import READING, Reading, exclusive
from ichscan.service.register import Registrar
from ichscan.service.spool import entries
from ichscan.service.tables import Event, Instance, Refusal, Series, Study

SR = "1.2.840.10008.5.1.4.1.1.88.22"


def _sr(uid: str = "9", **tags: object) -> bytes:
    return to_bytes(
        slice_dataset(
            0, SOPClassUID=SR, Modality="SR", SeriesInstanceUID=f"{STUDY}.8", SOPInstanceUID=f"{STUDY}.8.{uid}", **tags
        )
    )


def _changed(index: int, text: str) -> bytes:
    return to_bytes(slice_dataset(index, SeriesDescription=text))


def test_study_of_two_series(any_world: World) -> None:
    before = time.time()
    any_world.receive([*head_series(3), *twin_series(2, 2)], end=STUDY)
    study = any_world.study()
    assert (study.study_instance_uid, study.images, study.generation) == (STUDY, 5, 1)
    assert (study.patient_name, study.patient_id) == ("Doe^Jane", "SECRET-4711")
    assert (study.status, study.source, study.priority) == ("receiving", "dimse:CT1", 1.0)
    assert before - 1 <= study.first_received <= study.last_received <= time.time() + 1
    assert study.due is not None
    assert 1 < study.due - study.last_received < 15, "settle_s after the marker"
    assert [one.series_instance_uid for one in any_world.rows(Series)] == [f"{STUDY}.1", f"{STUDY}.2"]
    assert {one.sop_class_uid for one in any_world.rows(Instance)} == {CT}
    assert any_world.waiting() == 0
    assert [one.study_id for one in any_world.rows(Event)] == [study.id]
    any_world.check()


def test_without_marker_the_study_waits_for_more(world: World) -> None:
    world.receive(head_series(1))
    study = world.study()
    assert study.due is not None
    assert study.due - study.last_received >= 20


def test_no_uid_or_name_is_in_a_path(world: World) -> None:
    world.receive(head_series(2))
    for path in world.settings.folder.rglob("*"):
        assert STUDY not in str(path)
        assert "Doe" not in str(path)


def test_out_of_order_and_twice_is_the_same_study(any_world: World) -> None:
    files = head_series(6)
    any_world.receive([*reversed(files), *files])
    study = any_world.study()
    assert (study.images, study.generation) == (6, 1)
    any_world.receive(files, end=STUDY)
    again = any_world.study()
    assert (again.images, again.generation, again.last_received) == (6, 1, study.last_received)
    assert any_world.rows(Refusal) == []
    any_world.check()


def test_late_images_make_a_new_generation(world: World) -> None:
    files = head_series(4)
    world.receive(files[:3])
    with world.database.write() as session:
        study = session.scalars(select(Study)).one()
        study.due, study.status, study.suspected, study.probability = None, "analysed", True, 0.9
    world.receive(files[3:])
    study = world.study()
    assert (study.generation, study.status, study.images) == (2, "receiving", 4)
    assert study.due is not None
    assert study.priority == pytest.approx(4.9), "a suspicion stands until the next analysis"


def test_marker_alone_starts_nothing(world: World) -> None:
    world.receive(head_series(1))
    with world.database.write() as session:
        session.scalars(select(Study)).one().due = None
    world.receive([], end=STUDY)
    world.receive([], end="1.2.3.unknown")
    (world.settings.folder / "spool" / "1-1-1.end").write_text("{broken")
    assert world.registrar.run_once() == 1
    assert world.study().due is None
    assert world.waiting() == 0


def test_other_content_of_the_same_image_replaces_it_and_keeps_the_older_one(any_world: World) -> None:
    any_world.receive([_changed(0, "first")])
    any_world.receive([_changed(0, "second")])
    study = any_world.study()
    assert (study.images, study.generation) == (1, 2)
    (refusal,) = any_world.rows(Refusal)
    assert "came again with other content" in refusal.reason
    assert b"first" in (any_world.settings.folder / refusal.path).read_bytes()
    (image,) = any_world.rows(Instance)
    assert b"second" in (any_world.settings.folder / image.path).read_bytes()
    any_world.check()


def test_both_contents_in_one_batch(any_world: World) -> None:
    any_world.receive([_changed(0, "first"), _changed(0, "second"), _changed(0, "first"), _changed(0, "first")])
    (image,) = any_world.rows(Instance)
    assert b"first" in (any_world.settings.folder / image.path).read_bytes()
    assert any_world.study().images == 1
    any_world.check()


def test_two_studies_of_one_patient_and_one_series_uid_in_two_studies(any_world: World) -> None:
    other = f"{STUDY}.77"
    any_world.receive(head_series(2))
    any_world.receive([to_bytes(slice_dataset(i, StudyInstanceUID=other)) for i in range(2)])
    assert [(one.study_instance_uid, one.images) for one in any_world.rows(Study)] == [(STUDY, 2), (other, 2)]
    assert len({one.path for one in any_world.rows(Instance)}) == 4
    any_world.check()


def test_reports_and_captures_start_no_analysis(world: World) -> None:
    world.receive(head_series(2))
    capture = to_bytes(slice_dataset(0, SOPClassUID=SECONDARY_CAPTURE, SOPInstanceUID=f"{STUDY}.5.5"))
    world.receive([_sr(Manufacturer="maker of reports"), capture])
    study = world.study()
    assert (study.generation, study.images, study.station) == (1, 4, "")


def test_study_of_reports_alone_is_looked_at_once(world: World) -> None:
    world.receive([_sr("1")])
    assert world.study().due is not None
    world.receive([_sr("2")])
    assert world.study().generation == 1
    world.receive(head_series(1))
    assert world.study().generation == 2


def test_results_of_ours_that_come_back_are_ignored(world: World) -> None:
    world.receive(head_series(1))
    with world.database.write() as session:
        series = Series(study_id=1, series_instance_uid=f"{STUDY}.8", modality="SR")
        session.add(series)
        session.flush()
        made = Instance(
            series_id=series.id, sop_instance_uid=f"{STUDY}.8.9", sop_class_uid=SR, transfer_syntax_uid="1.2",
            size=1, sha256="0" * 64, path="results/1/1/x.dcm", received=1.0, made_here=True,
        )  # fmt: skip
        session.add(made)
    world.receive([_sr("9", SeriesDescription="changed by the PACS")])
    assert world.study().generation == 1
    assert world.waiting() == 0
    assert [one.path for one in world.rows(Instance) if one.made_here] == ["results/1/1/x.dcm"]


def test_newest_image_describes_the_study_but_takes_nothing_away(world: World) -> None:
    world.receive([to_bytes(slice_dataset(0, AccessionNumber="A1", StationName="S1"))], source="dimse:CT1")
    world.receive([to_bytes(slice_dataset(1, AccessionNumber="", PatientName="Roe^Jane"))], source="stow:pacs")
    study = world.study()
    assert (study.accession_number, study.patient_name, study.source) == ("A1", "Roe^Jane", "stow:pacs")
    assert study.station == "S1"


@pytest.mark.parametrize("data", [b"", b"no dicom", to_bytes(slice_dataset(0, StudyInstanceUID="x/../y"))])
def test_what_cannot_be_registered_goes_aside_and_is_told(any_world: World, data: bytes) -> None:
    any_world.receive([data, *head_series(1)], source="upload:ann")
    (refusal,) = any_world.rows(Refusal)
    assert refusal.source == "upload:ann"
    assert "Doe" not in refusal.reason
    assert (any_world.settings.folder / refusal.path).read_bytes() == data
    assert any_world.study().images == 1
    any_world.check()


def test_lost_database_leaves_the_spool(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.registrar.run_once()
    world.send(head_series(3), end=STUDY)
    with monkeypatch.context() as lost:
        lost.setattr(registry.Batch, "close", _raise(DatabaseError("database: gone")))
        with pytest.raises(DatabaseError):
            world.registrar.run_once()
        world.send([_changed(5, "more")])
    assert world.waiting() == 5
    assert world.rows(Study) == []
    assert world.registrar.run_once() == 5
    assert world.study().images == 4
    world.check()


def _raise(error: Exception) -> object:
    def fail(*_: object) -> None:
        raise error

    return fail


def test_kill_between_commit_and_move_is_repeated_without_trace(
    any_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    any_world.receive([_changed(0, "first")])
    any_world.send([_changed(0, "second"), *head_series(3)[1:], b"no dicom"], end=STUDY)
    with monkeypatch.context() as killed:
        killed.setattr("ichscan.service.register.move", _raise(KeyboardInterrupt()))
        with pytest.raises(KeyboardInterrupt):
            any_world.registrar.run_once()
    assert any_world.waiting() == 5
    first = any_world.study()
    Registrar(any_world.settings, any_world.database).run_once()
    study = any_world.study()
    assert (study.generation, study.images) == (first.generation, 3)
    assert any_world.waiting() == 0
    assert len(any_world.rows(Refusal)) == 2
    for refusal in any_world.rows(Refusal):
        assert (any_world.settings.folder / refusal.path).is_file()
    any_world.check()


def test_kill_in_the_middle_of_the_moves(any_world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from ichscan.service import register

    any_world.receive([_changed(0, "first")])
    files = [_changed(0, "second"), *head_series(5)[1:]]
    real, allowed = register.move, 0

    for allowed in range(6):
        any_world.send(files)
        left = [allowed]

        def move(source: Path, target: Path, left: list[int] = left) -> None:
            if not left[0]:
                raise KeyboardInterrupt
            left[0] -= 1
            real(source, target)

        registrar = Registrar(any_world.settings, any_world.database)
        with monkeypatch.context() as killed:
            killed.setattr(register, "move", move)
            with contextlib.suppress(KeyboardInterrupt):
                registrar.run_once()
        Registrar(any_world.settings, any_world.database).run_once()
        any_world.check()
    assert any_world.study().images == 5


def test_images_that_no_table_knows_are_registered_again(world: World) -> None:
    """A database that was restored from a backup, or lost, is brought up to date by the files."""
    world.receive(head_series(4), source="stow:pacs")
    world.database.close()
    for name in ("", "-wal", "-shm"):
        (world.settings.folder / f"ichscan.sqlite3{name}").unlink(missing_ok=True)
    with World(world.settings.folder) as restored:
        restored.receive([_changed(9, "new")])
        study = restored.study()
        assert (study.images, study.source) == (5, "dimse:CT1")
        restored.check()


def test_file_that_ends_the_process_is_set_aside_after_three_times(world: World) -> None:
    poison, *_ = world.send([*head_series(2)])
    for strikes in (1, 2, 3):
        name = next(e.path.name for e in entries(world.settings.folder) if e.path.name.startswith(poison.name[:20]))
        (world.settings.folder / "spool" / READING).write_bytes(name.encode().ljust(256))
        registrar = Registrar(world.settings, world.database)
        if strikes < 3:
            Reading(world.settings)
            assert entries(world.settings.folder)[0].strikes == strikes
        else:
            registrar.run_once()
    (refusal,) = world.rows(Refusal)
    assert refusal.reason == "the process that read it ended 3 times"
    assert world.study().images == 1


def test_half_written_files_of_dead_doors_are_removed_when_old(world: World) -> None:
    spool = world.settings.folder / "spool"
    old, new = spool / "a.part", spool / "b.part"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (1.0, 1.0))
    world.registrar.run_once()
    assert not old.exists()
    assert new.exists()


def test_one_registrar_at_a_time(world: World) -> None:
    other = exclusive(world.settings)
    with exclusive(world.settings), pytest.raises(UsageError, match="another ichscan works on this folder"):
        other.__enter__()
    with exclusive(world.settings):
        pass


def test_doors_are_told_how_much_is_held(world: World) -> None:
    files = head_series(3)
    settings = replace(world.settings, storage=replace(world.settings.storage, limit_gb=1.0))
    world.send(files)
    Registrar(settings, world.database).run_once()
    assert int((world.settings.folder / HELD).read_text()) == sum(map(len, files))


def test_failing_disk_is_said_and_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.registrar.run_once()
    world.send(head_series(2))
    with monkeypatch.context() as broken:
        broken.setattr("ichscan.service.disk.os.replace", _raise(OSError(28, "No space left on device")))
        with pytest.raises(OutputError, match="No space left"):
            world.registrar.run_once()
    world.registrar.run_once()
    assert world.study().images == 2
    assert world.study().generation == 1
    world.check()


def test_value_that_the_database_refuses_keeps_nobody_waiting(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_long(path: Path) -> Identity:
        found = identify(path)
        return replace(found, modality="CT" * 50) if found.number == 2 else found

    monkeypatch.setattr("ichscan.service.register.identify", too_long)
    with World(tmp_path / "service", database=postgres.clean_database()) as world:
        world.receive(head_series(4), end=STUDY)
        (refusal,) = world.rows(Refusal)
        assert "refuses a value of its header (" in refusal.reason
        assert (world.study().images, world.waiting()) == (3, 0)
        world.check()


def test_file_that_surprises_a_library_keeps_nobody_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def surprised(path: Path) -> Identity:
        if path == first:
            raise AssertionError("Doe^Jane")
        return identify(path)

    monkeypatch.setattr("ichscan.service.register.identify", surprised)
    first, *_ = world.send(head_series(3))
    world.registrar.run_once()
    (refusal,) = world.rows(Refusal)
    assert "unexpected AssertionError" in refusal.reason
    assert "Doe" not in refusal.reason
    assert world.study().images == 2


def test_too_many_open_files_is_no_fault_of_the_image(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.send(head_series(2))
    world.registrar.run_once()
    world.send(twin_series(2, 1))
    with monkeypatch.context() as short:
        short.setattr(Path, "open", _raise(OSError(24, "Too many open files")))
        with pytest.raises(OutputError, match="tried again"):
            world.registrar.run_once()
    world.registrar.run_once()
    assert world.study().images == 3
    assert world.rows(Refusal) == []
