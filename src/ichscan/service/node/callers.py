"""Who may call: AE titles and addresses of `dicom.peers`."""

import ipaddress
import logging
import socket
import threading
import time
from typing import Final

from ichscan.errors import UsageError
from ichscan.service.settings import DicomSettings, Peer

LOG: Final = logging.getLogger(__name__)
RESOLVED_S: Final = 60.0
"""Addresses of a host name are looked up again after so long."""


class Callers:
    """The peers, by AE title and address. Thread-safe.

    Without peers, programs of this machine may call under any AE title, and nobody else.
    """

    def __init__(self, dicom: DicomSettings) -> None:
        """Raises UsageError: the node would listen beyond this machine without knowing who may call."""
        self._peers = dicom.peers
        self._lock = threading.Lock()
        self._resolved: dict[str, tuple[float, frozenset[str]]] = {}
        if not dicom.peers and not _is_loopback(dicom.host):
            raise UsageError(
                f"dicom.host: expected 127.0.0.1 as dicom.peers is empty, found {dicom.host}; name those who may call"
            )

    def known_address(self, address: str) -> bool:
        """Whether anybody at this IP address may call."""
        if not self._peers:
            return _is_loopback(address)
        return any(peer.any_host for peer in self._peers) or any(self._is_at(peer, address) for peer in self._peers)

    def caller(self, ae_title: str, address: str) -> Peer | None:
        """The peer of this AE title at this IP address; None = unknown."""
        if not self._peers:
            return Peer(ae_title, ae_title, address) if _is_loopback(address) else None
        for peer in self._peers:
            if peer.ae_title == ae_title and (peer.any_host or self._is_at(peer, address)):
                return peer
        return None

    def _is_at(self, peer: Peer, address: str) -> bool:
        return plain_address(address) in self._addresses(peer.host)

    def _addresses(self, host: str) -> frozenset[str]:
        now = time.monotonic()
        with self._lock:
            since, known = self._resolved.get(host, (float("-inf"), frozenset[str]()))
        if now - since < RESOLVED_S:
            return known
        try:
            known = frozenset(plain_address(str(one[4][0])) for one in socket.getaddrinfo(host, None))
        except (OSError, UnicodeError) as error:
            # What was known stays: a name server that is away for a while must not stop a scanner.
            LOG.warning("dicom.peers: host %s cannot be looked up (%s)", host, error)
        with self._lock:
            self._resolved[host] = (now, known)
        return known


def plain_address(address: str) -> str:
    """An IP address in its one usual form: without zone, IPv4 also when it came by IPv6 (RFC 4291 section 2.5.5.2)."""
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return str(mapped or parsed)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(plain_address(host)).is_loopback
    except ValueError:
        return False
