"""Media types of requests and answers (RFC 9110 section 8.3 and 12.5.1, PS3.18 section 8.7)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from ichscan.errors import InputError
from ichscan.service.dicomweb.uid import is_uid

ANY: Final = "*/*"
DICOM: Final = "application/dicom"
DICOM_JSON: Final = "application/dicom+json"
OCTETS: Final = "application/octet-stream"
MULTIPART: Final = "multipart/related"
MAX_LENGTH: Final = 4096

_TYPE: Final = re.compile(r"\s*([!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}/[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64})\s*")
# Values with a slash must be quoted (type="application/dicom"); many clients do not.
_PARAMETER: Final = re.compile(r';\s*([!#$%&\'*+.^_`|~0-9A-Za-z-]{1,64})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s;,"]+))\s*')
_EMPTY: Final = re.compile(r";\s*")


@dataclass(frozen=True, slots=True)
class MediaType:
    """A media type in lower case with its parameters: names in lower case, values as they came.

    `quality` is the weight q of an Accept header, 0 to 1.
    """

    name: str
    parameters: Mapping[str, str] = field(default_factory=dict)
    quality: float = 1.0

    @property
    def inner(self) -> str:
        """What the parts of a multipart are: its parameter `type`, lower case; the type itself when not multipart."""
        return self.parameters.get("type", ANY).lower() if self.name == MULTIPART else self.name

    @property
    def transfer_syntax(self) -> str:
        """The parameter transfer-syntax, "" when there is none (PS3.18 section 8.7.3.5)."""
        return self.parameters.get("transfer-syntax", "")

    def covers(self, name: str) -> bool:
        """Whether a type falls into this range."""
        return self.name in (ANY, name) or (self.name.endswith("/*") and name.startswith(self.name[:-1]))


def parse_type(text: str) -> MediaType:
    """A Content-Type header.

    Raises:
        InputError: it is none.
    """
    found, at = _parse(text, 0)
    if at != len(text):
        raise InputError("Content-Type: expected one media type, found more; see RFC 9110 section 8.3")
    return found


def parse_accept(text: str | None) -> list[MediaType]:
    """An Accept header, best first; none, or an empty one, is */*.

    Raises:
        InputError: it is none.
    """
    if text is None or not text.strip():
        return [MediaType(ANY)]
    if len(text) > MAX_LENGTH:
        raise InputError(f"Accept: expected at most {MAX_LENGTH:,} characters, found {len(text):,}")
    found, at = [], 0
    while True:
        one, at = _parse(text, at)
        found.append(one)
        if at == len(text):
            return sorted((one for one in found if one.quality > 0), key=lambda one: -one.quality)
        if text[at] != ",":
            raise InputError("Accept: expected media types with commas between them; see RFC 9110 section 12.5.1")
        at += 1


def _parse(text: str, at: int) -> tuple[MediaType, int]:
    """The media type that starts at `at`, and where it ends."""
    start = _TYPE.match(text, at)
    if start is None or len(text) > MAX_LENGTH:
        raise InputError("media type: expected type/subtype, found something else; see RFC 9110 section 8.3")
    at, parameters = start.end(), {}
    while (match := _PARAMETER.match(text, at)) or (match := _EMPTY.match(text, at)):
        at = match.end()
        if match.re is _PARAMETER:
            quoted, plain = match[2], match[3]
            parameters[match[1].lower()] = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
    quality = parameters.pop("q", "1")
    if not re.fullmatch(r"[01](\.[0-9]{0,3})?", quality):
        raise InputError("media type: expected a weight q from 0 to 1, found something else")
    return MediaType(start[1].lower(), parameters, min(float(quality), 1.0)), at


def with_syntax(name: str, syntax: str) -> str:
    """A Content-Type with the parameter transfer-syntax; without it when a file's is no UID: it is not ours to send."""
    return f"{name}; transfer-syntax={syntax}" if is_uid(syntax) else name


def first_accepted(accepted: Sequence[MediaType], offered: Sequence[str]) -> str | None:
    """The offered media type that the caller likes best, the first of equals; None when it takes none."""
    for wanted in accepted:
        for name in offered:
            if wanted.covers(name):
                return name
    return None
