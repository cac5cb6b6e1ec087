"""Passwords of people: kept as Argon2id (RFC 9106), checked at one speed whether or not the user exists."""

import secrets
import unicodedata
from functools import cache
from threading import BoundedSemaphore
from typing import TYPE_CHECKING, Final

from ichscan.errors import UsageError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST: Final = 12
LONGEST: Final = 256
LEAST_DIFFERENT: Final = 5
MEMORY_KIB: Final = 65536
"""RFC 9106, 4: the second recommended setting, with one lane: 64 MiB, three passes."""
PASSES: Final = 3
LANES: Final = 1
AT_ONCE: Final = 2
"""More logins at a time wait, so that many of them cannot take the machine's memory."""
ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Of generated passwords; without characters that look alike."""

_turns = BoundedSemaphore(AT_ONCE)


def check_password(password: str, name: str) -> None:
    """Whether a password may be chosen (after NIST SP 800-63B: long, not guessable from the name, no other rules).

    Raises:
        UsageError: too short, too long, of too few different characters, or like the user's name.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"password: expected {SHORTEST} to {LONGEST} characters, found {len(password)}")
    if len(set(password)) < LEAST_DIFFERENT:
        raise UsageError(f"password: expected at least {LEAST_DIFFERENT} different characters; choose another")
    plain = password.casefold()
    if name.casefold() in plain and len(plain) - len(name) < SHORTEST - 4:
        raise UsageError("password: expected one that is not made of the user's name; choose another")
    if "ichscan" in plain and len(plain) < SHORTEST + 7:
        raise UsageError("password: expected one that is not made of the program's name; choose another")


def make_password() -> str:
    """A random password of 20 characters in groups of five (99 bits), to be typed once."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(5)) for _ in range(4))


def hash_password(password: str) -> str:
    """What the database keeps, with its own salt and settings."""
    with _turns:
        return _hasher().hash(_bytes(password))


def verify_password(stored: str, password: str) -> bool:
    """Whether a password is the one that was hashed; False also for a hash that is none."""
    from argon2.exceptions import InvalidHashError, VerificationError

    if len(password) > LONGEST:
        return False
    with _turns:
        try:
            return _hasher().verify(stored, _bytes(password))
        except (VerificationError, InvalidHashError):
            return False


def outdated(stored: str) -> bool:
    """Whether a hash was made with other settings than today's, so that it should be made again."""
    return _hasher().check_needs_rehash(stored)


@cache
def nobody() -> str:
    """Hash of a password that nobody knows: checked for unknown users, so that they take as long as known ones."""
    return hash_password(secrets.token_urlsafe(32))


@cache
def _hasher() -> "PasswordHasher":
    from argon2 import PasswordHasher

    return PasswordHasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES)


def _bytes(password: str) -> bytes:
    """The same bytes whichever way a keyboard composes accents (RFC 8265, 4.2.2: NFC)."""
    return unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
