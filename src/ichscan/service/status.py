"""Asks the running service whether it works: for health checks of containers, and for people."""

import http.client
import json
import ssl
from typing import Final

from ichscan.errors import IchscanError
from ichscan.service.settings import Settings

ANSWER_S: Final = 10.0
EVERYWHERE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}


def status(settings: Settings) -> list[str]:
    """What does not work, of `/ready`: "database", "storage", "full"; nothing when all does.

    Raises:
        IchscanError: nobody answers.
    """
    web = settings.web
    host = EVERYWHERE.get(web.host, web.host)
    try:
        if web.tls_certificate:
            # asks on this machine, sends no secret: whose name the certificate bears does not matter
            trusting = ssl._create_unverified_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                host, web.port, timeout=ANSWER_S, context=trusting
            )
        else:
            connection = http.client.HTTPConnection(host, web.port, timeout=ANSWER_S)
        connection.request("GET", "/ready")
        told = json.loads(connection.getresponse().read(65536))
        connection.close()
        return [str(problem) for problem in told["problems"]]
    except (OSError, http.client.HTTPException, ValueError, KeyError, TypeError) as error:
        raise IchscanError(
            f"{host}:{web.port}: expected an answer of the service, found none; is it running?"
        ) from error
