"""Tells systemd how the service is (sd_notify(3)); says nothing where nobody listens."""

import os
import socket


def notify(state: str) -> None:
    """Sends e.g. "READY=1" to the socket that the service manager named."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address or not hasattr(socket, "AF_UNIX"):
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as one:
        one.connect("\0" + address[1:] if address.startswith("@") else address)
        one.sendall(state.encode("utf-8"))
