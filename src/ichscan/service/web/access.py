"""Who asks, and whether they may: dependencies of every route that is not open.

A person has a login (cookie `ichscan`), a program a machine token (`Authorization: Bearer`). What a browser sends by
itself, the cookie, is not enough to change anything: that also takes the header X-CSRF-Token, which another site's
page can neither read nor set.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Final, Literal

from fastapi import Depends, HTTPException, Request
from sqlalchemy import select
from starlette.requests import HTTPConnection

from ichscan.service.security.secret import same
from ichscan.service.security.sessions import find_login, login_is_open, needs_touch, touch
from ichscan.service.security.tokens import find_token
from ichscan.service.tables import Login, MachineToken, User
from ichscan.service.web.address import address_of
from ichscan.service.web.state import Service, service_of
from ichscan.service.web.trail import now, record_access

COOKIE: Final = "ichscan"
CSRF_HEADER: Final = "X-CSRF-Token"
SAFE_METHODS: Final = ("GET", "HEAD", "OPTIONS")
UNKNOWN: Final = "unknown"
"""Stands in the audit trail for a caller who is not known."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Actor:
    """Who asks.

    Attributes:
        kind: a person, or another program.
        name: of the user or the token.
        role: "reader" or "administrator"; "" of a token.
        scopes: of a token; empty of a user.
        login: hash that the login is stored under; "" of a token.
        csrf: that the login's writes must show; "" of a token.
        must_change: the user must choose a password before anything else.
    """

    kind: Literal["user", "token"]
    name: str
    role: str = ""
    scopes: frozenset[str] = frozenset()
    login: str = ""
    csrf: str = ""
    must_change: bool = False

    @property
    def label(self) -> str:
        """As in the audit trail: "user:NAME" or "token:NAME"."""
        return f"{self.kind}:{self.name}"


def known(request: Request) -> Actor:
    """Anybody who is known, also one who must choose a password first. 401 otherwise, 403 for a forged write."""
    service = service_of(request)
    bearer = _bearer(request)
    cookie = request.cookies.get(COOKIE, "")
    actor = _of_cookie(service, cookie) if bearer is None else _of_token(service, bearer)
    if actor is None:
        _tell_unknown(request, bearer is not None or bool(cookie))
        raise HTTPException(401, "log in, or send a machine token", {"WWW-Authenticate": "Bearer"})
    if actor.kind == "user" and request.method not in SAFE_METHODS:
        _check_own_page(request, actor)
    return actor


def reader(request: Request, actor: Annotated[Actor, Depends(known)]) -> Actor:
    """A user of any role; or, only to read, a token with the scope "read"."""
    if actor.kind == "token":
        if "read" not in actor.scopes or request.method not in SAFE_METHODS:
            raise refused(request, actor, 'the token may not do this: it needs the scope "read", and can only read')
        return actor
    return _settled(request, actor)


def logged_in(request: Request, actor: Annotated[Actor, Depends(known)]) -> Actor:
    """A user, also one who must choose a password first; no token."""
    if actor.kind == "token":
        raise refused(request, actor, "only a user who is logged in may do this, not a token")
    return actor


def person(request: Request, actor: Annotated[Actor, Depends(logged_in)]) -> Actor:
    """A user of any role, and no token."""
    return _settled(request, actor)


def administrator(request: Request, actor: Annotated[Actor, Depends(person)]) -> Actor:
    """A user with the role "administrator"."""
    if actor.role != "administrator":
        raise refused(request, actor, "only an administrator may do this")
    return actor


def scope(name: Literal["store", "read", "metrics"]) -> Callable[..., Actor]:
    """A dependency: a token with this scope, or a user ("metrics": only an administrator).

    DICOM files hold patient data in every byte, so in demo mode nobody may have the scope "read".
    """

    def check(request: Request, actor: Annotated[Actor, Depends(known)]) -> Actor:
        if actor.kind == "token" and name not in actor.scopes:
            raise refused(request, actor, f'the token needs the scope "{name}"')
        if actor.kind == "user":
            actor = _settled(request, actor)
            if name == "metrics":
                actor = administrator(request, actor)
        if name == "read" and service_of(request).settings.web.demo:
            raise refused(request, actor, "this is a demonstration: DICOM files, which name the patient, are not given")
        return actor

    return check


def refused(request: HTTPConnection, actor: Actor, reason: str) -> HTTPException:
    """403, and a row in the audit trail; to be raised."""
    method = request.scope.get("method", "")
    route = getattr(request.scope.get("route"), "path", "")
    record_access(request, actor, "refused", None, "refused", f"{method} {route}: {reason}")
    return HTTPException(403, reason)


def _settled(request: Request, actor: Actor) -> Actor:
    if actor.must_change:
        raise refused(request, actor, "choose a password of your own first: POST /api/session/password")
    return actor


def still_known(service: Service, actor: Actor) -> bool:
    """Whether a login or token is still good: for answers that last."""
    with service.database.read() as session:
        if actor.kind == "token":
            found = session.scalar(select(MachineToken).where(MachineToken.name == actor.name))
            return found is not None and not found.revoked
        return login_is_open(session, actor.login, service.settings.web, now())


def _bearer(request: HTTPConnection) -> str | None:
    """The token of the header; None without one. An unknown scheme counts as a wrong token, not as none."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, text = header.partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def _of_token(service: Service, text: str) -> Actor | None:
    with service.database.read() as session:
        found = find_token(session, text)
        return None if found is None else Actor("token", found.name, scopes=frozenset(map(str, found.scopes)))


def _of_cookie(service: Service, text: str) -> Actor | None:
    time = now()
    with service.database.read() as session:
        found = find_login(session, text, service.settings.web, time)
        if found is None:
            return None
        login, user = found
        actor, stale = actor_of(login, user), needs_touch(login, time)
    if stale:
        with service.database.write() as session:
            touch(session, actor.login, time)
    return actor


def actor_of(login: Login, user: User) -> Actor:
    """The user of a login."""
    return Actor(
        "user", user.name, user.role, login=login.token_sha256, csrf=login.csrf, must_change=bool(user.must_change)
    )


def _check_own_page(request: Request, actor: Actor) -> None:
    """Writes must come from our own pages: they know the token; browsers also say where a request came from."""
    site = request.headers.get("sec-fetch-site", "same-origin")
    if site not in ("same-origin", "none") or not same(request.headers.get(CSRF_HEADER, ""), actor.csrf):
        raise refused(request, actor, f"the header {CSRF_HEADER} is missing or wrong; log in again")


def _tell_unknown(request: HTTPConnection, showed_something: bool) -> None:
    """A wrong or ended credential is told once a minute and address; none at all is every first visit."""
    if showed_something:
        address = address_of(request, service_of(request).settings.web)
        _log.warning("request with an unknown or ended credential from %s", address)
        record_access(request, UNKNOWN, "credential", None, "refused", "unknown, ended or revoked login or token")
