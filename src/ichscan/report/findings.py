"""What is told of a scan, as one typed set of facts: every report, DICOM object and message is made from it alone."""

from dataclasses import dataclass
from typing import Final

from ichscan.dicom.unjudged import not_covered, unread
from ichscan.labels import ANY, LABELS
from ichscan.types import ModelIdentity

PRESENT: Final = "present"
ABSENT: Final = "absent"
UNCERTAIN: Final = "uncertain"
INCOMPLETE: Final = "incomplete"
"""A verdict alone: nothing was found, and a part of the head was not judged."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the strongest evidence of a finding lies.

    Attributes:
        slice_index: of the analysed slices, 0 = most inferior.
        row, column: pixel, fractional, centre of the top left pixel = (0, 0).
        lps_mm: (x, y, z) in the patient's frame, LPS, mm; None when geometry is not recorded.
    """

    slice_index: int
    row: float
    column: float
    lps_mm: tuple[float, float, float] | None


@dataclass(frozen=True, slots=True)
class Finding:
    """One label of one scan.

    Attributes:
        label: of `ichscan.labels.LABELS`.
        state: `PRESENT`, `ABSENT` or `UNCERTAIN`: see `ichscan.report.find`.
        probability, threshold: of the scan.
        slices: indices of the slices at or above the slice threshold, ascending.
        strongest: index of the slice with the highest probability.
        place: of the strongest evidence; None without maps or when absent.
        side: "left", "right", "both" or "" = not clear.
    """

    label: str
    state: str
    probability: float
    threshold: float
    slices: tuple[int, ...]
    strongest: int
    place: Place | None
    side: str


@dataclass(frozen=True, slots=True)
class Findings:
    """All facts about one series.

    Attributes:
        analysed: False = `reason` says why not, and there are no findings.
        series_description: for people; not patient data.
        findings: one per label, in the order of `ichscan.labels.LABELS`; () when not analysed.
        slice_probabilities: per slice, six floats.
        slice_thresholds: six floats.
        positions_mm, sop_instance_uids: per slice, inferior to superior.
        not_assessed: sentences: what the model does not look at, and what was left out.
        warnings: sentences about quality.
        model: None when not analysed.
    """

    analysed: bool
    reason: str
    study_instance_uid: str
    series_instance_uid: str
    series_description: str
    findings: tuple[Finding, ...]
    slice_probabilities: tuple[tuple[float, ...], ...]
    slice_thresholds: tuple[float, ...]
    positions_mm: tuple[float, ...]
    sop_instance_uids: tuple[str, ...]
    not_assessed: tuple[str, ...]
    warnings: tuple[str, ...]
    model: ModelIdentity | None

    @property
    def verdict(self) -> str:
        """The scan in one word: the state of "any", but uncertain where that is absent and a type is not.

        `INCOMPLETE` where nothing was found and a part of the head was not judged.

        Raises:
            KeyError: the series was not analysed.
        """
        overall = self.of(LABELS[ANY]).state
        if overall != ABSENT:
            return overall
        if any(finding.state != ABSENT for finding in self.findings):
            return UNCERTAIN
        return INCOMPLETE if unread(self.warnings) or not_covered(self.warnings) else ABSENT

    def of(self, label: str) -> Finding:
        """By name. Raises KeyError when the series was not analysed."""
        for finding in self.findings:
            if finding.label == label:
                return finding
        raise KeyError(label)
