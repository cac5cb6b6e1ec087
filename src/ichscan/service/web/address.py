"""Where a request came from. Only the configured proxy is believed about others."""

from ipaddress import ip_address

from starlette.requests import HTTPConnection

from ichscan.service.settings import WebSettings


def address_of(request: HTTPConnection, web: WebSettings) -> str:
    """The caller's address; behind a proxy, the last one that the proxy has put into X-Forwarded-For.

    What stands before it in that header was written by the caller and is not believed.
    """
    peer = peer_of(request)
    if web.behind_proxy and peer == web.proxy_address:
        last = ",".join(request.headers.getlist("x-forwarded-for")).rpartition(",")[2].strip()
        if is_address(last):
            return last
    return peer


def peer_of(request: HTTPConnection) -> str:
    """The address at the other end of the connection; "" when there is none (a socket of this machine)."""
    return request.client.host if request.client is not None else ""


def encrypted(request: HTTPConnection, web: WebSettings) -> bool:
    """Whether the caller's connection was encrypted, as far as is known."""
    if web.behind_proxy and peer_of(request) == web.proxy_address:
        return request.headers.get("x-forwarded-proto", "").strip().lower() == "https"
    return request.url.scheme == "https"


def is_address(text: str) -> bool:
    """Whether this is an IP address and nothing else."""
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
