"""People who may log in."""

from typing import TYPE_CHECKING, Final

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ichscan.errors import UsageError
from ichscan.service.security.names import check_name, check_role
from ichscan.service.security.passwords import (
    check_password,
    hash_password,
    make_password,
    nobody,
    outdated,
    verify_password,
)
from ichscan.service.security.sessions import close_logins
from ichscan.service.tables import User

if TYPE_CHECKING:
    from ichscan.service.database import Database

FIRST: Final = "administrator"
FREE_FAILURES: Final = 8
"""Wrong passwords in a row before a user is locked."""
LOCK_S: Final = 30.0
LONGEST_LOCK_S: Final = 900.0
"""A lock doubles with each wrong password, up to this: guessing is hopeless, and nobody is locked out for a day."""


def make_user(session: Session, name: str, role: str, password: str, now: float, *, must_change: bool = False) -> User:
    """A new user. Hashing takes a tenth of a second: hash before a write where others wait.

    Raises:
        UsageError: the name is taken (in whatever case) or unusual, the role unknown, the password weak.
    """
    check_name(name)
    check_role(role)
    check_password(password, name)
    if session.scalar(select(User.id).where(func.lower(User.name) == name.lower())) is not None:
        raise UsageError(f"user {name!r}: the name is taken; choose another")
    user = User(
        name=name,
        role=role,
        password_hash=hash_password(password),
        created=now,
        disabled=False,
        must_change=must_change,
    )
    session.add(user)
    session.flush()
    return user


def first_administrator(database: "Database", now: float) -> str | None:
    """On a new machine: makes the user `administrator` and gives its generated password, to be changed at first login.

    None when there are users already.
    """
    password = make_password()
    with database.write() as session:
        if session.scalar(select(User.id).limit(1)) is not None:
            return None
        make_user(session, FIRST, "administrator", password, now, must_change=True)
    return password


def set_password(session: Session, user: User, password: str, *, must_change: bool = False, but: str = "") -> None:
    """Sets a password, takes a lock away, and ends all logins of the user except the one whose hash is `but`.

    Raises:
        UsageError: the password is weak.
    """
    check_password(password, user.name)
    user.password_hash = hash_password(password)
    user.must_change = must_change
    user.failures, user.locked_until = 0, 0.0
    close_logins(session, user.id, but)


def check_login(database: "Database", name: str, password: str, now: float) -> int | None:
    """Id of the user of this name and password; None when either is wrong, the user is disabled, or locked for now.

    All of these take the same time and look the same. A wrong password counts; a right one starts the count anew.
    """
    with database.read() as session:
        user = session.scalar(select(User).where(User.name == name))
    unknown = nobody()  # made once, also for a known user: the first login must not tell either
    right = verify_password(user.password_hash if user is not None else unknown, password)
    renewed = hash_password(password) if right and user is not None and outdated(user.password_hash) else ""
    with database.write() as session:  # also of nobody, since it takes time
        found = session.get(User, user.id if user is not None else -1)
        if user is None or found is None or found.disabled or _locked(found, now):
            return None
        if found.password_hash != user.password_hash:  # changed meanwhile
            return None
        if not right:
            found.failures += 1
            found.locked_until = now + lock_s(found.failures)
            return None
        found.failures, found.locked_until = 0, 0.0
        found.password_hash = renewed or found.password_hash
        return found.id


def lock_s(failures: int) -> float:
    """Seconds that a user is locked after so many wrong passwords in a row."""
    if failures < FREE_FAILURES:
        return 0.0
    return float(min(LOCK_S * 2.0 ** min(failures - FREE_FAILURES, 30), LONGEST_LOCK_S))


def last_administrator(session: Session, user: User) -> bool:
    """Whether nobody could administrate without this user."""
    others = select(User.id).where(User.role == "administrator", User.disabled.is_(False), User.id != user.id)
    return user.role == "administrator" and not user.disabled and session.scalar(others.limit(1)) is None


def _locked(user: User, now: float) -> bool:
    """A lock that ends later than any can was set before the clock went back, and has ended."""
    return now < user.locked_until <= now + LONGEST_LOCK_S + 60.0
