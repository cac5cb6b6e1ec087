"""Logging in and out, and choosing a password."""

import logging
import math
from typing import Annotated, Final

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from pydantic import BaseModel, ConfigDict
from sqlalchemy import select
from sqlalchemy.orm import Session

from ichscan import __version__
from ichscan.report.wording import ENGLISH
from ichscan.service.audit import audit
from ichscan.service.security.passwords import verify_password
from ichscan.service.security.rates import Rates
from ichscan.service.security.secret import hash_secret
from ichscan.service.security.sessions import close_login, close_logins, open_login
from ichscan.service.security.users import check_login, set_password
from ichscan.service.tables import User
from ichscan.service.web.access import COOKIE, Actor, actor_of, logged_in
from ichscan.service.web.address import address_of
from ichscan.service.web.answers import KNOWN
from ichscan.service.web.fields import Name, Password
from ichscan.service.web.limits import network_of
from ichscan.service.web.state import Service, service_of
from ichscan.service.web.trail import now, record

WRONG: Final = "wrong name or password; after several wrong ones in a row, a name is locked for some minutes"

router = APIRouter(prefix="/api/session", tags=["session"])
_log = logging.getLogger(__name__)


class Credentials(BaseModel):
    """Of a user."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    password: Password


class NewPassword(BaseModel):
    """The password so far, and the one to be."""

    model_config = ConfigDict(extra="forbid")
    old: Password
    new: Password


class SessionInfo(BaseModel):
    """Who is logged in. `csrf` goes into the header X-CSRF-Token of every write."""

    user: str
    role: str
    csrf: str
    must_change: bool
    demo: bool
    version: str
    notice: str


@router.get("", responses=KNOWN)
def show(request: Request, actor: Annotated[Actor, Depends(logged_in)]) -> SessionInfo:
    """Who is logged in; 401 when nobody is."""
    return _info(service_of(request), actor)


@router.post("", responses=KNOWN)
def log_in(request: Request, response: Response, credentials: Credentials) -> SessionInfo:
    """Begins a session: sets the cookie."""
    service = service_of(request)
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise HTTPException(403, "log in from the page of this server")
    _limit(request, credentials.name)
    time = now()
    user_id = check_login(service.database, credentials.name, credentials.password, time)
    request.app.state.meters.logins.labels("refused" if user_id is None else "done").inc()
    if user_id is None:
        _tell_wrong(request, credentials.name)
        raise HTTPException(401, WRONG, {"WWW-Authenticate": "Bearer"})
    with service.database.write() as session:
        user = session.get_one(User, user_id)
        close_login(session, hash_secret(request.cookies.get(COOKIE, "")))
        actor = _begin(request, response, session, user)
        audit(session, actor.label, "login", None, address_of(request, service.settings.web))
    return _info(service, actor)


@router.delete("", status_code=204, responses=KNOWN)
def log_out(request: Request, response: Response, actor: Annotated[Actor, Depends(logged_in)]) -> None:
    """Ends the session."""
    service = service_of(request)
    with service.database.write() as session:
        close_login(session, actor.login)
        audit(session, actor.label, "logout", None, address_of(request, service.settings.web))
    response.headers["Clear-Site-Data"] = '"cache"'  # slices, on a machine that others use too
    response.delete_cookie(COOKIE, path="/", secure=_secure(service), httponly=True, samesite="strict")


@router.post("/password", responses=KNOWN)
def choose_password(
    request: Request, response: Response, change: NewPassword, actor: Annotated[Actor, Depends(logged_in)]
) -> SessionInfo:
    """Sets the own password; all sessions of the user end, and a new one begins."""
    service = service_of(request)
    _limit(request, actor.name)
    with service.database.read() as session:
        user = session.scalars(select(User).where(User.name == actor.name)).one()
    if not verify_password(user.password_hash, change.old):
        record(request, actor, "password", None, "refused", "the old password was wrong")
        raise HTTPException(403, "the old password is wrong")
    if change.new == change.old:
        raise HTTPException(400, "expected a password other than the old one")
    with service.database.write() as session:
        user = session.get_one(User, user.id)
        set_password(session, user, change.new)
        close_logins(session, user.id)
        fresh = _begin(request, response, session, user)
        audit(session, actor.label, "password", None, address_of(request, service.settings.web))
    return _info(service, fresh)


def _begin(request: Request, response: Response, session: Session, user: User) -> Actor:
    """A new login, and its cookie."""
    service = service_of(request)
    web = service.settings.web
    text, login = open_login(session, user, web, now())
    seconds = int(web.session_hours * 3600)
    response.set_cookie(
        COOKIE, text, max_age=seconds, path="/", secure=_secure(service), httponly=True, samesite="strict"
    )
    return actor_of(login, user)


def _limit(request: Request, name: str) -> None:
    """So many attempts per address, and per name, whether it exists or not."""
    logins: Rates = request.app.state.logins
    address = network_of(address_of(request, service_of(request).settings.web))
    wait = max(logins.wait(("address", address)), logins.wait(("name", name.casefold())))
    if wait:
        raise HTTPException(429, "too many attempts; wait a minute", {"Retry-After": str(math.ceil(wait))})


def _tell_wrong(request: Request, name: str) -> None:
    """A name that is no user's is not written down: it may be a password in the wrong field."""
    service = service_of(request)
    with service.database.read() as session:
        exists = session.scalar(select(User.id).where(User.name == name)) is not None
    record(request, f"user:{name}" if exists else "user:?", "login", None, "refused")
    _log.warning("wrong name or password from %s", address_of(request, service.settings.web))


def _secure(service: Service) -> bool:
    """Whether browsers are to send the cookie over encrypted connections only."""
    web = service.settings.web
    return bool(web.tls_certificate) or web.behind_proxy


def _info(service: Service, actor: Actor) -> SessionInfo:
    return SessionInfo(
        user=actor.name,
        role=actor.role,
        csrf=actor.csrf,
        must_change=actor.must_change,
        demo=service.settings.web.demo,
        version=__version__,
        notice=ENGLISH["warn"],
    )
