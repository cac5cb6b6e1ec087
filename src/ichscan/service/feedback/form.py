"""The form that a browser sends: types, limits, and nothing else."""

import unicodedata
from typing import Annotated, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from ichscan.service.web.fields import LARGEST_ID

Label = Literal["epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any"]
State = Literal["present", "uncertain", "absent"]
Verdict = Literal["agree", "disagree", "unsure", "present", "absent"]
Uid = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[0-9.]+$")]
Pixel = Annotated[float, Field(ge=0, le=65535, allow_inf_nan=False)]
Extent = Annotated[float, Field(gt=0, le=65535, allow_inf_nan=False)]

MAX_MARKS: Final = 10_000
MAX_BOXES: Final = 500
MAX_REASON: Final = 2000
STRICT: Final = ConfigDict(extra="forbid", strict=True)


class SliceMark(BaseModel):
    """A label is, or is not, on a slice."""

    model_config = STRICT
    sop_instance_uid: Uid
    label: Label
    present: bool


class BoxMark(BaseModel):
    """Where a label is: rows [top, top + height) and columns [left, left + width) of a slice, pixels."""

    model_config = STRICT
    sop_instance_uid: Uid
    label: Label
    top: Pixel
    left: Pixel
    height: Extent
    width: Extent


class Told(BaseModel):
    """What a person says of the current result of a study."""

    model_config = STRICT
    result_id: Annotated[int, Field(ge=1, le=LARGEST_ID, description="of the result that was looked at")]
    verdicts: dict[Label, Verdict] = Field(default_factory=dict, description='"present" and "absent" say it outright')
    states: dict[Label, State] = Field(default_factory=dict, description="what was shown beside the verdicts")
    slices: Annotated[list[SliceMark], Field(max_length=MAX_MARKS)] = Field(default_factory=list)
    boxes: Annotated[list[BoxMark], Field(max_length=MAX_BOXES)] = Field(default_factory=list)
    reason: Annotated[str, Field(max_length=MAX_REASON, description="for people; no patient data, please")] = ""

    @field_validator("reason")
    @classmethod
    def _plain_text(cls, value: str) -> str:
        """Text that every database and browser can hold: no control characters, no lone surrogates."""
        if any(unicodedata.category(c) in ("Cc", "Cs") and c not in "\n\t" for c in value.replace("\r\n", "\n")):
            raise ValueError("expected plain text, found control characters")
        return value.replace("\r\n", "\n").strip()
