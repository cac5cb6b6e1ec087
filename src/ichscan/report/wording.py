"""Every wording of the reports, by key, so that another language is one more table.

`{name}` is filled by the caller. Findings are worded as what a model shows, never as a diagnosis.
"""

from collections.abc import Mapping
from typing import Final

Wording = Mapping[str, str]

ENGLISH: Final[Wording] = {
    "language": "en",
    # names
    "epidural": "epidural hemorrhage",
    "intraparenchymal": "intraparenchymal hemorrhage",
    "intraventricular": "intraventricular hemorrhage",
    "subarachnoid": "subarachnoid hemorrhage",
    "subdural": "subdural hemorrhage",
    "any": "intracranial hemorrhage of any type",
    "left": "left",
    "right": "right",
    "both": "both sides",
    "present": "suspected",
    "uncertain": "not certain",
    "absent": "not detected",
    "verdict_present": "Hemorrhage suspected",
    "verdict_uncertain": "Hemorrhage possible, not certain: please look",
    "verdict_incomplete": "Incomplete: a part of the head was not judged. In the rest, no hemorrhage detected.",
    "verdict_absent": "No hemorrhage detected. This does not exclude one.",
    # sections
    "title": "Draft report by AI, not verified",
    "technique": "Technique",
    "findings": "Findings",
    "impression": "Impression",
    "limits": "Not assessed",
    "warnings": "Remarks on quality",
    # technique
    "slices": "CT of the head, {count} axial slices.",
    "one_slice": "CT of the head, one axial slice.",
    "apart": "The slices lie {mm} mm apart (median).",
    "series": "Series: {description}.",
    "model": "Read by the model {name} {version} (weights {sha256}).",
    # findings
    "finding": "{label}: {state}.",
    "finding_side": "{label}: {state}, {side}.",
    "probability": "Probability {probability}, threshold {threshold}.",
    "in_slices": "Slice numbers at or above their threshold: {slices} (of {total} slices).",
    "in_no_slice": "No single slice is at or above its threshold.",
    "strongest": "Strongest evidence in slice {slice}.",
    "strongest_at": "Strongest evidence in slice {slice}, at x {x}, y {y}, z {z} mm (LPS).",
    # impression
    "suspected": "Intracranial hemorrhage suspected: {types}.",
    "suspected_untyped": "Intracranial hemorrhage suspected; the type is not clear.",
    "also_unsure": "Types that are not certain: {types}.",
    "unsure": "Intracranial hemorrhage is possible, but not certain: {types}. Please look at the slices named.",
    "unsure_untyped": "Intracranial hemorrhage is possible, but not certain. Please look at the slices named.",
    "disagree": "Hemorrhage of any type is not detected, but single types are not ruled out: {types}. Please look.",
    "incomplete": "A part of the head was not judged: it has to be read without the model. In the rest, no "
    "intracranial hemorrhage detected.",
    "negative": "No intracranial hemorrhage detected. This does not exclude one.",
    "notice": "AI result, not for diagnostic use alone. To be verified by a physician.",
    # nothing analysed
    "not_analysed": "This series was not analysed, so nothing is said about hemorrhage.",
    "reason": "Reason: {reason}",
    "look": "The images have to be read without the model.",
    "no_reason": "no reason is recorded",
    # not assessed
    "negative_excludes_nothing": "A negative result does not exclude hemorrhage.",
    "small": "Bleeds smaller than those the model learned from are often missed, above all those under 1 cm².",
    "others": "Ischemia, tumors, edema, mass effect, hydrocephalus and fractures are not assessed.",
    "outside": "Scalp, face, orbits and neck are not assessed.",
    "age": "The age of a bleed and its volume are not assessed.",
    "left_out": "{count} of {total} images were left out; what they show was not assessed.",
    "gap": "From slice {below} to {above}, slices lie up to {mm} mm apart; what lies between them was not assessed.",
    # viewer
    "page": "Head CT: AI result",
    "warn": "AI result, not for diagnostic use alone",
    "images": "Images",
    "brain": "Brain",
    "subdural_window": "Subdural",
    "soft_tissue": "Soft tissue",
    "bone": "Bone",
    "window": "{name}, centre {centre}, width {width} HU, key {key}",
    "overlay": "Heat",
    "opacity": "Opacity of the heat",
    "slice_slider": "Slice",
    "strip": "Probability per slice, inferior to superior; dashed: threshold. Click to go to a slice.",
    "where": "Slice {slice} of {total}, {mm} mm. {label}: {probability}, threshold {threshold}.",
    "over": "At or above the threshold.",
    "legend": "Where the model sees it: none to strongest of the scan. Dashed circle: strongest evidence.",
    "no_heat": "No heat is shown for slices below half their threshold.",
    "some_slices": "Of {total} slices the most suspicious of each few neighbours are shown.",
    "row": "{probability}, threshold {threshold}; strongest in slice {slice}",
    "row_slices": "{probability}, threshold {threshold}; slices {slices}, strongest {slice}",
    "list": "Result",
    "choose": "Choose a finding to see its strongest slice.",
    "report": "Draft report, not verified",
    "keys": "Keys",
    "key_slices": "next and previous slice; also the mouse wheel, or drag on the image",
    "key_windows": "windows: brain, subdural, soft tissue, bone",
    "key_overlay": "heat on and off",
    "print": "Print",
    "figure": "{label}, slice {slice}",
    "no_images": "The images are not part of this page.",
    "no_script": "Images need JavaScript. The report is complete without them.",
    "old_browser": "This browser is too old to show the images. The report is complete without them.",
    "series_uid": "Series {uid}",
    "R": "R", "L": "L", "A": "A", "P": "P",
}  # fmt: skip

WORDINGS: Final[Mapping[str, Wording]] = {"en": ENGLISH}
"""By BCP 47 language tag; every table has the same keys and the same fields in braces."""

NOT_ASSESSED: Final = ("negative_excludes_nothing", "small", "others", "outside", "age")
"""Keys of what holds for every scan."""
