"""Codes of what is reported. Where DICOM (PS3.16) or SNOMED CT has a code it is that; the rest is ours."""

from typing import Final

from highdicom.coding_schemes import CodingSchemeIdentificationItem
from pydicom.sr.coding import Code

OWN: Final = "99ICHSCAN"

HEMORRHAGE: Final = Code("50960005", "SCT", "Hemorrhage")
FINDINGS: Final = {
    "epidural": Code("82999001", "SCT", "Epidural intracranial hemorrhage"),
    "intraparenchymal": Code("274100004", "SCT", "Cerebral hemorrhage"),
    "intraventricular": HEMORRHAGE,  # with the site Brain ventricle
    "subarachnoid": Code("21454007", "SCT", "Subarachnoid intracranial hemorrhage"),
    "subdural": Code("35486000", "SCT", "Subdural intracranial hemorrhage"),
    "any": Code("1386000", "SCT", "Intracranial hemorrhage"),
}
INTRACRANIAL: Final = Code("1101003", "SCT", "Intracranial")
SITES: Final = {
    "epidural": INTRACRANIAL,
    "intraparenchymal": Code("12738006", "SCT", "Brain"),
    "intraventricular": Code("35764002", "SCT", "Brain ventricle"),
    "subarachnoid": Code("35951006", "SCT", "Subarachnoid space"),
    "subdural": INTRACRANIAL,
    "any": INTRACRANIAL,
}
SIDES: Final = {
    "left": Code("7771000", "SCT", "Left"),
    "right": Code("24028007", "SCT", "Right"),
    "both": Code("51440002", "SCT", "Right and left"),
}
PRESENCE: Final = Code("121052", "DCM", "Presence of property")
STATES: Final = {
    "present": Code("52101004", "SCT", "Present"),
    "absent": Code("272519000", "SCT", "Absent"),
    "uncertain": Code("373068000", "SCT", "Undetermined"),
}
PROBABILITY: Final = Code("122157", "DCM", "Probability")
SALIENCY: Final = Code("130404", "DCM", "Saliency")
CLASS_ACTIVATION: Final = Code("130402", "DCM", "Class activation")
NO_UNITS: Final = Code("1", "UCUM", "no units")
CT_OF_HEAD: Final = Code("303653007", "SCT", "Computed tomography of head")
ARTIFICIAL_INTELLIGENCE: Final = Code("123110", "DCM", "Artificial Intelligence")
OF_INTEREST: Final = Code("113000", "DCM", "Of Interest")
DEVICE: Final = Code("121007", "DCM", "Device")
REPORT: Final = Code("126000", "DCM", "Imaging Measurement Report")
MEASUREMENTS: Final = Code("126010", "DCM", "Imaging Measurements")
EVALUATIONS: Final = Code("C0034375", "UMLS", "Qualitative Evaluations")
PROCEDURE_REPORTED: Final = Code("121058", "DCM", "Procedure reported")
SOURCE_IMAGE: Final = Code("121322", "DCM", "Source image for image processing operation")

CONCLUSION: Final = Code("121077", "DCM", "Conclusion")

THRESHOLD: Final = Code("threshold", OWN, "Decision threshold of the probability")
SLICES: Final = Code("slices", OWN, "Number of slices at or above the threshold of a slice")
SLICES_UNIT: Final = Code("{slices}", "UCUM", "slices")
STATUS: Final = Code("status", OWN, "Status of the analysis")
ANALYSED: Final = Code("analysed", OWN, "Analysed")
NOT_ANALYSABLE: Final = Code("not-analysable", OWN, "Not analysable")
REASON: Final = Code("reason", OWN, "Reason why the series was not analysed")
NOT_ASSESSED: Final = Code("not-assessed", OWN, "Not assessed")
WARNING: Final = Code("warning", OWN, "Quality warning")
NOTICE: Final = Code("notice", OWN, "Notice")


def own_scheme() -> CodingSchemeIdentificationItem:
    """Says what the designator of our codes stands for (PS3.3 C.12.1.1.1, Coding Scheme Identification Sequence)."""
    return CodingSchemeIdentificationItem(OWN, name="ichscan", responsible_organization="ichscan developers")
