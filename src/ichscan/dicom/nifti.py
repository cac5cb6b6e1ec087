"""NIfTI-1 and -2 volumes in HU (nifti.nimh.nih.gov), plain or gzipped. Read with nibabel, imported when needed."""

import gzip
import struct
import warnings
import zlib
from io import BytesIO
from typing import Any, Final

import numpy as np

from ichscan.dicom.choose import MIN_SLICES
from ichscan.dicom.header import Cosines
from ichscan.dicom.hu import AIR, HIGHEST, LOWEST
from ichscan.dicom.order import gaps
from ichscan.dicom.refusal import AXIAL_COSINE, MAX_SIDE, MIN_SIDE, normal
from ichscan.dicom.series import NiftiFile, Series
from ichscan.dicom.source import Source
from ichscan.errors import GeometryError, NotAnalysableError, PixelError, UnreadableFileError
from ichscan.types import Int16, Volume

MAX_BYTES: Final = 2 << 30
NO_HEADER: Final = "NIfTI holds neither modality nor patient: taken for a head CT in HU."
_HEADER_SIZES: Final = (348, 540)
_MAGIC: Final = (b"n+1", b"n+2")


def is_nifti(name: str, head: bytes) -> bool:
    """Whether a file is NIfTI: by its header, or gzipped with a name that ends in .nii.gz."""
    if head[:2] == b"\x1f\x8b":
        return name.lower().endswith(".nii.gz")
    return len(head) >= 348 and _header_size(head) in _HEADER_SIZES and (head[344:347] in _MAGIC or head[4:7] in _MAGIC)


def _header_size(head: bytes) -> int:
    little, big = struct.unpack("<i", head[:4])[0], struct.unpack(">i", head[:4])[0]
    return int(little if little in _HEADER_SIZES else big)


def nifti_series(source: Source) -> Series:
    """The series of one NIfTI file, from its header.

    Raises:
        UnreadableFileError: broken header.
    """
    try:
        with source.open() as stream:
            plain: Any = gzip.GzipFile(fileobj=stream) if stream.read(2) == b"\x1f\x8b" else stream
            stream.seek(0)
            header = _parse(plain.read(540), source)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableFileError(f"{source.name}: cannot be read ({error})") from error
    shape = tuple(int(n) for n in header.get_data_shape())
    reason, slices = _reason(shape, header), shape[2] if len(shape) == 3 else 0
    description = f"NIfTI, {' x '.join(map(str, shape))}"
    return Series("", "", description, slices, reason, (NO_HEADER,) if reason is None else (), NiftiFile(source))


def _parse(head: bytes, source: Source) -> Any:
    import nibabel as nib

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind: Any = nib.Nifti2Header if _header_size(head) == 540 else nib.Nifti1Header
            return kind.from_fileobj(BytesIO(head))
    except (ValueError, TypeError, nib.spatialimages.HeaderDataError, struct.error) as error:
        raise UnreadableFileError(f"{source.name}: broken NIfTI header ({error}); export the file again") from error


def _reason(shape: tuple[int, ...], header: Any) -> str | None:
    if len(shape) != 3:
        return f"expected a volume of three dimensions, found {' x '.join(map(str, shape))}"
    if min(shape) < MIN_SLICES:
        return f"{min(shape)} slices: fewer than the {MIN_SLICES} that a scan needs"
    if max(shape) > MAX_SIDE or sorted(shape)[1] < MIN_SIDE or int(np.prod(shape, dtype=np.int64)) * 8 > 8 * MAX_BYTES:
        return f"claims {' x '.join(map(str, shape))} voxels, expected at most {MAX_SIDE} each and {MAX_BYTES:,} in all"
    if header.get_data_dtype().kind not in "iuf":
        return f"voxels are {header.get_data_dtype()}, expected numbers in HU"
    if int(header["sform_code"]) == 0 and int(header["qform_code"]) == 0:
        return "neither sform nor qform is set: up and down, left and right are unknown"
    return None


