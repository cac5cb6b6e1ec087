"""The web process: uvicorn with bounds on what a connection may hold."""

import asyncio
import ssl
from socket import socket
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import func, select
from uvicorn import Config, Server
from uvicorn.protocols.http.h11_impl import H11Protocol

from ichscan.service.security.listening import check_listening
from ichscan.service.settings import Settings, WebSettings
from ichscan.service.tables import User
from ichscan.service.web.app import make_app
from ichscan.service.web.limits import network_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from ichscan.service.database import Database
    from ichscan.service.spool import Spool

HEAD_S: Final = 15.0
"""A request line and headers that take longer are not waited for."""
HEAD_BYTES: Final = 32 << 10
KEEP_ALIVE_S: Final = 20
STOP_S: Final = 5
CONNECTIONS: Final = 1024
PER_ADDRESS: Final = 128
"""A browser opens six; behind a proxy all callers share its address, and the proxy has to bound them."""


class BoundedProtocol(H11Protocol):
    """HTTP/1.1 that ends connections whose request does not come (slow loris), and too many of one address."""

    per_address: int = PER_ADDRESS
    head_s: float = HEAD_S
    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Counts the connections of the address; the clock starts with the first one."""
        super().connection_made(transport)
        if self._crowded():
            transport.abort()
            return
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """The clock runs from the first byte of a request until its headers are complete."""
        super().data_received(data)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stops the clock."""
        self._stop_timer()
        super().connection_lost(exc)

    def _await_head(self) -> None:
        import h11

        if self.conn.their_state is h11.IDLE and not self.transport.is_closing():
            if self._timer is None and self.timeout_keep_alive_task is None:
                self._timer = self.loop.call_later(self.head_s, self._too_slow)
        else:
            self._stop_timer()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if not self.transport.is_closing():
            self.transport.abort()

    def _crowded(self) -> bool:
        if len(self.connections) > CONNECTIONS:
            return True
        if not self.per_address or self.client is None:
            return False
        mine = network_of(self.client[0])
        others = (one.client for one in self.connections if isinstance(one, BoundedProtocol))
        return sum(one is not None and network_of(one[0]) == mine for one in others) > self.per_address


class _BehindProxy(BoundedProtocol):
    per_address = 0


class _Server(Server):
    async def shutdown(self, sockets: list[socket] | None = None) -> None:
        """Answers without end (events) are told first, so that nobody waits for them."""
        app: FastAPI = self.config.app  # type: ignore[assignment]
        app.state.stopping = True
        await super().shutdown(sockets)


def make_server(app: "FastAPI", web: WebSettings) -> Server:
    """A server to be run; `should_exit = True` ends it gracefully."""
    options: dict[str, Any] = {}
    if web.tls_certificate:
        options = {"ssl_certfile": web.tls_certificate, "ssl_keyfile": web.tls_key, "ssl_context_factory": _tls}
    config = Config(
        app,
        host=web.host,
        port=web.port,
        http=_BehindProxy if web.behind_proxy else BoundedProtocol,
        ws="none",
        lifespan="off",
        loop="asyncio",
        interface="asgi3",
        log_config=None,
        access_log=False,  # its lines hold queries; `measure` logs what may be logged
        proxy_headers=False,  # `address` believes the proxy, and nobody else
        server_header=False,
        h11_max_incomplete_event_size=HEAD_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=STOP_S,
        **options,
    )
    return _Server(config)


def open_server(settings: Settings, database: "Database", spool: "Spool") -> Server:
    """The server of these settings.

    Raises:
        UsageError: it would listen beyond this machine without encryption or without a user.
        DatabaseError: the database does not answer.
    """
    with database.read() as session:
        users = session.scalar(select(func.count()).select_from(User)) or 0
    check_listening(settings.web, users)
    return make_server(make_app(settings, database, spool), settings.web)


def _tls(config: Config, default: Any) -> ssl.SSLContext:
    """TLS 1.2 or later."""
    context: ssl.SSLContext = default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context
