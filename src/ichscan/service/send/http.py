"""One request to an address that the administrator configured. Redirects are not followed: they would take the key."""

import base64
import http.client
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from ichscan.service.send.failure import DeliveryError

CONNECT_S: Final = 10.0
ANSWER_S: Final = 60.0
LARGEST_ANSWER: Final = 16 * 1024 * 1024
LOCAL: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@dataclass(frozen=True, slots=True)
class Answer:
    """Status and body of an answer."""

    status: int
    body: bytes


def post(name: str, url: str, headers: dict[str, str], body: bytes | Iterable[bytes]) -> Answer:
    """Posts once.

    Args:
        name: of the receiver, for messages.
        url: http or https; certificates are checked.
        headers: to send.
        body: whole, or in pieces that are sent chunked.

    Raises:
        DeliveryError: not reachable, TLS failed, no HTTP.
    """
    parts = urlsplit(url)
    connection = _connection(name, url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        connection.connect()
        if connection.sock is not None:
            connection.sock.settimeout(ANSWER_S)
        connection.request("POST", target, body=body, headers=headers)
        answer = connection.getresponse()
        return Answer(answer.status, answer.read(LARGEST_ANSWER))
    except (OSError, http.client.HTTPException) as error:
        raise DeliveryError(f"{name}: {parts.scheme}://{parts.netloc.rpartition('@')[2]}: not delivered "
                            f"({error or type(error).__name__}); is it running?") from error  # fmt: skip
    finally:
        connection.close()


def _connection(name: str, url: str) -> http.client.HTTPConnection:
    parts = urlsplit(url)
    try:
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise DeliveryError(f"{name}: expected a URL with a port from 1 to 65535 ({error})") from error
    if parts.scheme == "https" and host:
        return http.client.HTTPSConnection(host, port, timeout=CONNECT_S, context=ssl.create_default_context())
    if parts.scheme == "http" and host:
        return http.client.HTTPConnection(host, port, timeout=CONNECT_S)
    raise DeliveryError(f"{name}: expected a URL that starts with https:// or http://; correct it in the settings")


def authorization(name: str, user: str = "", password_file: str = "", token_file: str = "") -> dict[str, str]:
    """The header that says who calls (RFC 7617, RFC 6750); {} when nothing is configured.

    Raises:
        DeliveryError: a file cannot be read.
    """
    if token_file:
        return {"Authorization": f"Bearer {_secret(name, token_file)}"}
    if user:
        password = _secret(name, password_file) if password_file else ""
        return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")}
    return {}


def _secret(name: str, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise DeliveryError(f"{name}: {path}: cannot be read; check the file and who may read it") from error
