"""Takes connections: unknown addresses are closed before a byte is read, TLS is agreed on beside other callers."""

import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from typing import Any, Final

from pynetdicom.transport import ThreadedAssociationServer

from ichscan.service.node.callers import Callers, plain_address
from ichscan.service.node.connection import Connection, plain
from ichscan.service.node.framing import Limits

LOG: Final = logging.getLogger(__name__)
HANDSHAKE_S: Final = 10.0
"""For all of a TLS handshake."""
Refuse = Callable[[str, str, str], None]
"""Is told of a refusal: IP address, AE title ("" = not known yet) and reason."""


class NodeServer(ThreadedAssociationServer):
    """The listening socket. pynetdicom makes an association of every connection that gets through here."""

    request_queue_size = 64
    daemon_threads = True

    def __init__(
        self, *args: Any, callers: Callers, limits: Limits, connections: int, refuse: Refuse, **kwargs: Any
    ) -> None:
        """Takes at most `connections` at a time, associations and those that are about to be."""
        self._callers = callers
        self._limits = limits
        self._refuse = refuse
        self._most = connections
        self._starting = 0
        self._lock = threading.Lock()
        super().__init__(*args, **kwargs)

    def get_request(self) -> tuple[socket.socket, Any]:
        """The next connection; whatever takes time happens later, in its own thread."""
        accepted, address = self.socket.accept()  # type: ignore[union-attr]  # open while the server runs
        connection: Connection = plain(accepted)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection, address

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Whether there is room for one more."""
        with self._lock:
            room = self._starting + len(self.active_associations) < self._most
            self._starting += room
        if not room:
            self._refuse(client_address[0], "", f"more than {self._most} connections")
        return room

    def finish_request(self, request: Any, client_address: Any) -> None:
        """Checks the address, agrees on TLS and starts the association."""
        try:
            connection = self._admitted(request, client_address)
            if connection:
                connection.watch(self._limits, plain_address(client_address[0]))
                super().finish_request(connection, client_address)
        finally:
            with self._lock:
                self._starting -= 1

    def shutdown(self) -> None:
        """Takes no more connections; associations go on."""
        socketserver.BaseServer.shutdown(self)
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Something went wrong that nobody expected; the node goes on."""
        LOG.exception("DICOM connection of %s failed", plain_address(client_address[0]))

    def _admitted(self, request: Connection, client_address: Any) -> Connection | None:
        address = plain_address(client_address[0])
        if not self._callers.known_address(address):
            self._refuse(address, "", "no peer has this address")
            self.shutdown_request(request)
            return None
        if self.ssl_context is None:
            return request
        request.settimeout(HANDSHAKE_S)
        try:
            return self.ssl_context.wrap_socket(request, server_side=True)  # type: ignore[return-value]  # sslsocket_class
        except OSError as error:
            self._refuse(address, "", f"TLS could not be agreed on ({getattr(error, 'reason', None) or error})")
            self.shutdown_request(request)
            return None
