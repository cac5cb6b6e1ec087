"""Series: the stacks of slices found, each with the reason why it is not analysed, or None."""

from dataclasses import dataclass, field
from pathlib import Path

from ichscan.dicom.header import Instance
from ichscan.dicom.source import Source


@dataclass(frozen=True, slots=True)
class WindowedImages:
    """8-bit pictures of slices in one declared window, in slice order.

    Attributes:
        positions_mm: per slice, assumed.
        window: (centre, width) in HU.
    """

    sources: tuple[Source, ...]
    positions_mm: tuple[float, ...]
    window: tuple[float, float]


@dataclass(frozen=True, slots=True)
class NiftiFile:
    """A NIfTI volume, plain or gzipped."""

    source: Source


Content = tuple[Instance, ...] | WindowedImages | NiftiFile


@dataclass(frozen=True, slots=True)
class Series:
    """One stack of slices that belong together.

    A DICOM series that mixes planes, frames of reference or matrix sizes is several of these, with the same
    `series_instance_uid`.

    Attributes:
        description: for people: modality, series description, matrix. Holds no patient data.
        slices: number of images.
        reason: None when the series is to be analysed, otherwise one sentence saying why not.
        warnings: one sentence each.
        instances: what `load_volume` reads; of no concern to callers.
    """

    study_instance_uid: str
    series_instance_uid: str
    description: str
    slices: int
    reason: str | None
    warnings: tuple[str, ...]
    instances: Content = field(repr=False)

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files of this series, sorted."""
        content = self.instances
        if isinstance(content, NiftiFile):
            return (content.source.name,)
        sources = content.sources if isinstance(content, WindowedImages) else tuple(i.source for i in content)
        return tuple(sorted({source.name for source in sources}))


@dataclass(frozen=True, slots=True)
class Intake:
    """Everything found in what the caller gave.

    Attributes:
        series: all, chosen or not, in an order that does not depend on file names.
        files_seen: files, counting each member of an archive.
        not_dicom: files that are no image of any kind that ichscan reads.
        problems: one sentence per file that could not be read.
        results: objects that ichscan made of earlier analyses; they are no source of another one.
    """

    series: tuple[Series, ...]
    files_seen: int
    not_dicom: int
    problems: tuple[str, ...]
    results: int = 0

    @property
    def chosen(self) -> tuple[Series, ...]:
        """The series to analyse."""
        return tuple(series for series in self.series if series.reason is None)


PathOrBytes = Path | bytes
