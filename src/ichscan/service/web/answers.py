"""What each route may answer besides its own, for the OpenAPI document."""

from typing import Any, Final

from pydantic import BaseModel


class Problem(BaseModel):
    """Why not."""

    detail: str


def _answers(*statuses: int) -> dict[int | str, dict[str, Any]]:
    return {status: {"model": Problem} for status in statuses}


OPEN: Final = _answers(400, 408, 413, 422, 429, 503)
KNOWN: Final = OPEN | _answers(401, 403)
OF_STUDY: Final = KNOWN | _answers(404, 409)
"""409: what is asked for does not fit the state of the study."""
