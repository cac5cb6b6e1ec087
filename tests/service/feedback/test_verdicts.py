import pytest
from hypothesis import given
from hypothesis import strategies as some
from tests.service.feedback.ward import box, mark

from ichscan.labels import LABELS, TYPES
from ichscan.service.feedback.consensus import consensus
from ichscan.service.feedback.verdicts import VERDICTS, Said, label_of, outcome, said

STATES = ("present", "uncertain", "absent", "")


@pytest.mark.parametrize(
    ("state", "verdict", "label", "agrees"),
    [
        ("present", "agree", 1, "agree"),
        ("present", "disagree", 0, "disagree"),
        ("absent", "agree", 0, "agree"),
        ("absent", "disagree", 1, "disagree"),
        ("present", "unsure", None, None),
        ("uncertain", "agree", None, None),
        ("uncertain", "disagree", None, None),
        ("uncertain", "present", 1, None),
        ("uncertain", "absent", 0, None),
        ("absent", "present", 1, "disagree"),
        ("present", "present", 1, "agree"),
        (None, "present", 1, None),
        (None, "agree", None, None),
        ("mixed", "disagree", None, None),
        ("mixed", "absent", 0, None),
    ],
)
def test_what_a_verdict_means(state: str | None, verdict: str, label: int | None, agrees: str | None) -> None:
    assert label_of(state, verdict) == label
    assert outcome(state, verdict) == agrees


def test_a_type_makes_any_and_without_any_there_is_no_type() -> None:
    assert said({"subdural": "present"}, {"subdural": "agree"}).scan == {"subdural": 1, "any": 1}
    assert said({"any": "absent"}, {"any": "agree"}).scan == dict.fromkeys(LABELS, 0)
    assert said(dict.fromkeys(TYPES, "absent"), dict.fromkeys(TYPES, "agree")).scan == dict.fromkeys(LABELS, 0)


def test_a_mark_or_box_on_a_slice_is_in_the_scan() -> None:
    found = said({}, {}, [mark("1.2", "epidural"), mark("1.3", "any", False)], [box("1.4", "subdural")])
    assert found.scan == {"epidural": 1, "subdural": 1, "any": 1}
    assert found.slices["1.2", "any"] == 1
    assert [found.slices["1.3", label] for label in LABELS] == [0] * 6
    assert found.slices["1.4", "subdural"] == 1


@pytest.mark.parametrize(
    ("states", "verdicts", "marks"),
    [
        ({"any": "absent", "subdural": "present"}, {"any": "agree", "subdural": "agree"}, []),
        ({"any": "absent"}, {"any": "agree"}, [mark("1.2", "subdural")]),
        ({"subdural": "present"}, {"subdural": "disagree"}, [mark("1.2", "subdural")]),
        ({}, {}, [mark("1.2", "subdural"), mark("1.2", "subdural", False)]),
        ({}, {}, [mark("1.2", "subdural"), mark("1.2", "any", False)]),
        (dict.fromkeys(TYPES, "absent"), {**dict.fromkeys(TYPES, "agree"), "any": "present"}, []),
    ],
)
def test_a_contradiction_gives_no_label(
    states: dict[str, str], verdicts: dict[str, str], marks: list[dict[str, object]]
) -> None:
    found = said(states, verdicts, marks)
    assert found.contradictions
    assert not found.scan
    assert not found.slices


statements = some.builds(
    said,
    some.dictionaries(some.sampled_from(LABELS), some.sampled_from(STATES)),
    some.dictionaries(some.sampled_from(LABELS), some.sampled_from(VERDICTS)),
    some.lists(
        some.builds(mark, some.sampled_from(["1.1", "1.2"]), some.sampled_from(LABELS), some.booleans()), max_size=3
    ),
)


def consistent(labels: dict[str, int]) -> bool:
    types = [labels.get(label) for label in TYPES]
    return not (labels.get("any") == 0 and 1 in types) and not (labels.get("any") == 1 and types == [0] * 5)


@given(some.dictionaries(some.sampled_from("abc"), statements, max_size=3))
def test_together_people_never_say_what_cannot_be(told: dict[str, Said]) -> None:
    found = consensus(told)
    assert consistent(dict(found.scan))
    for uid in ("1.1", "1.2"):
        assert consistent({label: value for (sop, label), value in found.slices.items() if sop == uid})
    for label, value in found.scan.items():
        assert {one.scan[label] for one in told.values() if label in one.scan} == {value}
    disputed = {one.label for one in found.conflicts if not one.sop_instance_uid}
    assert not disputed & set(found.scan)


def test_disagreement_is_kept_apart() -> None:
    ann = said({"subdural": "present"}, {"subdural": "agree"})
    bob = said({"any": "present"}, {"any": "disagree"})
    found = consensus({"ann": ann, "bob": bob})
    assert found.scan == {}
    assert {one.label: dict(one.votes) for one in found.conflicts} == {
        "subdural": {"ann": 1, "bob": 0}, "any": {"ann": 1, "bob": 0},
    }  # fmt: skip
    assert found.agreement == 0.0


def test_who_denies_the_scan_denies_the_mark_of_another() -> None:
    ann = said({}, {}, [mark("1.2", "subdural"), mark("1.3", "epidural", False)])
    bob = said({"subdural": "absent"}, {"subdural": "agree"})
    found = consensus({"ann": ann, "bob": bob})
    assert ("1.2", "subdural") not in found.slices
    assert found.slices["1.3", "epidural"] == 0
    assert [(one.sop_instance_uid, one.label) for one in found.conflicts] == [("", "subdural"), ("1.2", "subdural")]
    assert found.scan == {"any": 1}


def test_a_hemorrhage_of_no_type_is_a_conflict() -> None:
    one = said({}, {"any": "present"})
    other = said({}, dict.fromkeys(TYPES[:3], "absent"))
    third = said({}, dict.fromkeys(TYPES[3:], "absent"))
    found = consensus({"a": one, "b": other, "c": third})
    assert found.scan == {}
    assert [conflict.label for conflict in found.conflicts] == ["any"]
    assert found.agreement is None
