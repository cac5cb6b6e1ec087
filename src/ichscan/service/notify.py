"""Tells systemd how the service is (sd_notify(3)); says nothing where nobody listens."""

import logging
import os
import socket
from typing import Final

LOG: Final = logging.getLogger(__name__)


def notify(state: str) -> None:
    """Sends e.g. "READY=1" to the socket that the service manager named."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
            one.connect("\0" + address[1:] if address.startswith("@") else address)
            one.sendall(state.encode("utf-8"))
    except OSError as error:  # no reason to stop working
        LOG.warning("the service manager cannot be told %s: %s", state, error.strerror)
