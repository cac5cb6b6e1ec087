"""One study of an export: the labels that follow from what was said, where each comes from, and what is left open."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ichscan.datasets.collection import Problem
from ichscan.labels import LABELS
from ichscan.report.findings import ABSENT, PRESENT
from ichscan.service.feedback.consensus import Consensus, consensus
from ichscan.service.feedback.gather import Statement, Told
from ichscan.service.feedback.record import verdicts_of
from ichscan.service.feedback.verdicts import implied, label_of

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Case:
    """Rows of the tables of docs/service-feedback.md, and the images that they are about.

    Attributes:
        series: Series Instance UID -> row of series.csv without `patient`.
        slices, boxes, verdicts, disagreements, reasons: rows.
        files: (SOP Instance UID, Series Instance UID, path relative to `Settings.folder`).
    """

    study_id: int
    study_instance_uid: str
    series: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    slices: tuple[Row, ...] = ()
    boxes: tuple[Row, ...] = ()
    verdicts: tuple[Row, ...] = ()
    disagreements: tuple[Row, ...] = ()
    reasons: tuple[Row, ...] = ()
    files: tuple[tuple[str, str, str], ...] = ()
    problems: tuple[Problem, ...] = ()


def case_of(told: Told) -> Case:
    """What is exported of one study. Images only where a label is known of them."""
    agreed = consensus({one.reader: one.said for one in told.statements if one.valid})
    readers = sum(one.valid and bool(one.said.scan or one.said.slices) for one in told.statements)
    labels = {uid: found for uid in told.series if (found := series_labels(told, agreed, uid))}
    slices = {uid: found for uid in told.slices if (found := _of_slice(agreed, uid))}
    wanted = {*labels, *(told.slices[uid] for uid in slices)}
    files = tuple(
        (uid, series, told.files[uid]) for uid, series in told.slices.items() if series in wanted and uid in told.files
    )
    study = {"study_instance_uid": told.study_instance_uid}
    base = {uid: study | {"series_instance_uid": uid} for uid in told.series if uid in wanted}
    counted = {"readers": readers, "agreement": "" if agreed.agreement is None else f"{agreed.agreement:.4f}"}
    return Case(
        told.study_id,
        told.study_instance_uid,
        {uid: one | labels.get(uid, {}) | counted for uid, one in base.items()},
        tuple({"sop_instance_uid": uid} | found for uid, found in slices.items()),
        tuple(_boxes(told, agreed)),
        tuple(row for one in told.statements for row in _verdicts(told, one)),
        tuple(_disagreements(told, agreed)),
        tuple(study | _whose(one) | {"reason": one.row.reason} for one in told.statements if one.row.reason),
        () if told.deleted else files,
        tuple(_problems(told, agreed, bool(wanted))),
    )  # fmt: skip


def series_labels(told: Told, agreed: Consensus, series: str) -> dict[str, int]:
    """Labels of one series of a study.

    What is absent from the study is absent from each of its series. What is present may be in one of them only: it
    counts for a series that is the only one, that the result states it of, or that it is marked on.
    """
    states = told.series[series]
    marked = {label for (uid, label), value in agreed.slices.items() if value and told.slices.get(uid) == series}
    found = {
        label: value
        for label, value in agreed.scan.items()
        if value == 0 or len(told.series) == 1 or label in marked or states.get(label) == PRESENT
    }
    return implied(found, series, [])


def _of_slice(agreed: Consensus, uid: str) -> dict[str, int]:
    return {label: agreed.slices[uid, label] for label in LABELS if (uid, label) in agreed.slices}


def _boxes(told: Told, agreed: Consensus) -> Iterator[Row]:
    for one in told.statements:
        for box in one.row.boxes:
            uid, label = box["sop_instance_uid"], box["label"]
            if one.valid and uid in told.slices and agreed.slices.get((uid, label)) == 1:
                yield {
                    "sop_instance_uid": uid, "label": label, "x0": box["left"], "y0": box["top"],
                    "x1": box["left"] + box["width"], "y1": box["top"] + box["height"], "reader": one.reader,
                }  # fmt: skip


def _verdicts(told: Told, one: Statement) -> Iterator[Row]:
    """Where labels come from: who said what, when, of which model's result."""
    base = {"study_instance_uid": told.study_instance_uid, **_whose(one), "counted": int(one.valid)}
    for label, verdict in verdicts_of(one.row).items():
        state = one.states.get(label, "")
        decided = label_of(state, verdict)
        value = "" if decided is None else decided
        yield base | {"sop_instance_uid": "", "label": label, "state": state, "verdict": verdict, "value": value}
    for mark in one.row.slices:
        verdict = PRESENT if mark["present"] else ABSENT
        yield base | {
            "sop_instance_uid": mark["sop_instance_uid"], "label": mark["label"], "state": "", "verdict": verdict,
            "value": int(mark["present"]),
        }  # fmt: skip


def _whose(one: Statement) -> dict[str, str]:
    return {
        "reader": one.reader,
        "time": f"{datetime.fromtimestamp(one.row.time, UTC):%Y-%m-%dT%H:%M:%SZ}",
        "model_sha256": one.row.model_sha256,
    }


def _disagreements(told: Told, agreed: Consensus) -> Iterator[Row]:
    for one in agreed.conflicts:
        for reader, value in one.votes.items():
            yield {
                "study_instance_uid": told.study_instance_uid, "sop_instance_uid": one.sop_instance_uid,
                "label": one.label, "reader": reader, "value": value,
            }  # fmt: skip


def _problems(told: Told, agreed: Consensus, labelled: bool) -> Iterator[Problem]:
    where = told.study_instance_uid
    for one in agreed.conflicts:
        readers = " and ".join(sorted(one.votes))
        yield Problem(
            "reader_disagreement", one.sop_instance_uid or where, f"{one.label}: {readers} differ: unlabelled"
        )
    for statement in told.statements:
        if not statement.valid:
            yield Problem(
                "outdated_feedback",
                where,
                f"{statement.reader}: images came since, so that it is about a part: left out",
            )
        for sentence in statement.said.contradictions:
            yield Problem("contradicting_label", where, f"{statement.reader}: {sentence}: left out")
    if not labelled:
        yield Problem("undecided", where, "nothing that was said decides a label of an analysed series: no images")
    elif told.deleted:
        yield Problem("images_deleted", where, "labels, but the images were deleted after storage.keep_days")
    else:
        absent = sum(uid not in told.files for uid in told.slices)
        if absent:
            yield Problem("missing_slice", where, f"{absent} of the analysed images are not held any more")
