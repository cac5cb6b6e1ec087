"""Stored values to Hounsfield units (PS3.3 C.11.1 and C.7.6.3; padding C.7.5.1.1.2)."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ichscan.dicom.header import Instance
from ichscan.types import Int16

AIR: Final = -1000
LOWEST: Final = -1024
HIGHEST: Final = 32767
TISSUE: Final = -500
"""A padding value above this is a value that tissue has too: it is left alone."""

WRAP_SHIFT: Final = 1000
WRAP: Final = 4096

WRAPPED: Final = "12-bit values had wrapped around at 4096 (known of RSNA 2019 files): repaired."
NO_RESCALE: Final = "Rescale Slope or Intercept (0028,1053 and 0028,1052) is absent: guessed as {0:g} and {1:g}."
PADDED_TISSUE: Final = "Pixel Padding Value (0028,0120) lies in the range of tissue: left as it is."
INVERTED: Final = "MONOCHROME1 with a rescale to HU: display is inverted, values are used as they are."


@dataclass(frozen=True, slots=True)
class Converted:
    """HU of one slice, int16 (rows, cols), and what had to be assumed or repaired."""

    hu: Int16
    notes: tuple[str, ...]


def to_hu(raw: NDArray[Any], instance: Instance) -> Converted:
    """Converts decoded pixels to HU: int16 (rows, cols), padding and anything below -1024 becomes air (-1000).

    Args:
        raw: integers (rows, cols) as the decoder returned them, before bits outside Bits Stored are dealt with.
        instance: the header facts of the slice.
    """
    notes: list[str] = []
    padded = _padding_mask(raw, instance)
    stored = _significant(raw, instance)
    slope, intercept = _rescale(stored, instance, notes)
    if _may_wrap(instance, intercept) and int(stored.max()) >= WRAP - WRAP_SHIFT:
        stored = (stored + WRAP_SHIFT) % WRAP - WRAP_SHIFT
        notes.append(WRAPPED)
    hu = _rescaled(stored, slope, intercept)
    if padded is not None:
        if instance.padding is not None and bool((hu[padded] > TISSUE).any()):
            notes.append(PADDED_TISSUE)
        else:
            hu[padded] = AIR
    if instance.pixels.photometric == "MONOCHROME1":
        notes.append(INVERTED)
    return Converted(hu, tuple(notes))


def _rescaled(stored: NDArray[np.int32], slope: float, intercept: float) -> Int16:
    if slope == 1 and intercept == int(intercept):
        values = stored + np.int32(intercept)
    else:
        values = np.rint(np.clip(stored * slope + intercept, LOWEST - 1, HIGHEST)).astype(np.int32)
    if int(values.min()) < LOWEST:
        values[values < LOWEST] = AIR
    result: Int16 = np.minimum(values, HIGHEST, out=values).astype(np.int16)
    return result


def _padding_mask(raw: NDArray[Any], instance: Instance) -> NDArray[np.bool_] | None:
    if instance.padding is None:
        return None
    # Unsigned and signed readings of the padding value are both met, for example 63536 and -2000.
    bits = 8 * raw.dtype.itemsize
    same = raw == np.array(instance.padding % (1 << bits), dtype=f"u{raw.dtype.itemsize}").astype(raw.dtype)
    return same if bool(same.any()) else None


def _significant(raw: NDArray[Any], instance: Instance) -> NDArray[np.int32]:
    """Stored values proper: the bits from High Bit down, sign extended, bits of old overlays removed (C.7.6.3.1)."""
    pixels = instance.pixels
    values = raw.astype(np.int32)
    shift = pixels.high_bit + 1 - pixels.bits_stored
    if shift > 0:
        values >>= shift
    bits = pixels.bits_stored
    if bits >= 32:
        return values
    low, high = (-(1 << (bits - 1)), 1 << (bits - 1)) if pixels.signed else (0, 1 << bits)
    smallest, largest = int(values.min()), int(values.max())
    if low <= smallest and largest < high:
        return values
    return _folded(values, bits, pixels.signed)


def _folded(values: NDArray[np.int32], bits: int, signed: bool) -> NDArray[np.int32]:
    """Brings values outside of the stored range back into it, except padding below the range, which stays negative."""
    if signed:
        inside = values & ((1 << bits) - 1)
        inside[inside >= 1 << (bits - 1)] -= 1 << bits
        return np.where(values < -(1 << (bits - 1)), values, inside).astype(np.int32)
    # An unsigned file with a sign-extended 16-bit padding value, such as 63536 for -2000.
    negative = (values < 0) | (values >= 65536 - 4096) if bits < 15 else values < 0
    return np.where(negative, LOWEST * 8, values & ((1 << bits) - 1)).astype(np.int32)


def _rescale(stored: NDArray[np.int32], instance: Instance, notes: list[str]) -> tuple[float, float]:
    slope, intercept = instance.slope, instance.intercept
    if slope is not None and slope != 0 and intercept is not None:
        return slope, intercept
    # Without rescale, values that never go below zero must still hold air: they start at -1024.
    guessed = 0.0 if int(stored.min()) < LOWEST / 2 else float(LOWEST)
    slope, intercept = slope or 1.0, guessed if intercept is None else intercept
    notes.append(NO_RESCALE.format(slope, intercept))
    return slope, intercept


def _may_wrap(instance: Instance, intercept: float) -> bool:
    pixels = instance.pixels
    return pixels.bits_stored == 12 and not pixels.signed and intercept > -100 and (instance.slope or 1.0) == 1.0
