import json
from dataclasses import replace

from tests.dicom_builders import PATIENT_ID
from tests.service.feedback.ward import DAY, NOW, Ward, mark

from ichscan.service.feedback.dashboard import BINS, dashboard

POSITIVE = {"any": "present", "subdural": "present"}


def test_counts_shares_and_days(ward: Ward) -> None:
    bleed = ward.study(POSITIVE, time=NOW - DAY)
    clean = ward.study(time=NOW - 2, station="B")
    ward.study(time=NOW - 2, status="not_analysable", probability=None, suspected=None)
    ward.study(time=NOW - 2, status="waiting", probability=None, suspected=None)
    ward.study(time=NOW - 30 * DAY)
    ward.say(bleed, verdicts={"any": "agree", "subdural": "disagree"}, time=NOW - 1)
    ward.say(clean, verdicts={"any": "disagree"}, time=NOW - 1)
    ward.say(clean, verdicts={"any": "agree"}, time=NOW - 1)
    ward.say(clean, "bob", slices=[mark("1.2.2.1.1", "any", False)], verdicts={"any": "unsure"}, time=NOW - 1)
    with ward.database.read() as session:
        found = dashboard(session, ward.settings, 7, NOW)
    total = found["total"]
    assert {key: total[key] for key in ("studies", "analysed", "not_analysable", "open", "suspected", "remarks")} == {
        "studies": 4, "analysed": 2, "not_analysable": 1, "open": 1, "suspected": 1, "remarks": 3,
    }  # fmt: skip
    assert (total["positive_rate"], total["not_analysable_rate"], total["agreement"]) == (0.5, 0.3333, 0.5)
    assert (total["median_wait_s"], total["studies_with_verdict"]) == (5.0, 2)
    assert [one["date"] for one in found["per_day"]] == [f"2027-01-{day:02d}" for day in range(9, 16)]
    assert [one["studies"] for one in found["per_day"]] == [0, 0, 0, 0, 0, 1, 3]
    assert found["per_day"][0]["positive_rate"] is None
    assert [(one["scanner"], one["studies"]) for one in found["per_scanner"]] == [("GE Ward 1", 3), ("B", 1)]
    assert (sum(found["scores"]["counts"]), len(found["scores"]["edges"])) == (2, BINS + 1)
    assert found["scores"]["suspected"][18] == 1
    assert found["agreement"]["any"] == {
        "agree": 2, "disagree": 0, "unsure": 1, "of_uncertain_findings": 0, "wrongly_present": 0, "wrongly_absent": 0,
        "agreement": 1.0,
    }  # fmt: skip
    assert found["agreement"]["subdural"]["wrongly_present"] == 1
    assert found["alarms"] == []
    told = json.dumps(found, allow_nan=False)
    assert PATIENT_ID not in told
    assert "Doe" not in told


def test_nothing_is_nothing(ward: Ward) -> None:
    with ward.database.read() as session:
        found = dashboard(session, ward.settings, 366, NOW)
    assert found["total"]["studies"] == 0
    assert len(found["per_day"]) == 366
    assert found["per_scanner"] == []


def test_a_demonstration_names_no_scanner(ward: Ward) -> None:
    study = ward.study(POSITIVE, time=NOW - 1)
    ward.say(study, verdicts={"any": "agree"}, time=NOW - 1)
    demo = replace(ward.settings, web=replace(ward.settings.web, demo=True))
    with ward.database.read() as session:
        found = dashboard(session, demo, 7, NOW)
    assert "GE" not in json.dumps(found)
    assert found["per_scanner"][0]["agreement"] == 1.0
