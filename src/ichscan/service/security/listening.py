"""Whether the web server may listen where it is told to: beyond this machine only encrypted, and only with a login."""

from ipaddress import ip_address
from pathlib import Path

from ichscan.errors import UsageError
from ichscan.service.settings import WebSettings


def check_listening(web: WebSettings, users: int) -> None:
    """Refuses settings with which passwords or images would cross the network in clear.

    Args:
        web: the settings.
        users: how many there are who may log in.

    Raises:
        UsageError: no TLS and no proxy on an address beyond this machine, no user, or half of a TLS setting.
    """
    if bool(web.tls_certificate) != bool(web.tls_key):
        raise UsageError("web: expected both tls_certificate and tls_key, or neither, found one")
    for key, path in (("tls_certificate", web.tls_certificate), ("tls_key", web.tls_key)):
        if path and not Path(path).is_file():
            raise UsageError(f"web.{key}: expected a PEM file, found none at {path}")
    if web.behind_proxy and not _is_address(web.proxy_address):
        raise UsageError(f"web.proxy_address: expected an IP address, found {web.proxy_address!r}")
    if here_only(web.host):
        return
    if not web.tls_certificate and not web.behind_proxy:
        raise UsageError(
            f"web.host {web.host}: listens beyond this machine without encryption; set web.tls_certificate and "
            "web.tls_key, or web.behind_proxy with a proxy that ends TLS, or use host 127.0.0.1"
        )
    if not users:
        raise UsageError(
            f"web.host {web.host}: listens beyond this machine without any user; make one first with "
            "`ichscan serve user`, or use host 127.0.0.1"
        )


def here_only(host: str) -> bool:
    """Whether only this machine can reach an address to listen on."""
    if host == "localhost":
        return True
    return _is_address(host) and ip_address(host).is_loopback


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
