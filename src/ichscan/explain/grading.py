"""A grading sheet: an HTML file in which a reader says of each heat map whether it is right, and takes a CSV home.

The grades are those of Burduja et al. 2020, section 5: correct = the map covers most of the hemorrhage and nothing
else; partially correct = it covers some, or other places too; incorrect = the hemorrhage is outside it. The file needs
no network and no server. What is graded is kept in the browser until it is exported.
"""

import base64
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Final

from ichscan.explain.grading_page import SCRIPT, STYLE

POLICY: Final = "default-src 'none'; img-src data: blob:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
GRADES: Final = (
    ("correct", "covers most of the hemorrhage and nothing else"),
    ("partially", "covers some of it, or other places too"),
    ("incorrect", "the hemorrhage is outside, or there is none"),
)


@dataclass(frozen=True, slots=True)
class Graded:
    """One picture to grade.

    Attributes:
        key: identifies it in the CSV, such as a slice's identifier; each once.
        scan: identifies its scan; pictures of a scan stand together.
        words: below the picture, such as probability and place.
        png: the slice with its heat and legend.
        plain: the slice without heat, shown while a key or the pointer is held down; b"" = none.
    """

    key: str
    scan: str
    words: str
    png: bytes = field(repr=False)
    plain: bytes = field(default=b"", repr=False)


def grading_sheet(pictures: Sequence[Graded], title: str, about: str) -> str:
    """The whole sheet as HTML.

    Args:
        pictures: in the order in which they are graded.
        title: of the sheet.
        about: one sentence: which model, which data.

    Raises:
        ValueError: two pictures have the same key.
    """
    if len({p.key for p in pictures}) != len(pictures):
        raise ValueError("grading sheet: expected each key once")
    identity = hashlib.sha256(json.dumps([p.key for p in pictures] + [about]).encode()).hexdigest()[:16]
    cards = "\n".join(_card(number, picture) for number, picture in enumerate(pictures, 1))
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="{POLICY}">
<title>{escape(title)}</title>
<style>{STYLE}</style>
</head>
<body data-sheet="{identity}">
<header>
<h1>{escape(title)}</h1>
<p>{escape(about)} Is the coloured place the hemorrhage? {_meaning()}</p>
<p class="small">Keys: 1, 2, 3 grade and go on; arrows or j and k move; r writes a remark (Escape leaves it); h hides
the heat while held. Grades stay in this browser until you clear them. AI result, not for diagnostic use alone.</p>
<div class="bar"><label>Reader <input id="reader" autocomplete="off" maxlength="40"></label>
<progress id="progress" max="{len(pictures)}" value="0"></progress>
<output id="done" aria-live="polite">0 of {len(pictures)} graded</output>
<button id="next" type="button">Next ungraded</button>
<button id="export" type="button">Export CSV</button>
<button id="clear" type="button">Clear</button></div>
</header>
<main>
{cards}
</main>
<script>{SCRIPT}</script>
</body>
</html>
"""


def _meaning() -> str:
    return "; ".join(f"{escape(name)}: {escape(what)}" for name, what in GRADES) + "."


def _card(number: int, picture: Graded) -> str:
    choices = "".join(
        f'<label><input type="radio" name="g{number}" value="{name}" title="{escape(what)}"> '
        f"<kbd>{place}</kbd> {name}</label>"
        for place, (name, what) in enumerate(GRADES, 1)
    )
    plain = f' data-plain="{_data(picture.plain)}"' if picture.plain else ""
    words = " &middot; ".join(escape(part) for part in (picture.scan, picture.words) if part)
    return (
        f'<article tabindex="0" data-key="{escape(picture.key, quote=True)}" '
        f'data-scan="{escape(picture.scan, quote=True)}" aria-label="picture {number}">'
        f'<img src="{_data(picture.png)}"{plain} alt="slice with heat map: {escape(picture.words, quote=True)}">'
        f"<p>{number}. {words}</p><fieldset><legend>The map is</legend>{choices}</fieldset>"
        f'<label class="remark">Remark <input type="text" name="r{number}" maxlength="300"></label></article>'
    )


def _data(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode('ascii')}"
