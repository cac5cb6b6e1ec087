"""Errors of the service, below `ichscan.errors.IchscanError`.

OutputError
├── FullError        no more images are taken: the disk or the limit is reached
└── DatabaseError    the database does not answer, or is not one of this version
IchscanError
└── LostError        a job belongs to another worker by now, or was outdated
"""

from ichscan.errors import IchscanError, OutputError


class FullError(OutputError):
    """No more images are taken; the sender is told (DICOM A700H, HTTP 507) and keeps them."""


class DatabaseError(OutputError):
    """The database does not answer (worth trying again), or its tables are not those of this version (`permanent`)."""

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent


class LostError(IchscanError):
    """A job is not this worker's any more; what it made of it is to be thrown away."""
