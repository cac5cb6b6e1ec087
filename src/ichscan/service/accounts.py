"""Users and tokens as the administrator of the machine makes them, at the command line."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from ichscan.errors import UsageError
from ichscan.service.audit import audit
from ichscan.service.database import Database
from ichscan.service.security.names import check_role
from ichscan.service.security.passwords import make_password
from ichscan.service.security.sessions import close_logins
from ichscan.service.security.tokens import make_token, revoke_token
from ichscan.service.security.users import last_administrator, make_user, set_password
from ichscan.service.tables import MachineToken, User


def new_password(database: Database, name: str, role: str | None, now: float) -> str:
    """Makes a user, or gives one that there is a new password and takes locks away.

    Args:
        database: to write to.
        name: of the user.
        role: None = "reader", or as it is.
        now: seconds since 1970.

    Returns:
        A generated password, to be changed at the next login.

    Raises:
        UsageError: an unusual name, an unknown role.
        DatabaseError: the database does not answer.
    """
    password = make_password()
    with database.write() as session:
        user = _find(session, name)
        if user is None:
            make_user(session, name, role or "reader", password, now, must_change=True)
            audit(session, "system", "make user", detail=name)
            return password
        if role is not None:
            check_role(role)
            user.role = role
        user.disabled = False
        set_password(session, user, password, must_change=True)
        audit(session, "system", "set password", detail=name)
    return password


def disable_user(database: Database, name: str) -> None:
    """Ends all logins of a user, who may not log in again.

    Raises:
        UsageError: there is no such user, or nobody could administrate any more.
        DatabaseError: the database does not answer.
    """
    with database.write() as session:
        user = _find(session, name)
        if user is None:
            raise UsageError(f"user {name!r}: expected a user of this name, found none")
        if last_administrator(session, user):
            raise UsageError(f"user {name!r}: is the last administrator; make another one first")
        user.disabled = True
        close_logins(session, user.id)
        audit(session, "system", "disable user", detail=name)


def new_token(database: Database, name: str, scopes: Collection[str], now: float) -> str:
    """Makes a token; its text is stored nowhere. Raises UsageError, DatabaseError."""
    with database.write() as session:
        text = make_token(session, name, scopes, now)
        audit(session, "system", "make token", detail=name)
    return text


def revoke(database: Database, name: str) -> None:
    """Ends a token. Raises UsageError: there is none of this name; DatabaseError."""
    with database.write() as session:
        found = session.scalar(select(MachineToken.id).where(MachineToken.name == name))
        if found is None or not revoke_token(session, found):
            raise UsageError(f"token {name!r}: expected a token of this name, found none")
        audit(session, "system", "revoke token", detail=name)


def _find(session: Session, name: str) -> User | None:
    return session.scalar(select(User).where(User.name == name))
