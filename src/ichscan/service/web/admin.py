"""What administrators do: users, tokens, and what happened."""

from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Request
from pydantic import BaseModel, ConfigDict
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ichscan.service.audit import audit
from ichscan.service.security.passwords import make_password
from ichscan.service.security.sessions import close_logins
from ichscan.service.security.tokens import make_token, revoke_token
from ichscan.service.security.users import last_administrator, make_user, set_password
from ichscan.service.tables import MachineToken, User
from ichscan.service.web.access import Actor, administrator
from ichscan.service.web.address import address_of
from ichscan.service.web.answers import OF_STUDY
from ichscan.service.web.fields import Id, Name, Password, Role, Scope
from ichscan.service.web.state import service_of
from ichscan.service.web.trail import now

router = APIRouter(prefix="/api", tags=["administration"])
Administrator = Annotated[Actor, Depends(administrator)]


class UserRow(BaseModel):
    """A person who may log in."""

    id: int
    name: str
    role: str
    created: float
    disabled: bool
    must_change: bool
    locked: bool


class Users(BaseModel):
    """All of them, by name."""

    users: list[UserRow]


class NewUser(BaseModel):
    """Without a password, one is generated and told once."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    role: Role
    password: Password | None = None


class MadeUser(BaseModel):
    """The user, and the generated password (null when one was given)."""

    user: UserRow
    password: str | None


class ChangedUser(BaseModel):
    """What is to be changed; what is left out stays. `reset_password` makes a new one, which is told once."""

    model_config = ConfigDict(extra="forbid")
    role: Role | None = None
    disabled: bool | None = None
    reset_password: bool = False


class TokenRow(BaseModel):
    """A key of another program."""

    id: int
    name: str
    scopes: list[str]
    created: float
    revoked: bool


class Tokens(BaseModel):
    """All of them, by name."""

    tokens: list[TokenRow]


class NewToken(BaseModel):
    """A name that says whose it is, and what it may do."""

    model_config = ConfigDict(extra="forbid")
    name: Name
    scopes: list[Scope]


class MadeToken(BaseModel):
    """The token itself is told once and stored nowhere."""

    row: TokenRow
    token: str


@router.get("/users", responses=OF_STUDY)
def users(request: Request, actor: Administrator) -> Users:
    """All users."""
    with service_of(request).database.read() as session:
        return Users(users=[_user(one) for one in session.scalars(select(User).order_by(func.lower(User.name)))])


@router.post("/users", status_code=201, responses=OF_STUDY)
def add_user(request: Request, told: NewUser, actor: Administrator) -> MadeUser:
    """A new user, who must choose a password of their own at first login."""
    password = told.password or make_password()
    with service_of(request).database.write() as session:
        user = make_user(session, told.name, told.role, password, now(), must_change=True)
        _note(request, session, actor, "user added", f"{user.name}: {user.role}")
        return MadeUser(user=_user(user), password=None if told.password else password)


@router.patch("/users/{user_id}", responses=OF_STUDY)
def change_user(request: Request, user_id: Id, told: ChangedUser, actor: Administrator) -> MadeUser:
    """Role, disabled, or a new password; the user's sessions end. 409 for the last administrator."""
    password = make_password() if told.reset_password else None
    with service_of(request).database.write() as session:
        user = session.get(User, user_id)
        if user is None:
            raise HTTPException(404, f"user {user_id}: expected one, found none")
        loses = told.disabled is True or (told.role is not None and told.role != "administrator")
        if loses and last_administrator(session, user):
            raise HTTPException(409, "expected another administrator to be left; make one first")
        changes: list[str] = []
        if told.role is not None and told.role != user.role:
            user.role = told.role
            changes.append(told.role)
        if told.disabled is not None and told.disabled != user.disabled:
            user.disabled = told.disabled
            changes.append("disabled" if told.disabled else "enabled")
        if password is not None:
            set_password(session, user, password, must_change=True)
            changes.append("password reset")
        if changes:
            close_logins(session, user.id)
        _note(request, session, actor, "user changed", f"{user.name}: {', '.join(changes) or 'nothing'}")
        return MadeUser(user=_user(user), password=password)


@router.get("/tokens", responses=OF_STUDY)
def tokens(request: Request, actor: Administrator) -> Tokens:
    """All machine tokens, also revoked ones."""
    with service_of(request).database.read() as session:
        rows = session.scalars(select(MachineToken).order_by(MachineToken.name))
        return Tokens(tokens=[_token(one) for one in rows])


@router.post("/tokens", status_code=201, responses=OF_STUDY)
def add_token(request: Request, told: NewToken, actor: Administrator) -> MadeToken:
    """A new token, told once."""
    with service_of(request).database.write() as session:
        text = make_token(session, told.name, told.scopes, now())
        row = session.scalars(select(MachineToken).where(MachineToken.name == told.name)).one()
        _note(request, session, actor, "token added", f"{row.name}: {', '.join(map(str, row.scopes))}")
        return MadeToken(row=_token(row), token=text)


@router.delete("/tokens/{token_id}", status_code=204, responses=OF_STUDY)
def end_token(request: Request, token_id: Id, actor: Administrator) -> None:
    """Revokes a token at once."""
    with service_of(request).database.write() as session:
        if not revoke_token(session, token_id):
            raise HTTPException(404, f"token {token_id}: expected one, found none")
        _note(request, session, actor, "token revoked", session.get_one(MachineToken, token_id).name)


def _note(request: Request, session: Session, actor: Actor, action: str, detail: str) -> None:
    audit(session, actor.label, action, None, address_of(request, service_of(request).settings.web), "done", detail)


def _user(user: User) -> UserRow:
    fields = {name: getattr(user, name) for name in UserRow.model_fields if name != "locked"}
    return UserRow(**fields, locked=user.locked_until > now())


def _token(token: MachineToken) -> TokenRow:
    return TokenRow(**{name: getattr(token, name) for name in TokenRow.model_fields})
