"""Report and volume -> `Findings`: the one place where probabilities and maps become facts that can be told."""

from dataclasses import replace
from typing import Final

import numpy as np

from ichscan.anatomy import intracranial_mask
from ichscan.explain.heat import Bool, widened
from ichscan.explain.maps import on_slice, shown_maps
from ichscan.labels import LABELS
from ichscan.report.findings import ABSENT, PRESENT, UNCERTAIN, Finding, Findings
from ichscan.report.place import place_of
from ichscan.report.side import Midline, midline_of, side_of
from ichscan.report.wording import ENGLISH, NOT_ASSESSED
from ichscan.types import Float32, Prediction, Report, Volume

NEAR: Final = 0.5
"""A scan below its threshold is uncertain, not absent, from this share of the threshold's odds on."""


def find(report: Report, volume: Volume | None = None, mask: Bool | None = None) -> Findings:
    """All facts about one series.

    Args:
        report: analysed or not. With class or lesion maps in its prediction, findings have places and sides.
        volume: of the same series; None = places and sides stay unknown.
        mask: bool (slices, rows, cols), `ichscan.anatomy.intracranial_mask` of the volume where it is known already.

    Raises:
        ValueError: the volume is of another series: it has not as many slices as were analysed.
    """
    prediction = report.prediction
    if prediction is None:
        return _not_analysed(report)
    if volume is not None and len(volume.hu) != len(prediction.slices):
        raise ValueError(
            f"volume: expected the {len(prediction.slices)} slices that were analysed, found {len(volume.hu)}; "
            "give the volume of the same series"
        )
    return Findings(
        analysed=True,
        reason="",
        study_instance_uid=report.study_instance_uid,
        series_instance_uid=report.series_instance_uid,
        series_description=report.description,
        findings=_located(prediction, volume, mask) if volume is not None else _listed(prediction),
        slice_probabilities=tuple(tuple(float(p) for p in row) for row in prediction.slices),
        slice_thresholds=tuple(float(t) for t in prediction.slice_thresholds),
        positions_mm=report.positions_mm,
        sop_instance_uids=report.sop_instance_uids,
        not_assessed=_not_assessed(report, prediction, volume),
        warnings=report.warnings,
        model=prediction.model,
    )


def state_of(probability: float, threshold: float, any_slice: bool) -> str:
    """What is said of a label.

    `PRESENT`: the scan is at or above its threshold, and so is at least one slice at its own.
    `UNCERTAIN`: only one of both is so, or the scan has at least half (`NEAR`) of its threshold's odds.
    `ABSENT`: otherwise.

    Args:
        probability: of the scan, in [0, 1].
        threshold: of the scan, in [0, 1].
        any_slice: whether a slice is at or above the threshold of slices.
    """
    positive = probability >= threshold
    if positive and any_slice:
        return PRESENT
    # odds(p) >= NEAR * odds(t), multiplied out, since odds of 1 are infinite
    near = probability * (1 - threshold) >= NEAR * threshold * (1 - probability)
    return UNCERTAIN if positive or any_slice or near else ABSENT


def _listed(prediction: Prediction) -> tuple[Finding, ...]:
    """The findings without their places."""
    return tuple(_finding(prediction, i) for i in range(len(LABELS)))


def _finding(prediction: Prediction, label: int) -> Finding:
    scores = prediction.slices[:, label]
    slices = tuple(int(i) for i in np.flatnonzero(scores >= prediction.slice_thresholds[label]))
    probability, threshold = float(prediction.scan[label]), float(prediction.scan_thresholds[label])
    return Finding(
        label=LABELS[label],
        state=state_of(probability, threshold, bool(slices)),
        probability=probability,
        threshold=threshold,
        slices=slices,
        strongest=int(np.argmax(scores)),
        place=None,
        side="",
    )


def _located(prediction: Prediction, volume: Volume, mask: Bool | None) -> tuple[Finding, ...]:
    """The findings with places and sides, where there are maps and something is not absent."""
    plain = _listed(prediction)
    told = [finding for finding in plain if finding.state != ABSENT]
    maps = shown_maps(prediction, volume.positions_mm)
    if maps is None or not told:
        return plain
    if mask is None and volume.spacing_mm is not None:
        mask = intracranial_mask(volume.hu, volume.spacing_mm)
    seen = np.array(sorted({i for finding in told for i in _evidence(finding)}), np.intp)
    inside = None if mask is None else widened(mask, volume.hu, seen)
    midline = None if mask is None else midline_of(mask, volume)
    return tuple(
        finding if finding.state == ABSENT else _with_place(finding, maps, inside, midline, prediction, volume)
        for finding in plain
    )


def _with_place(
    finding: Finding,
    maps: Float32,
    inside: Bool | None,
    midline: Midline | None,
    prediction: Prediction,
    volume: Volume,
) -> Finding:
    label = LABELS.index(finding.label)
    drawn = {}
    for i in _evidence(finding):
        top, left, side = (int(v) for v in prediction.boxes[i])
        drawn[i] = on_slice(maps[i, label], (top, left, side), (volume.hu.shape[1], volume.hu.shape[2]))
        if inside is not None:
            drawn[i][~inside[i]] = 0
    place = place_of(drawn[finding.strongest], finding.strongest, volume)
    return replace(finding, place=place, side="" if midline is None else side_of(drawn, midline, volume))


def _evidence(finding: Finding) -> tuple[int, ...]:
    """The slices whose maps tell of the finding: all positive ones, and the strongest in any case."""
    return tuple(sorted({*finding.slices, finding.strongest}))


def _not_assessed(report: Report, prediction: Prediction, volume: Volume | None) -> tuple[str, ...]:
    sentences = [ENGLISH[key] for key in NOT_ASSESSED]
    left_out = report.slices - len(prediction.slices)
    if left_out > 0:
        sentences.append(ENGLISH["left_out"].format(count=left_out, total=report.slices))
    if volume is not None:
        sentences += _gap_sentences(volume)
    return tuple(sentences)


def _gap_sentences(volume: Volume) -> list[str]:
    """One sentence per run of neighbouring gaps: the upper half of a scan is often cut thicker than the lower."""
    distances = np.diff(volume.positions_mm)
    starts = [i for i in volume.gaps if i - 1 not in volume.gaps]
    ends = [i for i in volume.gaps if i + 1 not in volume.gaps]
    return [
        ENGLISH["gap"].format(below=a + 1, above=b + 2, mm=f"{distances[a : b + 1].max():.1f}")
        for a, b in zip(starts, ends, strict=True)
    ]


def _not_analysed(report: Report) -> Findings:
    return Findings(
        analysed=False,
        reason=report.reason or ENGLISH["no_reason"],
        study_instance_uid=report.study_instance_uid,
        series_instance_uid=report.series_instance_uid,
        series_description=report.description,
        findings=(),
        slice_probabilities=(),
        slice_thresholds=(),
        positions_mm=(),
        sop_instance_uids=(),
        not_assessed=(),
        warnings=report.warnings,
        model=None,
    )
