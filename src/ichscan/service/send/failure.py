"""What a delivery ends with when it did not arrive."""

from typing import ClassVar

from ichscan.errors import OutputError


class DeliveryError(OutputError):
    """Not delivered, or not wholly. The message names the receiver, never a patient.

    Attributes:
        permanent: trying again would not help.
    """

    exit_code: ClassVar[int] = 4

    def __init__(self, message: str, *, permanent: bool = False) -> None:
        super().__init__(message)
        self.permanent = permanent
