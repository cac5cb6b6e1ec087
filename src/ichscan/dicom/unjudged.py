"""Warnings that say that a part of the head was not judged: "not found" then holds for the rest alone."""

from collections.abc import Iterable
from typing import Final

LEFT_OUT: Final = "Left out: "
"""Before the fault of a slice that cannot be read."""
MISSING: Final = "Slices are missing at "
"""Before the number of places where the series has a hole."""
SHORT: Final = "The slices cover "
"""Before the extent, mm, of a series that is shorter than a head."""


def unread(warnings: Iterable[str]) -> int:
    """Number of slices that were left out since they cannot be read."""
    return sum(warning.startswith(LEFT_OUT) for warning in warnings)


def not_covered(warnings: Iterable[str]) -> list[str]:
    """Those that say that the series does not show the whole head."""
    return [warning for warning in warnings if warning.startswith((MISSING, SHORT))]
