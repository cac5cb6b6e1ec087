"""Text for people: on stderr what went wrong, with nothing in it that could steer the terminal."""

import sys
from typing import Final

ELLIPSIS: Final = "…"


def printable(text: str) -> str:
    """Control characters (a DICOM text or a file name may hold escape sequences) become `?`."""
    return "".join(c if c.isprintable() else "?" for c in text)


def complain(message: str) -> None:
    """One line on stderr."""
    print(f"ichscan: {printable(message)}", file=sys.stderr)


def remark(message: str) -> None:
    """One line on stderr that is no problem."""
    print(printable(message), file=sys.stderr)


def tail(text: str, length: int) -> str:
    """The end of a long text: UIDs and paths differ there."""
    return text if len(text) <= length else ELLIPSIS + text[1 - length :]
