"""One finding of the doctor."""

from dataclasses import dataclass
from enum import StrEnum

from ichscan.errors import IchscanError


class State(StrEnum):
    """OK; ADVICE = works, could be better; FAILED = scans cannot be analysed, or not all of them."""

    OK = "ok"
    ADVICE = "advice"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Check:
    """What was looked at, what was found, and what to do ("" when nothing)."""

    name: str
    state: State
    found: str
    advice: str = ""
    exit_code: int = IchscanError.exit_code
