"""Writes docs/service-settings.md from the settings: `python docs/make_service_keys.py`. A test checks it."""

from itertools import groupby
from pathlib import Path

from ichscan.service.keys import Key, keys

PAGE = Path(__file__).with_name("service-settings.md")
INTRODUCTION = """\
# Settings of the service

Made by `docs/make_service_keys.py` from the program itself; do not edit.

`ichscan serve --config FILE` reads one TOML file with these keys. All have defaults, except those of lists of tables
marked "required". An unknown key, a value of a wrong type, or values that contradict each other end the start with
exit code 2 and a sentence that names the key. `ichscan serve init` writes a file with all of them. Relative paths are
relative to the folder that the service is started in.
"""


def page() -> str:
    """The whole page."""
    parts = [INTRODUCTION]
    for table, group in groupby(keys(), lambda key: (key.table, key.many)):
        name, many = table
        title = f"[[{name}]]" if many else f"[{name}]"
        parts += [f"## {title if name else 'Top level'}", "", "| key | default | meaning |", "|---|---|---|"]
        parts += [_row(key) for key in group]
        parts.append("")
    return "\n".join(parts)


def _row(key: Key) -> str:
    default = f"`{key.default}`" if key.default else "required"
    return f"| `{key.name}` | {default} | {key.meaning.replace('|', chr(92) + '|')} |"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
