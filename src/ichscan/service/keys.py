"""Every key of the settings file with its meaning, from the dataclasses themselves, and a file that holds them all."""

import re
import textwrap
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any, Final, get_args, get_type_hints

from ichscan.service.settings import Hook, Peer, Settings, WebPeer

EXAMPLES: Final[dict[type, dict[str, Any]]] = {
    Peer: {"name": "pacs", "ae_title": "PACS", "host": "10.0.0.5", "port": 104},
    WebPeer: {"name": "archive", "url": "https://pacs.example/dicom-web"},
    Hook: {"name": "pager", "url": "https://pager.example/ichscan"},
}
INTRODUCTION: Final = """\
# Settings of `ichscan serve`. Every key is here with its default, or of lists of tables with an example; remove the #
# in front of what you change. `ichscan serve check --config FILE` says whether they are right.
"""


@dataclass(frozen=True, slots=True)
class Key:
    """One key.

    Attributes:
        table: "" = of no table, else e.g. "dicom" or, of a list of tables, "dicom.peers".
        default: as TOML; "" = the key must be given.
        example: as TOML, where the default says little.
        many: it is of a list of tables.
    """

    table: str
    name: str
    default: str
    example: str
    meaning: str
    many: bool


def keys() -> list[Key]:
    """All keys, in the order of the dataclasses; tables within a table after its own keys."""
    return list(_keys(Settings, "", many=False))


def _keys(kind: Any, table: str, *, many: bool) -> Iterator[Key]:
    hints = get_type_hints(kind)
    told = meanings(kind)
    inner: list[tuple[Any, str, bool]] = []
    for one in fields(kind):
        hint = hints[one.name]
        items = get_args(hint)
        name = f"{table}.{one.name}".lstrip(".")
        if is_dataclass(hint):
            inner.append((hint, name, False))
        elif items and is_dataclass(items[0]):
            inner.append((items[0], name, True))
        else:
            given = EXAMPLES.get(kind, {}).get(one.name, MISSING)
            default = "" if one.default is MISSING else toml(one.default)
            example = default if given is MISSING else toml(given)
            yield Key(table, one.name, default, example, told[one.name], many)
    for hint, name, several in inner:
        yield from _keys(hint, name, many=several)


def meanings(kind: type) -> dict[str, str]:
    """What the docstring's Attributes say of each key."""
    text = textwrap.dedent("    " + (kind.__doc__ or ""))
    _, _, attributes = text.partition("Attributes:\n")
    found = {}
    for entry in re.split(r"\n {4}(?=\S)", "\n" + attributes.rstrip()):
        name, _, meaning = entry.strip().partition(": ")
        meaning = " ".join(meaning.split())
        found[name] = meaning[:1].upper() + meaning[1:]
    return found


def toml(value: Any) -> str:
    """A default as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, int | float):
        return str(value)
    return '"' + (value.as_posix() if isinstance(value, Path) else str(value)) + '"'


def template() -> str:
    """A settings file that changes nothing until something in it is changed."""
    lines = [INTRODUCTION]
    table = ""
    for key in keys():
        if key.table != table:
            table = key.table
            lines += ["", f"#[[{table}]]" if key.many else f"[{table}]"]
        lines += textwrap.wrap(key.meaning, 118, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False)
        lines.append(f"#{key.name} = {key.example}")
    return "\n".join(lines) + "\n"
