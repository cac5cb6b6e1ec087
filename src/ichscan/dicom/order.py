"""Puts slices in order, from inferior to superior, and reports what is irregular about them."""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from ichscan.dicom.choose import is_bone
from ichscan.dicom.header import Instance
from ichscan.dicom.refusal import normal
from ichscan.errors import GeometryError
from ichscan.types import Float64

SAME_PLACE_MM: Final = 0.05
GAP: Final = 1.5
ASSUMED_MM: Final = 5.0
TILTED_DEG: Final = 1.0


@dataclass(frozen=True, slots=True)
class Ordered:
    """Slices from inferior to superior.

    Attributes:
        positions_mm: float64 (slices,), ascending.
        tilt_deg: angle between slice normal and the patient's long axis.
        warnings: one sentence each.
    """

    instances: tuple[Instance, ...]
    positions_mm: Float64
    tilt_deg: float
    warnings: tuple[str, ...]


def in_order(instances: tuple[Instance, ...]) -> Ordered:
    """Orders by the projection of Image Position (Patient) on the slice normal; never by file name.

    Where geometry is absent Instance Number (0020,0013) is used, with a warning.

    Raises:
        GeometryError: geometry present but absurd, or neither geometry nor distinct Instance Numbers.
    """
    for instance in instances:
        if instance.geometry_fault is not None:
            raise GeometryError(f"{instance.source.name}: {instance.geometry_fault}")
    if any(instance.position is None for instance in instances):
        return _by_number(instances)
    return _by_position(instances)


def _by_position(instances: tuple[Instance, ...]) -> Ordered:
    notes: list[str] = []
    orientation = instances[0].orientation
    if orientation is None:
        orientation = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)
        notes.append("Image Orientation (Patient) (0020,0037) is absent: taken for axial.")
    elif not (orientation[0] > 0 and orientation[4] > 0):
        notes.append(
            "The image is not in the usual position (left of the patient at the right, face up): it was turned for the "
            "model."
        )
    axis = normal(orientation)
    along: Float64 = np.array([instance.position for instance in instances], dtype=np.float64) @ axis
    tilt = math.degrees(math.acos(min(1.0, abs(float(axis[2])))))
    if tilt > TILTED_DEG:
        notes.append(f"Slices are tilted by {tilt:.1f} degrees: kept as acquired.")
    chosen, copies = _without_duplicates(instances, along)
    if copies:
        notes.append(
            f"{copies} slices share the position of another one: of each place the lossless, then the soft-tissue "
            "kernel, then the latest acquired, then the one with the highest Instance Number is kept."
        )
    positions: Float64 = along[chosen]
    kept = tuple(instances[index] for index in chosen)
    return Ordered(kept, positions, tilt, (*notes, *_irregularities(kept, positions)))


def _by_number(instances: tuple[Instance, ...]) -> Ordered:
    numbers = [instance.instance_number for instance in instances]
    if None in numbers or len(set(numbers)) < len(numbers):
        raise GeometryError(
            f"{instances[0].source.name}: Image Position (Patient) (0020,0032) is absent, and Instance Number "
            "(0020,0013) is absent or repeated: the slices cannot be put in order; export the series again"
        )
    kept = tuple(sorted(instances, key=lambda instance: instance.instance_number or 0))
    step = kept[0].thickness_mm or ASSUMED_MM
    note = (
        "Image Position (Patient) (0020,0032) is absent: slices are ordered by Instance Number (0020,0013), "
        f"assumed {step:g} mm apart; the order may be upside down."
    )
    return Ordered(kept, np.arange(len(kept), dtype=np.float64) * step, 0.0, (note,))


def _without_duplicates(instances: tuple[Instance, ...], along: Float64) -> tuple[list[int], int]:
    """Indices in ascending position with one slice per place, and how many were left out."""
    order = sorted(range(len(instances)), key=lambda i: (float(along[i]), *_preference(instances[i])))
    chosen: list[int] = []
    for index in order:
        if chosen and along[index] - along[chosen[-1]] < SAME_PLACE_MM:
            if _preference(instances[index]) > _preference(instances[chosen[-1]]):
                chosen[-1] = index
        else:
            chosen.append(index)
    return chosen, len(instances) - len(chosen)


def _preference(instance: Instance) -> tuple[object, ...]:
    """The greater is kept. Ends with facts that only differ between copies of one image."""
    pixels = instance.pixels
    return (
        not pixels.lossy, not is_bone(instance), instance.acquired, instance.instance_number or 0, instance.sop_uid,
        pixels.transfer_syntax, instance.source.size, pixels.offset or 0,
    )  # fmt: skip


def gaps(positions_mm: Float64) -> tuple[int, ...]:
    """Indices i where the distance from slice i to i+1 exceeds 1.5 times the median distance."""
    if len(positions_mm) < 3:
        return ()
    steps = np.diff(positions_mm)
    return tuple(int(i) for i in np.flatnonzero(steps > GAP * np.median(steps)))


def _irregularities(instances: tuple[Instance, ...], positions: Float64) -> list[str]:
    if len(instances) < 3:
        return []
    notes: list[str] = []
    steps = np.diff(positions)
    thickness = sorted({round(i.thickness_mm, 2) for i in instances if i.thickness_mm})
    mixed = len(thickness) > 1 and thickness[-1] > 1.1 * thickness[0]
    if mixed:
        notes.append(
            f"Slice thickness varies ({thickness[0]:g} to {thickness[-1]:g} mm): kept as acquired, not resampled."
        )
    # A wider step between thick slices is no gap: compare with the thickness at the place too.
    local = np.array([instances[i].thickness_mm or 0.0 for i in range(len(steps))])
    local = np.maximum(local, [instances[i + 1].thickness_mm or 0.0 for i in range(len(steps))])
    missing = np.flatnonzero(steps > GAP * np.maximum(np.median(steps), local if mixed else 0.0))
    if len(missing):
        shown = ", ".join(f"{steps[i]:.1f} mm after slice {i + 1}" for i in missing[:3])
        places = "1 place" if len(missing) == 1 else f"{len(missing)} places"
        notes.append(f"Slices are missing at {places} ({shown}): what lies there is not judged.")
    elif not mixed and float(steps.max() - steps.min()) > 0.1 * float(np.median(steps)):
        notes.append(f"Irregular slice distance, {steps.min():.2f} to {steps.max():.2f} mm: kept as acquired.")
    return notes
