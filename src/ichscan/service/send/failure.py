"""What a delivery ends with when it did not arrive."""

from typing import ClassVar

from ichscan.errors import OutputError


class DeliveryError(OutputError):
    """Not delivered, or not wholly; to be tried again. The message names the receiver, never a patient."""

    exit_code: ClassVar[int] = 4
