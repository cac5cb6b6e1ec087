"""Pictures of CT end at their display window; the model was trained on HU that do not."""

from typing import Final

import numpy as np

from ichscan.types import Int16

NO_AIR_HU: Final = -200
NO_BONE_HU: Final = 300
"""A head CT always holds air below and bone above these; a stack without either was cut off by a window."""
AIR_HU: Final = -1000
BONE_HU: Final = 1000
MARGIN_HU: Final = 2
"""Lossy pictures reach the end of the window only to about this."""


def unclip(hu: Int16) -> tuple[Int16, bool]:
    """Puts air at the lower and bone at the upper end of a stack that a display window cut off.

    Args:
        hu: int16 (slices, rows, cols), HU.

    Returns:
        The stack (the same object when it has both air and bone) and whether it was changed.
    """
    sparse = hu[:, ::4, ::4]
    low, high = int(sparse.min(initial=0)), int(sparse.max(initial=0))
    if low < NO_AIR_HU or high > NO_BONE_HU or high - low < 4 * MARGIN_HU:
        return hu, False
    out = np.where(hu <= low + MARGIN_HU, np.int16(AIR_HU), hu)
    return np.where(hu >= high - MARGIN_HU, np.int16(BONE_HU), out).astype(np.int16), True
