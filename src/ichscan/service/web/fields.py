"""Types of what comes in: bounded, and nothing that a database or a log cannot hold."""

from typing import Annotated, Literal

from fastapi import Path, Query
from pydantic import AfterValidator, StringConstraints

LARGEST_ID = 2**31 - 1


def _storable(text: str) -> str:
    """PostgreSQL has no NUL; UTF-8 has no surrogates."""
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("expected text without NUL and surrogates")
    return text


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._@-]+$", min_length=1, max_length=64)]
Password = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_storable)]
Text = Annotated[str, StringConstraints(max_length=2000), AfterValidator(_storable)]
Role = Literal["reader", "administrator"]
Scope = Literal["store", "read", "metrics"]
Id = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Number = Annotated[int, Path(ge=0, le=100_000)]
Limit = Annotated[int, Query(ge=1, le=1000)]
Offset = Annotated[int, Query(ge=0, le=LARGEST_ID)]
