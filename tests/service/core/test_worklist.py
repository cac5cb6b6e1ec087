import random

import pytest
from sqlalchemy import select
from tests.service.core.world import World

from ichscan.service.tables import STATUSES, Study
from ichscan.service.worklist import order, priority_of

EXPECTED = [
    {"status": "analysed", "suspected": True, "probability": 0.99},
    {"status": "receiving", "suspected": True, "probability": 0.9},
    {"status": "analysed", "suspected": True, "probability": 0.2, "states": {"any": "uncertain"}},
    {
        "status": "analysed",
        "suspected": False,
        "probability": 0.4,
        "states": {"any": "uncertain", "epidural": "absent"},
    },
    {"status": "not_analysable", "states": {}},
    {"status": "set_aside", "first_received": 2000.0},
    {"status": "analysed", "first_received": 3000.0, "states": {"any": "absent"}, "reason": "the half of a head"},
    {"status": "receiving", "first_received": 500.0},
    {"status": "waiting", "first_received": 600.0},
    {"status": "analysing", "first_received": 700.0},
    {"status": "waiting", "suspected": False, "probability": 0.3, "first_received": 800.0},
    {"status": "analysed", "suspected": False, "probability": 0.3, "states": {"any": "absent"}},
]


def test_order_of_the_worklist(world: World) -> None:
    wanted = [
        Study(study_instance_uid=f"1.{i}", **{"first_received": 1000.0, "last_received": 1.0, **one})
        for i, one in enumerate(EXPECTED)
    ]
    for study in wanted:
        study.priority = priority_of(study)
    shuffled = wanted[:]
    random.Random(4).shuffle(shuffled)
    with world.database.write() as session:
        for study in shuffled:
            session.add(study)
            session.flush()
    with world.database.read() as session:
        found = session.scalars(select(Study.study_instance_uid).order_by(*order())).all()
    assert found == [study.study_instance_uid for study in wanted]


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_a_place(status: str) -> None:
    assert 0 <= priority_of(Study(study_instance_uid="1", status=status)) <= 5


def test_absurd_probability_stays_in_its_class() -> None:
    assert priority_of(Study(suspected=True, probability=float(10**9), status="analysed")) == 5.0
    assert priority_of(Study(suspected=True, probability=None, status="analysed")) == 4.0
