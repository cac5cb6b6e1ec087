"""Why a single image is no axial slice of a head CT: one plain sentence, or None."""

import re
from typing import Final

import numpy as np

from ichscan.dicom.header import Cosines, Instance, PixelFormat

MAX_SIDE: Final = 4096
MIN_SIDE: Final = 64
MAX_FRAMES: Final = 10_000
AXIAL_COSINE: Final = 0.7  # 45 degrees: head scans are tilted by up to about 30

CT_CLASSES: Final = {"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"}
SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"

_LOCALIZER: Final = re.compile(r"LOCALI[SZ]ER|SCOUT|SURVIEW|TOPOGRAM|SCANOGRAM|PILOT", re.I)
_CAPTURE_TOKENS: Final = {
    "SCREEN SAVE",
    "SCREEN",
    "SCREENSHOT",
    "PATIENT_INFO",
    "DOSE_INFO",
    "DOSE",
    "REPORT",
    "POSDISP",
}
_MAP_TOKENS: Final = {
    "PERFUSION", "RCBF", "RCBV", "CBF", "CBV", "MTT", "TTP", "TMAX", "MIP", "MINIP", "MAX_IP", "MIN_IP", "VRT",
    "VOLUME RENDERING", "VOLREN", "3D", "3D RENDERING", "MATERIAL", "IODINE", "CALCIUM_SCORING", "BLACK_IMAGE",
}  # fmt: skip
_HEAD: Final = re.compile(
    r"HEAD|BRAIN|SKULL|NEURO|CRANI|CEREB|ENCEPH|CEPHAL|KOPF|SCH(AE|Ä)DEL|SCHADEL|CR(Â|A)NE|T(Ê|E)TE|ORBIT|STROKE|\bICH\b",
    re.I,
)
_OTHER_PART: Final = re.compile(
    r"CHEST|THORAX|LUNG|ABD|PELVI|SPINE|NECK|LIVER|KIDNEY|CARDI|HEART|CORONARY|\bHIP|KNEE|FOOT|ANKLE|SHOULDER|"
    r"ELBOW|WRIST|HAND\b|EXTREM|FEMUR|TIBIA|COLON|BREAST|\bLEG|\bARM\b",
    re.I,
)


def refusal(instance: Instance) -> str | None:
    """The reason why this image is not analysed, or None. Optional attributes that are absent refuse nothing."""
    return (
        _wrong_kind(instance)
        or pixel_fault(instance.pixels)
        or _not_a_slice(instance)
        or _wrong_part(instance)
        or instance.geometry_fault
        or _wrong_plane(instance)
    )


def _wrong_kind(instance: Instance) -> str | None:
    modality, sop_class = instance.modality, instance.sop_class
    if modality == "SR" or sop_class.startswith("1.2.840.10008.5.1.4.1.1.88."):
        return "a structured report (for example a dose report), not images"
    if modality and modality != "CT":
        return f"modality is {modality[:16]}, only CT is analysed"
    if sop_class.startswith(SECONDARY_CAPTURE):
        return "a secondary capture (a picture of a screen or report), not CT slices"
    if not modality and sop_class not in CT_CLASSES and instance.intercept is None:
        return "Modality (0008,0060) is absent and nothing else says that this is CT"
    if sop_class and sop_class not in CT_CLASSES:
        return f"SOP class {sop_class[:64]} is not CT image storage"
    return None


def pixel_fault(pixels: PixelFormat) -> str | None:
    """What keeps the pixel data from being read as slices, before anything is allocated for it; None if nothing."""
    if pixels.offset is None:
        return "no Pixel Data (7FE0,0010): the file is truncated or holds no image"
    if pixels.samples != 1 or pixels.photometric not in ("MONOCHROME1", "MONOCHROME2"):
        return f"a colour picture ({pixels.photometric[:16]}), not CT slices"
    if not (MIN_SIDE <= pixels.rows <= MAX_SIDE and MIN_SIDE <= pixels.columns <= MAX_SIDE):
        return (
            f"Rows x Columns (0028,0010 and 0028,0011) claim {pixels.rows} x {pixels.columns}, "
            f"expected {MIN_SIDE} to {MAX_SIDE} each"
        )
    if pixels.frames > MAX_FRAMES:
        return f"Number of Frames (0028,0008) claims {pixels.frames}, at most {MAX_FRAMES} are accepted"
    if (
        pixels.bits_allocated not in (8, 16, 32)
        or not 0 < pixels.bits_stored <= pixels.high_bit + 1 <= pixels.bits_allocated
    ):
        return (
            f"Bits Allocated, Bits Stored and High Bit (0028,0100 to 0028,0102) are {pixels.bits_allocated}, "
            f"{pixels.bits_stored} and {pixels.high_bit}, expected 8, 16 or 32 bits that hold the stored ones"
        )
    return None


def _not_a_slice(instance: Instance) -> str | None:
    tokens = set(instance.tokens)
    if any(_LOCALIZER.search(token) for token in tokens) or _LOCALIZER.search(instance.series_description):
        return "a localizer (scout), not axial slices"
    if captures := sorted(tokens & _CAPTURE_TOKENS):
        return f"a screen capture or dose page (Image Type {captures[0]}), not CT slices"
    if maps := sorted(tokens & _MAP_TOKENS):
        return f"a derived map or projection (Image Type {maps[0]}), not CT slices"
    return None


def _wrong_part(instance: Instance) -> str | None:
    if _HEAD.search(instance.body_part) or _HEAD.search(instance.series_description):
        return None
    if _OTHER_PART.search(instance.body_part):
        return f"body part is {instance.body_part[:32]}, only the head is analysed"
    # The series is more specific than the study: a head study often holds a series of the neck.
    found = _OTHER_PART.search(instance.series_description)
    if found is None and not _HEAD.search(instance.study_description):
        found = _OTHER_PART.search(instance.study_description)
    return f"the description says {found.group().lower()}, only the head is analysed" if found else None


def _wrong_plane(instance: Instance) -> str | None:
    if instance.orientation is None:
        return None
    sagittal, coronal, axial = (abs(float(v)) for v in normal(instance.orientation))
    if axial >= AXIAL_COSINE:
        return None
    plane = "coronal" if coronal >= AXIAL_COSINE else "sagittal" if sagittal >= AXIAL_COSINE else "oblique"
    return f"a {plane} reformat, only axial slices are analysed"


def normal(orientation: Cosines) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    """Unit normal of the slice plane in LPS, float64 (3,), pointing to the head (PS3.3 C.7.6.2.1.1)."""
    vector = np.cross(orientation[:3], orientation[3:]).astype(np.float64)
    vector /= np.linalg.norm(vector)
    return vector if vector[2] >= 0 else -vector
