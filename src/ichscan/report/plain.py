"""Text from files as plain text: a header may hold anything, also markup, escape sequences or a whole book."""

from typing import Final

LONGEST: Final = 1000
"""Characters that are kept: DICOM allows 64 for a description (PS3.5 6.2, LO); our own reasons are below 400."""
ELLIPSIS: Final = "…"
REPLACEMENT: Final = "\ufffd"


def plain(text: str, longest: int = LONGEST) -> str:
    """One line without control characters; markup stays as it is, to be escaped where markup means something.

    Line breaks and tabs become spaces. Other characters that cannot be printed (control characters, changes of the
    writing direction, half surrogates, which no UTF-8 file can hold) become U+FFFD, so that their place shows.

    Args:
        text: anything.
        longest: characters kept; what is longer ends with an ellipsis.
    """
    kept = text[: longest + 1]
    line = "".join(c if c.isprintable() else " " if c.isspace() else REPLACEMENT for c in kept)
    return line if len(line) <= longest else line[: longest - 1] + ELLIPSIS
