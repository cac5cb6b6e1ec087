"""Sockets of callers, plain and TLS, which read as `ichscan.service.node.framing` does."""

import errno
import socket
import ssl
from typing import TYPE_CHECKING, Any, Final

from ichscan.service.node.framing import Framing, Limits

if TYPE_CHECKING:
    from socket import socket as _Base
else:
    _Base = object

_GONE: Final = (errno.ENOTCONN, errno.EBADF)


class Connection(_Base):
    """What both kinds have in common. Until `watch` is called they are like any socket."""

    framing: Framing | None = None

    def watch(self, limits: Limits, caller: str) -> None:
        """From now on units are read whole and within limits. `caller` is its address, for the log."""
        self.settimeout(limits.unit_s)
        self.framing = Framing(self, limits, caller)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Of the unit that is being read; see `Framing.take`."""
        return self.framing.take(buflen) if self.framing else super().recv(buflen, flags)

    def send(self, data: Any, flags: int = 0) -> int:
        """Sends; what was received until now is done with."""
        if self.framing:
            self.framing.answered()
        sent: int = super().send(data, flags)
        return sent

    def shutdown(self, how: int) -> None:
        """As of any socket, but no error when the caller was first: pynetdicom would then not close it."""
        try:
            super().shutdown(how)
        except OSError as error:
            if error.errno not in _GONE:
                raise

    def close(self) -> None:
        """Closes; what was received is done with."""
        if self.framing:
            self.framing.answered()
        super().close()


class PlainConnection(Connection, socket.socket):
    """A TCP connection."""


class SecureConnection(Connection, ssl.SSLSocket):
    """A TLS connection, made by an `SSLContext` whose `sslsocket_class` this is."""


def plain(accepted: socket.socket) -> PlainConnection:
    """The same connection; `accepted` is used up."""
    return PlainConnection(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
