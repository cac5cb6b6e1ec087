"""Logins of browsers: the cookie holds a random secret, the database its hash, and every one ends by itself."""

from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from ichscan.service.security.secret import hash_secret, make_secret, same
from ichscan.service.settings import WebSettings
from ichscan.service.tables import Login, User

MOST_PER_USER: Final = 20
"""Logins of one user at a time; the oldest end."""
TOUCH_S: Final = 60.0
"""The time of last use is written at most so often, so that reading does not write all the time."""
LONGEST: Final = 200


def open_login(session: Session, user: User, web: WebSettings, now: float) -> tuple[str, Login]:
    """The secret for the cookie, and its row. Always a new one: a cookie planted before the login is worth nothing."""
    session.execute(delete(Login).where(Login.expires < now))
    rows = session.scalars(select(Login).where(Login.user_id == user.id).order_by(Login.created.desc())).all()
    for old in rows[MOST_PER_USER - 1 :]:
        session.delete(old)
    text = make_secret()
    login = Login(
        token_sha256=hash_secret(text),
        user_id=user.id,
        csrf=make_secret(),
        created=now,
        used=now,
        expires=now + web.session_hours * 3600.0,
    )
    session.add(login)
    session.flush()
    return text, login


def find_login(session: Session, text: str, web: WebSettings, now: float) -> tuple[Login, User] | None:
    """The login that a cookie is of, and its user; None when it is unknown, has ended, or its user may not log in."""
    if not text or len(text) > LONGEST:
        return None
    digest = hash_secret(text)
    login = session.get(Login, digest)
    if login is None or not same(login.token_sha256, digest) or not login_is_open(session, digest, web, now):
        return None
    return login, session.get_one(User, login.user_id)


def login_is_open(session: Session, token_sha256: str, web: WebSettings, now: float) -> bool:
    """Whether the login that is stored under this hash is good now."""
    login = session.get(Login, token_sha256)
    user = None if login is None else session.get(User, login.user_id)
    if login is None or user is None or user.disabled:
        return False
    # a clock that was set back must not make a login last longer than it was meant to
    return login.created - TOUCH_S <= now < min(login.expires, login.used + web.idle_minutes * 60.0)


def needs_touch(login: Login, now: float) -> bool:
    """Whether the time of last use is to be written again."""
    return now >= login.used + TOUCH_S


def touch(session: Session, token_sha256: str, now: float) -> None:
    """Writes the time of last use."""
    login = session.get(Login, token_sha256)
    if login is not None:
        login.used = now


def close_login(session: Session, token_sha256: str) -> None:
    """Ends one login; nothing happens when it has ended already."""
    session.execute(delete(Login).where(Login.token_sha256 == token_sha256))


def close_logins(session: Session, user_id: int, but: str = "") -> None:
    """Ends all logins of a user, except the one whose hash is `but`."""
    session.execute(delete(Login).where(Login.user_id == user_id, Login.token_sha256 != but))
