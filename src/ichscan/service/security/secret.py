"""Random secrets, and their hashes: what the database holds cannot be used to get in."""

import hashlib
import hmac
import secrets
from typing import Final

BYTES: Final = 32
"""256 bits of the operating system's randomness: no slow hash is needed, since nobody can try them all."""


def make_secret() -> str:
    """43 characters that are safe in URLs, headers and cookies."""
    return secrets.token_urlsafe(BYTES)


def hash_secret(text: str) -> str:
    """SHA-256 in hexadecimal, of a secret of `make_secret` only; passwords have `ichscan.service.security.passwords`.

    Surrogates, which a hostile header may hold, are hashed as they are.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def same(one: str, other: str) -> bool:
    """Equality in a time that does not depend on where the two differ."""
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode("utf-8", "surrogatepass"))
