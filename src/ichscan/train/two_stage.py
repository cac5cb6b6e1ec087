"""Two stages: is there blood, and of which type (asked for by Shah 2025, section 5); and the 4-class variant.

The second stage is trained on hemorrhagic slices alone ("each input image contained at least one hemorrhage"), so its
outputs are P(type | any). With the detector's P(any), P(type) = P(any) P(type | any).
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import DataError, UsageError
from ichscan.labels import ANY, LABELS, TYPES
from ichscan.types import Float64

FOUR_TYPES: Final = TYPES[1:]
"""Shah 2025, model 3: without epidural."""
RULES: Final = ("product", "gate")


def typing_rows(labels: NDArray[np.uint8], types: Sequence[str] = TYPES) -> NDArray[np.bool_]:
    """Which slices teach the second stage: labels uint8 (n, 6) -> bool (n,).

    Slices with at least one type; a slice with a type that the model does not know is removed (Shah 2025, section 3.1:
    "any slices with epidural hemorrhage were removed"). Unknown labels (255) exclude a slice.
    """
    known = type_columns(types)
    others = [c for c in range(ANY) if c not in known]
    rows = labels[:, :ANY]
    return np.asarray((rows == 1).any(axis=1) & (rows <= 1).all(axis=1) & ~(rows[:, others] == 1).any(axis=1))


def type_columns(types: Sequence[str]) -> list[int]:
    """Columns of the types in the order of `ichscan.labels.LABELS`; UsageError for what is no type."""
    wrong = [t for t in types if t not in TYPES]
    if wrong or not types or len(set(types)) != len(types):
        raise UsageError(f"types: expected different ones of {TYPES}, found {list(types)}")
    return [LABELS.index(t) for t in types]


def detect_then_type(
    detector: Float64,
    typing: Float64,
    types: Sequence[str] = TYPES,
    rule: str = "product",
    threshold: float = 0.5,
) -> Float64:
    """Joins both stages into the six labels.

    Args:
        detector: float64 (n,), probability of `any`.
        typing: float64 (n, len(types)), probability of each type given that there is blood.
        types: what the columns of `typing` are; absent types get probability 0.
        rule: "product": P(any) P(type | any). "gate": P(type | any) where P(any) >= threshold, otherwise the product,
            so that a type is decided by the second stage alone once blood is found.
        threshold: of the gate.

    Returns:
        float64 (n, 6) in the order of `ichscan.labels.LABELS`; `any` is the detector's.
    """
    columns = type_columns(types)
    if rule not in RULES:
        raise UsageError(f"two-stage rule: expected one of {RULES}, found {rule!r}")
    if detector.ndim != 1 or typing.shape != (len(detector), len(columns)):
        raise DataError(
            f"two-stage: expected detector (n,) and typing (n, {len(columns)}), "
            f"found {detector.shape} and {typing.shape}"
        )
    for name, values in (("detector", detector), ("typing", typing)):
        if not ((values >= 0) & (values <= 1)).all():
            raise DataError(f"two-stage: {name} holds values outside [0, 1] or NaN")
    joint = detector[:, None] * typing
    if rule == "gate":
        joint = np.where(detector[:, None] >= threshold, typing, joint)
    out = np.zeros((len(detector), len(LABELS)))
    out[:, columns] = joint
    out[:, ANY] = detector
    return out
