"""UIDs that callers name in paths (PS3.5 section 9.1)."""

import re
from typing import Annotated, Final

from fastapi import HTTPException, Path
from pydantic import AfterValidator

PATTERN: Final = r"^[0-9]+(\.[0-9]+)*$"
LONGEST: Final = 64
_UID: Final = re.compile(r"[0-9]+(\.[0-9]+)*")


def is_uid(text: str) -> bool:
    """Whether a text is a UID; components with leading zeros, which some devices make, are let pass."""
    return len(text) <= LONGEST and _UID.fullmatch(text) is not None


def _checked(text: str) -> str:
    if not is_uid(text):
        raise HTTPException(
            400,
            f"UID in the path: expected digits and dots, at most {LONGEST}, found something else (PS3.5 section 9.1)",
        )
    return text


Uid = Annotated[
    str,
    Path(json_schema_extra={"pattern": PATTERN, "minLength": 1, "maxLength": LONGEST}),
    AfterValidator(_checked),
]
"""A UID of a path; anything else is answered with 400."""
