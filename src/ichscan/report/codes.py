"""Codes of the findings, as DICOM and FHIR name them: SNOMED CT (SCT), DICOM's own (DCM, PS3.16 Annex D), LOINC (LN).

Where SNOMED CT's code could be seen in no dictionary that can be trusted (intraventricular hemorrhage), a hemorrhage at
a site is told instead: a wrong code is worse than a plain one.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from ichscan.report.findings import ABSENT, PRESENT, UNCERTAIN


@dataclass(frozen=True, slots=True)
class Code:
    """A concept.

    Attributes:
        scheme: coding scheme designator (PS3.16 section 8): "SCT", "DCM" or "LN".
        value: the code.
        meaning: in words.
    """

    scheme: str
    value: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Coded:
    """What a label is called, and where it lies."""

    name: Code
    site: Code


INTRACRANIAL: Final = Code("SCT", "1101003", "Intracranial")
BRAIN: Final = Code("SCT", "12738006", "Brain")
VENTRICLE: Final = Code("SCT", "35764002", "Brain ventricle")
SUBARACHNOID: Final = Code("SCT", "35951006", "Subarachnoid space")

HEMORRHAGES: Final[Mapping[str, Coded]] = MappingProxyType(
    {
        "epidural": Coded(Code("SCT", "82999001", "Epidural intracranial hemorrhage"), INTRACRANIAL),
        "intraparenchymal": Coded(Code("SCT", "274100004", "Cerebral hemorrhage"), BRAIN),
        "intraventricular": Coded(Code("SCT", "50960005", "Hemorrhage"), VENTRICLE),
        "subarachnoid": Coded(Code("SCT", "21454007", "Subarachnoid intracranial hemorrhage"), SUBARACHNOID),
        "subdural": Coded(Code("SCT", "35486000", "Subdural intracranial hemorrhage"), INTRACRANIAL),
        "any": Coded(Code("SCT", "1386000", "Intracranial hemorrhage"), INTRACRANIAL),
    }
)
"""By label."""

STATES: Final[Mapping[str, Code]] = MappingProxyType(
    {
        PRESENT: Code("SCT", "52101004", "Present"),
        ABSENT: Code("SCT", "272519000", "Absent"),
        UNCERTAIN: Code("SCT", "373068000", "Undetermined"),
    }
)

SIDES: Final[Mapping[str, Code]] = MappingProxyType(
    {
        "left": Code("SCT", "7771000", "Left"),
        "right": Code("SCT", "24028007", "Right"),
        "both": Code("SCT", "51440002", "Right and left"),
    }
)

LATERALITY: Final = Code("SCT", "272741003", "Laterality")
PROBABILITY: Final = Code("DCM", "122157", "Probability")
SERIES_UID: Final = Code("DCM", "112002", "Series Instance UID")
CT_HEAD: Final = Code("LN", "30799-1", "CT Head WO contrast")
IMAGING: Final = Code("LN", "18748-4", "Diagnostic imaging study")
"""Of a series that was not analysed: nothing says that it shows a head."""
