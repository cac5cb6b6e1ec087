"""Machine tokens: keys of other programs, shown once, kept as a hash, limited to scopes, revoked by name."""

from collections.abc import Collection
from typing import Final

from sqlalchemy import select
from sqlalchemy.orm import Session

from ichscan.errors import UsageError
from ichscan.service.security.names import check_name
from ichscan.service.security.secret import hash_secret, make_secret, same
from ichscan.service.tables import MachineToken

SCOPES: Final = ("store", "read", "metrics")
PREFIX: Final = "ichscan_"
"""Lets scanners of source code and people recognise a token that lies around."""
LONGEST: Final = 200


def make_token(session: Session, name: str, scopes: Collection[str], now: float) -> str:
    """A new token; the text returned is stored nowhere.

    Raises:
        UsageError: a name that is taken or unusual, no scope or an unknown one.
    """
    check_name(name)
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise UsageError(f"scopes: expected some of {', '.join(SCOPES)}, found {', '.join(unknown) or 'none'}")
    if session.scalar(select(MachineToken).where(MachineToken.name == name)) is not None:
        raise UsageError(f"token {name!r}: the name is taken; choose another, names of revoked tokens stay taken")
    text = PREFIX + make_secret()
    chosen = [scope for scope in SCOPES if scope in scopes]
    session.add(MachineToken(name=name, token_sha256=hash_secret(text), scopes=chosen, created=now, revoked=False))
    session.flush()
    return text


def find_token(session: Session, text: str) -> MachineToken | None:
    """The token that the text is of; None when there is none, or it was revoked."""
    if not text.startswith(PREFIX) or len(text) > LONGEST:
        return None
    digest = hash_secret(text)
    found = session.scalar(select(MachineToken).where(MachineToken.token_sha256 == digest))
    if found is None or found.revoked or not same(found.token_sha256, digest):
        return None
    return found


def revoke_token(session: Session, token_id: int) -> bool:
    """Ends a token at once; False when there is none of this id. Its row stays, since the audit trail names it."""
    found = session.get(MachineToken, token_id)
    if found is None:
        return False
    found.revoked = True
    return True
