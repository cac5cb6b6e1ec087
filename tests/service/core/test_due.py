import time

import pytest
from sqlalchemy import select
from tests.dicom_builders import STUDY, head_series, slice_dataset, to_bytes
from tests.service.core.world import World

from ichscan.service.jobs.due import analyse_again, queue_due
from ichscan.service.tables import Event, Job, Study


def test_complete_study_is_queued_once(any_world: World) -> None:
    any_world.receive(head_series(2), end=STUDY)
    now = time.time()
    assert queue_due(any_world.database, any_world.settings, now) == 0
    assert queue_due(any_world.database, any_world.settings, now + 3) == 1
    assert queue_due(any_world.database, any_world.settings, now + 60) == 0
    (job,) = any_world.rows(Job)
    assert (job.kind, job.study_id, job.generation, job.state) == ("analyse", 1, 1, "queued")
    study = any_world.study()
    assert (study.status, study.due) == ("waiting", None)
    assert any_world.rows(Event)[-1].text == "waiting"


def test_without_marker_after_the_quiet_time(world: World) -> None:
    world.receive(head_series(2))
    assert queue_due(world.database, world.settings, time.time() + 10) == 0
    assert queue_due(world.database, world.settings, time.time() + 20.5) == 1


def test_an_image_after_the_marker_makes_the_study_wait_again(world: World) -> None:
    files = head_series(2)
    world.receive(files[:1], end=STUDY)
    world.receive(files[1:])
    assert queue_due(world.database, world.settings, time.time() + 10) == 0


def test_late_images_outdate_the_earlier_analysis(any_world: World) -> None:
    files = head_series(3)
    for number, file in enumerate(files):
        any_world.receive([file], end=STUDY)
        queue_due(any_world.database, any_world.settings, time.time() + 3)
        assert [one.state for one in any_world.rows(Job)] == ["outdated"] * number + ["queued"]


def test_clock_that_goes_back_delays_by_the_quiet_time_only(world: World) -> None:
    world.receive(head_series(2))
    past = time.time() - 86_400
    assert queue_due(world.database, world.settings, past) == 0
    assert world.study().due == pytest.approx(past + 20)
    assert queue_due(world.database, world.settings, past + 21) == 1


def test_clock_that_goes_ahead_analyses_early_and_again_when_the_rest_comes(world: World) -> None:
    files = head_series(4)
    world.receive(files[:2])
    assert queue_due(world.database, world.settings, time.time() + 86_400) == 1
    world.receive(files[2:], end=STUDY)
    assert queue_due(world.database, world.settings, time.time() + 3) == 1
    assert [(one.generation, one.state) for one in world.rows(Job)] == [(1, "outdated"), (2, "queued")]


def test_studies_are_queued_in_the_order_they_came(world: World) -> None:
    for uid in ("2", "1", "3"):
        world.receive([to_bytes(slice_dataset(0, StudyInstanceUID=f"{STUDY}.{uid}"))], end=f"{STUDY}.{uid}")
    assert queue_due(world.database, world.settings, time.time() + 3) == 3
    assert [one.study_id for one in world.rows(Job)] == [1, 2, 3]


def test_person_asks_for_another_analysis(world: World) -> None:
    world.receive(head_series(1), end=STUDY)
    queue_due(world.database, world.settings, time.time() + 3)
    with world.database.write() as session:
        session.scalars(select(Study)).one().status = "set_aside"
        assert analyse_again(session, 1, time.time())
        assert not analyse_again(session, 99, time.time())
    assert [(one.generation, one.state) for one in world.rows(Job)] == [(1, "outdated"), (2, "queued")]
    assert (world.study().status, world.study().due) == ("waiting", None)


def test_no_analysis_of_deleted_images(world: World) -> None:
    world.receive(head_series(1))
    with world.database.write() as session:
        session.scalars(select(Study)).one().images_deleted = 1.0
        assert not analyse_again(session, 1, time.time())
