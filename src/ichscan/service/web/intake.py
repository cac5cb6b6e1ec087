"""Uploaded files on their way into the spool: DICOM files as they come, archives file by file."""

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from ichscan.errors import NotDicomError
from ichscan.service.capacity import Capacity
from ichscan.service.dicomweb.head import BrokenHeadError, Head, read_head
from ichscan.service.errors import FullError
from ichscan.service.web.mend import mended
from ichscan.service.web.unzip import Unzipper, ZipError

if TYPE_CHECKING:
    from ichscan.service.spool import Spool

ZIP: Final = (b"PK\x03\x04", b"PK\x05\x06")
IN_MEMORY: Final = 16 << 20
EXPANSION: Final = 4
"""So many times the largest upload may come out of an archive."""
MOST_TOLD: Final = 200
LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class RefusedFile:
    """A file that was not taken. `name` is as the sender called it, for the sender alone."""

    name: str
    reason: str


@dataclass(slots=True)
class Taken:
    """What became of the files of one upload, so far."""

    accepted: int = 0
    refused: list[RefusedFile] = field(default_factory=list)
    refused_count: int = 0
    full: str = ""
    studies: dict[str, int] = field(default_factory=dict)
    """Study Instance UID -> files accepted."""

    def refuse(self, name: str, reason: str) -> None:
        """Notes a refusal; of very many only the number."""
        self.refused_count += 1
        if len(self.refused) < MOST_TOLD:
            self.refused.append(RefusedFile(shown(name), reason))


class Upload:
    """Takes the files of one upload.

    Args:
        spool: where accepted files go.
        capacity: asked before an archive is kept.
        folder: where an archive is kept while it is read; on the disk of the images, without a name.
        source: "upload:NAME".
        most: bytes of an upload.
    """

    def __init__(self, spool: "Spool", capacity: Capacity, folder: Path, source: str, most: int) -> None:
        self._capacity = capacity
        self._spool = spool
        self._folder = folder
        self._source = source
        self._most = most
        self.taken = Taken()

    def take(self, name: str, body: Iterator[bytes]) -> None:
        """Takes one file, or all of an archive; what cannot be taken is noted."""
        start, body = _peek(body)
        if start[:4] in ZIP:
            self._archive(name, body)
        else:
            self._file(name, body)

    def finish(self) -> None:
        """Says that no more files come: the studies are analysed soon."""
        self._spool.finished(self.taken.studies.keys(), self._source)

    def _file(self, name: str, body: Iterator[bytes]) -> None:
        if self.taken.full:
            self.taken.refuse(name, self.taken.full)
            return
        if name.replace("\\", "/").rpartition("/")[2].upper() == "DICOMDIR":
            self.taken.refuse(name, "the directory of a disc, which is not needed")
            return
        try:
            head, whole = _identified(body)
            self._spool.accept(whole, self._source)
        except FullError as error:
            self.taken.full = str(error)
            self.taken.refuse(name, self.taken.full)
        except (NotDicomError, BrokenHeadError, ZipError) as error:
            self.taken.refuse(name, str(error))
        else:
            self.taken.accepted += 1
            self.taken.studies[head.study] = self.taken.studies.get(head.study, 0) + 1

    def _archive(self, name: str, body: Iterable[bytes]) -> None:
        with tempfile.SpooledTemporaryFile(IN_MEMORY, dir=str(self._folder)) as file:
            try:
                self._keep(file, body)
                archive = Unzipper(file, EXPANSION * self._most)
                members = list(archive.members())
                if not members:
                    self.taken.refuse(name, "an archive without files")
                for member in members:
                    inside = f"{name}/{member.name}"
                    if member.fault:
                        self.taken.refuse(inside, member.fault)
                    else:
                        self._file(inside, archive.read(member))
            except FullError as error:
                self.taken.full = str(error)
                self.taken.refuse(name, self.taken.full)
            except ZipError as error:
                self.taken.refuse(name, str(error))

    def _keep(self, file: IO[bytes], body: Iterable[bytes]) -> None:
        """The whole archive: its directory is at its end."""
        for chunk in body:
            self._capacity.check(len(chunk))
            try:
                file.write(chunk)
            except OSError as error:
                raise FullError(f"incoming: an archive cannot be kept ({error.strerror}); look at the disk") from error


def _identified(body: Iterator[bytes]) -> tuple[Head, Iterator[bytes]]:
    """`read_head`, once more with valid UIDs where there were none."""
    passed: list[bytes] = []
    kept = True

    def remembered() -> Iterator[bytes]:
        for chunk in body:
            if kept:
                passed.append(chunk)
            yield chunk

    try:
        head, whole = read_head(remembered())
    except BrokenHeadError:
        data = mended(chain(passed, body))
        if data is None:
            raise
        return read_head(iter((data,)))
    kept = False
    passed.clear()
    return head, whole


def shown(name: str) -> str:
    """A file name as text for the answer: printable, and not endless."""
    plain = "".join(c if c.isprintable() else "?" for c in name)
    return plain if len(plain) <= LONGEST_NAME else "…" + plain[-LONGEST_NAME:]


def _peek(body: Iterator[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """At least the first four bytes, where there are so many, and the whole body."""
    first = b""
    while len(first) < 4:
        chunk = next(body, b"")
        if not chunk:
            break
        first += chunk
    return first, chain([first] if first else [], body)
