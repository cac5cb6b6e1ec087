import json
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError
from tests.service.feedback.ward import MODEL, NOW, Ward, box, mark

from ichscan.service.feedback.form import Told
from ichscan.service.feedback.record import (
    ImplausibleError,
    OutdatedError,
    UnknownStudyError,
    add,
    newest,
    of_study,
    states_told,
    verdicts_of,
)
from ichscan.service.tables import Event, Result


def test_a_statement_is_kept_with_what_it_was_about(ward: Ward) -> None:
    study = ward.study({"any": "present", "subdural": "present"})
    ward.say(study, verdicts={"subdural": "agree", "epidural": "unsure"}, reason="  thin\r\nlayer ", time=NOW + 1)
    with ward.database.read() as session:
        (row,) = of_study(session, study)
        assert verdicts_of(row) == {"subdural": "agree", "epidural": "unsure"}
        assert states_told(row) == {"subdural": "present", "epidural": "absent"}
        assert (row.user, row.time, row.model_sha256, row.reason) == ("ann", NOW + 1, MODEL, "thin\nlayer")
        assert [(e.kind, e.study_id) for e in session.scalars(select(Event))] == [("feedback", study)]


def test_the_newest_of_a_user_counts_and_nothing_is_changed(ward: Ward) -> None:
    study = ward.study({"any": "present"})
    ward.say(study, verdicts={"any": "agree"})
    ward.say(study, "bob", verdicts={"any": "agree"})
    ward.say(study, verdicts={"any": "disagree"})
    with ward.database.read() as session:
        rows = of_study(session, study)
    assert len(rows) == 3
    assert {key: verdicts_of(row)["any"] for key, row in newest(rows).items()} == {
        ("ann", study): "disagree", ("bob", study): "agree",
    }  # fmt: skip
    with pytest.raises(IntegrityError, match="added, never changed"), ward.database.write() as session:
        session.execute(text("UPDATE feedback SET user = 'eve'"))


def test_only_the_current_result_is_judged(ward: Ward) -> None:
    study = ward.study({"any": "present"})
    shown = ward.result_of(study)
    with ward.database.write() as session:
        old = session.get_one(Result, shown)
        old.current = False
        session.add(
            Result(
                study_id=study, generation=2, model_sha256=MODEL, created=NOW, seconds=1, content=old.content, folder=""
            )
        )
    with pytest.raises(OutdatedError, match="load the study again"):
        ward.say(study, result_id=shown, verdicts={"any": "agree"})
    ward.say(study, verdicts={"any": "agree"})


def test_without_study_or_result_nothing_is_taken(ward: Ward) -> None:
    study = ward.study({"any": "present"})
    told = Told(result_id=1, verdicts={"any": "agree"})
    with ward.database.write() as session:
        with pytest.raises(UnknownStudyError, match="study 99"):
            add(session, 99, "ann", told, NOW)
        session.get_one(Result, ward.result_of(study)).current = False
        with pytest.raises(OutdatedError, match="wait for its analysis"):
            add(session, study, "ann", told, NOW)


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ({}, "expected a verdict"),
        ({"slices": [mark("9.9", "any")]}, "image 9.9: is no slice of the result"),
        ({"boxes": [box("9.9", "any")]}, "image 9.9"),
        ({"boxes": [box("1.2.1.1.1", "any", top=60)]}, "64 x 64 pixels, found it beyond"),
        ({"boxes": [box("1.2.1.1.1", "any", left=63)]}, "beyond"),
        ({"verdicts": {"any": "disagree"}, "slices": [mark("1.2.1.1.1", "any")]}, "contradicts itself"),
        ({"verdicts": {"any": "disagree", "subdural": "present"}}, "not the union"),
    ],
)
def test_what_cannot_be_is_refused(ward: Ward, told: dict[str, Any], message: str) -> None:
    study = ward.study({"any": "present"})
    with pytest.raises(ImplausibleError, match=message):
        ward.say(study, **told)
    with ward.database.read() as session:
        assert of_study(session, study) == []


def test_a_verdict_is_about_what_was_shown(ward: Ward) -> None:
    study = ward.study({"any": "present"}, series=2)
    with ward.database.write() as session:
        row = session.get_one(Result, ward.result_of(study))
        content = json.loads(json.dumps(row.content))
        content[1]["findings"]["labels"]["any"]["state"] = "absent"
        row.content = content
    assert states_told(ward.say(study, verdicts={"any": "disagree"})) == {"any": "mixed"}
    assert states_told(ward.say(study, verdicts={"any": "agree"}, states={"any": "absent"})) == {"any": "absent"}
    with pytest.raises(OutdatedError, match=r"states \(absent and present\), found one on uncertain; load the study"):
        ward.say(study, verdicts={"any": "agree"}, states={"any": "uncertain"})


def test_a_scan_that_was_not_analysed_can_be_labelled_outright(ward: Ward) -> None:
    study = ward.study()
    with ward.database.write() as session:
        session.get_one(Result, ward.result_of(study)).content = [{"status": "not_analysable", "slices": []}]
    with pytest.raises(OutdatedError, match=r"states \(none\), found one on present"):
        ward.say(study, verdicts={"any": "agree"}, states={"any": "present"})
    with pytest.raises(ImplausibleError, match="was not analysed; say present, absent or unsure"):
        ward.say(study, verdicts={"any": "agree"})
    assert states_told(ward.say(study, verdicts={"any": "absent"})) == {"any": ""}


@pytest.mark.parametrize(
    "told",
    [
        {"verdicts": {"tumour": "agree"}},
        {"verdicts": {"any": "maybe"}},
        {"verdicts": ["any"]},
        {"slices": [mark("../x", "any")]},
        {"slices": [mark("1" * 65, "any")]},
        {"slices": [mark("1.2", "any") | {"present": "yes"}]},
        {"slices": [mark("1.2", "any") | {"more": 1}]},
        {"boxes": [box("1.2", "any", height=0)]},
        {"boxes": [box("1.2", "any", top=float("nan"))]},
        {"boxes": [box("1.2", "any", top=-1)]},
        {"reason": "x" * 2001},
        {"reason": "a\0b"},
        {"reason": "\ud800"},
        {"reason": "\x1b[31m"},
        {"user": "eve"},
        {"result_id": "1"},
        {"result_id": True},
    ],
)
def test_what_is_not_of_the_form_is_refused(told: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Told.model_validate({"result_id": 1} | told)
