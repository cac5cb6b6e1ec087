"""Draw the parameters of a bleed, and apply them: two steps, so that a bleed can be stored, shown and repeated."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ichscan.errors import NotAnalysableError, UsageError
from ichscan.labels import TYPES
from ichscan.simulate import epidural, intraparenchymal, intraventricular, subarachnoid, subdural
from ichscan.simulate.blend import blend
from ichscan.simulate.epidural import Epidural
from ichscan.simulate.head import Head, prepare
from ichscan.simulate.intraparenchymal import Intraparenchymal
from ichscan.simulate.intraventricular import Intraventricular
from ichscan.simulate.subarachnoid import Subarachnoid
from ichscan.simulate.subdural import Subdural
from ichscan.types import Float64, Int16

Parameters = Epidural | Intraparenchymal | Intraventricular | Subarachnoid | Subdural

BLEEDS: Final = TYPES
"""The kinds that can be simulated, in label order."""

_DRAW: Final[dict[str, Callable[[Head, np.random.Generator], Parameters]]] = {
    "epidural": epidural.draw,
    "intraparenchymal": intraparenchymal.draw,
    "intraventricular": intraventricular.draw,
    "subarachnoid": subarachnoid.draw,
    "subdural": subdural.draw,
}
_KIND: Final = {
    Epidural: "epidural",
    Intraparenchymal: "intraparenchymal",
    Intraventricular: "intraventricular",
    Subarachnoid: "subarachnoid",
    Subdural: "subdural",
}
_ATTEMPTS: Final = 5
_LEAST_ML: Final = 0.1


@dataclass(frozen=True, slots=True)
class Simulated:
    """A head with one simulated bleed.

    Attributes:
        hu: int16 (slices, rows, cols), Hounsfield units.
        mask: bool, shape of hu: the blood (without oedema).
        kind: one of `BLEEDS`.
    """

    hu: Int16
    mask: NDArray[np.bool_]
    kind: str


def draw(head: Head, kind: str, rng: np.random.Generator) -> Parameters:
    """Draw the parameters of a bleed of `kind` for this head.

    Raises:
        UsageError: no such kind.
        NotAnalysableError: the head lacks the anatomy, for example ventricles.
    """
    if kind not in _DRAW:
        raise UsageError(f"simulate: expected a kind out of {', '.join(BLEEDS)}, found {kind!r}")
    return _DRAW[kind](head, rng)


def apply(head: Head, parameters: Parameters) -> Simulated:
    """Set the bleed into the head. The same head and parameters give the same voxels.

    Raises:
        NotAnalysableError: less than 0.1 ml of blood came out, for example a sulcus too thin for the grid.
    """
    kind = _KIND[type(parameters)]
    match parameters:
        case Epidural():
            hu, mask = blend(head, epidural.opacity(head, parameters), parameters.hu, smooth_mm=0.9)
        case Subdural():
            hu, mask = blend(head, subdural.opacity(head, parameters), parameters.hu, smooth_mm=0.9)
        case Intraparenchymal():
            rim = intraparenchymal.oedema(head, parameters)
            blood = intraparenchymal.opacity(head, parameters)
            hu, mask = blend(head, blood, parameters.hu, smooth_mm=1.5, rim=rim, rim_hu=parameters.oedema_hu)
        case Intraventricular():
            hu, mask = blend(head, intraventricular.opacity(head, parameters), parameters.hu, smooth_mm=1.2)
        case Subarachnoid():
            hu, mask = blend(head, subarachnoid.opacity(head, parameters), parameters.hu, smooth_mm=0.8)
    millilitres = float((mask.sum(axis=(1, 2)) * head.thickness_mm).sum()) * _pixel_mm2(head) / 1000.0
    if millilitres < _LEAST_ML:
        raise NotAnalysableError(f"simulate: expected {_LEAST_ML} ml of {kind} blood or more, got {millilitres:.2f} ml")
    return Simulated(hu, mask, kind)


def simulate(
    hu: Int16, spacing_mm: tuple[float, float], positions_mm: Float64, kind: str, rng: np.random.Generator
) -> Simulated:
    """Set one random bleed of `kind` into a healthy head CT.

    Args:
        hu: int16 (slices, rows, cols), Hounsfield units; slices from inferior to superior, rows from anterior to
            posterior. Not changed.
        spacing_mm: (row spacing, column spacing), PixelSpacing (0028,0030).
        positions_mm: float64 (slices,), ascending.
        kind: one of `BLEEDS`.
        rng: everything random comes from it.

    Returns:
        The head with the bleed, and the mask of the blood.

    Raises:
        UsageError: no such kind.
        NotAnalysableError: no head, or it lacks the anatomy (no ventricles found, no sulci).
    """
    head = prepare(hu, spacing_mm, positions_mm)
    for _ in range(_ATTEMPTS - 1):
        try:
            return apply(head, draw(head, kind, rng))
        except NotAnalysableError:
            continue
    return apply(head, draw(head, kind, rng))


def _pixel_mm2(head: Head) -> float:
    grid, full = head.grid_hu.shape, head.hu.shape
    return float(head.pitch[0] * head.pitch[1] * (grid[1] * grid[2]) / (full[1] * full[2]))
