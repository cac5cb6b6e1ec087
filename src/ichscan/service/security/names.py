"""Names of users and tokens: they stand in the audit trail and in logs, so they are plain."""

import re
from typing import Final

from ichscan.errors import UsageError

NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._@-]{0,62}[A-Za-z0-9])?")
ROLES: Final = ("reader", "administrator")


def check_name(name: str) -> None:
    """Raises UsageError unless 1 to 64 letters, digits, and inside also dots, hyphens, underscores and @."""
    if not NAME.fullmatch(name):
        raise UsageError(
            f"name: expected 1 to 64 ASCII letters, digits, and between them . _ @ -; found {len(name)} characters "
            "with others among them, or too many"
        )


def check_role(role: str) -> None:
    """Raises UsageError unless the role is known."""
    if role not in ROLES:
        raise UsageError(f"role: expected one of {', '.join(ROLES)}, found {role!r}")
