"""The same on PostgreSQL: what SQLite takes and PostgreSQL does not would only be found in a hospital."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.service.core.postgres import Postgres
from tests.service.feedback.ward import DAY, NOW, Ward, box, mark

from ichscan.service.feedback.alarms import watch
from ichscan.service.feedback.dashboard import dashboard
from ichscan.service.feedback.export import plan, stream
from ichscan.service.feedback.record import of_study


@pytest.fixture
def ward(tmp_path: Path) -> Iterator[Ward]:
    server = Postgres()
    try:
        server.start()
        made = Ward(tmp_path / "service", server.new_database())
        yield made
        made.database.close()
    finally:
        server.close()


def test_feedback_export_dashboard_and_alarms(ward: Ward) -> None:
    study = ward.study({"any": "present"}, images=True, time=NOW - 1)
    for day in range(20):
        for i in range(8):
            ward.study(
                {"any": "present"} if i < (7 if day < 6 else 1) else None, time=NOW - (day + 0.5) * DAY, slices=1
            )
    told = {"verdicts": {"any": "agree"}, "slices": [mark("1.2.1.1.1", "any")], "boxes": [box("1.2.1.1.2", "subdural")]}
    ward.say(study, **told, reason="\u00e4\u4e2d", time=NOW - 1)
    with ward.database.read() as session:
        assert len(of_study(session, study)) == 1
        assert dashboard(session, ward.settings, 30, NOW)["total"]["studies"] == 161
        export = plan(session, ward.settings.folder)
    assert sum(map(len, stream(export))) > 1000
    assert {one.measure for one in watch(ward.database, ward.settings, NOW)} == {
        "positive_rate",
        "score_distance",
    }
    assert watch(ward.database, ward.settings, NOW) == []