def load_nifti(series: Series, content: NiftiFile) -> Volume:
    """Reads a NIfTI volume and turns its axes to slices, rows (to posterior), columns (to left): flips, no resampling.

    Raises:
        PixelError: data shorter than the header says, or broken.
        GeometryError: no usable affine, or the slices are not axial.
        NotAnalysableError: the values are not HU.
    """
    import nibabel as nib

    source = content.source
    data = _plain(source)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            kind: Any = nib.Nifti2Image if _header_size(data[:348]) == 540 else nib.Nifti1Image
            canonical: Any = nib.as_closest_canonical
            image = canonical(kind.from_bytes(data))
            values = np.asarray(image.dataobj)
    except _broken() as error:
        raise PixelError(f"{source.name}: voxels cannot be read ({error}); export the file again") from error
    affine = np.asarray(image.affine, dtype=np.float64)
    if not np.isfinite(affine).all():
        raise GeometryError(f"{source.name}: the affine holds values that are not numbers; export the file again")
    return _volume(series, source, _hu(values, source), affine)


def _broken() -> tuple[type[Exception], ...]:
    import nibabel as nib

    return (
        ValueError, OSError, EOFError, MemoryError, np.linalg.LinAlgError,
        nib.spatialimages.HeaderDataError, nib.orientations.OrientationError,
    )  # fmt: skip


def _plain(source: Source) -> bytes:
    try:
        data = source.read()
        if data[:2] != b"\x1f\x8b":
            return data
        with gzip.GzipFile(fileobj=BytesIO(data)) as stream:
            plain = stream.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise PixelError(f"{source.name}: cannot be unpacked ({error}); copy or export the file again") from error
    if len(plain) > MAX_BYTES:
        raise PixelError(f"{source.name}: more than {MAX_BYTES:,} bytes unpacked; refused")
    return plain


def _hu(values: Any, source: Source) -> Int16:
    """int16 (slices, rows, cols) from an array (x to right, y to anterior, z to superior)."""
    if values.dtype.kind == "f":
        values = np.nan_to_num(values, nan=AIR, posinf=HIGHEST, neginf=AIR)
    if float(values.min()) >= 0 and float(values.max()) <= 255:
        raise NotAnalysableError(
            f"{source.name}: values are {values.min():g} to {values.max():g}, expected HU with air near -1000; "
            "export the volume without windowing"
        )
    clipped = np.rint(np.clip(values, LOWEST - 1, HIGHEST)).astype(np.int16)
    clipped[clipped < LOWEST] = AIR
    return np.ascontiguousarray(clipped[::-1, ::-1].transpose(2, 1, 0))


def _volume(series: Series, source: Source, hu: Int16, affine: "np.ndarray[Any, np.dtype[np.float64]]") -> Volume:
    slices, rows, cols = hu.shape
    ras_to_lps = np.diag([-1.0, -1.0, 1.0])
    step_x, step_y, step_z = (ras_to_lps @ affine[:3, axis] for axis in range(3))
    col_step, row_step = -step_x, -step_y  # both axes were flipped to run to the left and to the back
    lengths = [float(np.linalg.norm(step)) for step in (row_step, col_step, step_z)]
    if min(lengths) < 0.01 or max(lengths) > 20:
        raise GeometryError(f"{source.name}: voxels of {lengths} mm, expected 0.01 to 20; export the file again")
    corner = ras_to_lps @ affine[:3, 3] + (cols - 1) * step_x + (rows - 1) * step_y
    origins = corner + np.arange(slices)[:, None] * step_z
    orientation: Cosines = (*(col_step / lengths[1]).tolist(), *(row_step / lengths[0]).tolist())
    axis = normal(orientation)
    if axis[2] < AXIAL_COSINE:
        raise GeometryError(f"{source.name}: the slices are not axial; export an axial volume")
    positions = origins @ axis
    tilt = float(np.degrees(np.arccos(min(1.0, axis[2]))))
    return Volume(
        hu, positions, (lengths[0], lengths[1]), orientation, origins, ("",) * slices, (source.name,) * slices, "", "",
        tilt, gaps(positions), series.warnings,
    )  # fmt: skip
