"""Every error that ichscan raises on purpose, and the exit code that the command line gives it.

    IchscanError                     1
    ├── UsageError                   2   wrong arguments, unknown option or recipe key
    ├── InputError                   1   what was given cannot be analysed
    │   ├── NotDicomError                not a DICOM file
    │   ├── UnreadableFileError          truncated, no permission, broken archive
    │   ├── PixelError                   pixel data absent, short, corrupt or in an unknown syntax
    │   ├── GeometryError                position, orientation or spacing absent or absurd
    │   └── NotAnalysableError           a readable series that is no head CT, or too small
    ├── BundleError                  3   model bundle missing, altered, or of an unknown schema
    ├── OutputError                  4   result cannot be written (disk full, permission)
    ├── DataError                    5   a labelled collection is inconsistent
    ├── MissingExtraError            6   an optional dependency is not installed
    └── TrainingError                1   a training cannot go on

Messages name the file, what was expected, what was found and what to do. They never hold patient
names, patient identifiers or birth dates.
"""

from typing import ClassVar


class IchscanError(Exception):
    """Base of all errors raised on purpose."""

    exit_code: ClassVar[int] = 1


class UsageError(IchscanError):
    """The caller asked for something that does not exist or contradicts itself."""

    exit_code = 2


class InputError(IchscanError):
    """What was given cannot be analysed; other inputs go on."""


class NotDicomError(InputError):
    """The bytes are not a DICOM data set."""


class UnreadableFileError(InputError):
    """The file exists but cannot be read: truncated, locked, broken archive."""


class PixelError(InputError):
    """Pixel data is absent, short, corrupt, or in a transfer syntax without decoder."""


class GeometryError(InputError):
    """Position, orientation or spacing is absent or absurd."""


class NotAnalysableError(InputError):
    """A readable series that is not an axial head CT, or is too small."""


class BundleError(IchscanError):
    """The model bundle is missing, altered, or of a schema this version does not know."""

    exit_code = 3


class OutputError(IchscanError):
    """A result could not be written; nothing half-written is left behind."""

    exit_code = 4


class DataError(IchscanError):
    """A labelled collection contradicts itself or its images."""

    exit_code = 5


class MissingExtraError(IchscanError):
    """An optional dependency is needed; the message names the extra to install."""

    exit_code = 6


class TrainingError(IchscanError):
    """A training cannot go on: its loss is no number, or there is nothing to learn from."""
