"""CLAIM and TRIPOD+AI as far as this evaluation can fill them in, and a model card."""

from typing import Final

from ichscan.datasets.arrow import write_whole
from ichscan.evaluate.cases import Evaluation
from ichscan.evaluate.checklist_items import CLAIM, CLAIM_SOURCE, TRIPOD_AI, TRIPOD_AI_SOURCE
from ichscan.evaluate.checklists import TO_FILL, answers, filled, to_markdown
from ichscan.evaluate.model_card import model_card
from ichscan.evaluate.part import Options, Part
from ichscan.pages.section import Grid, Section

KEY: Final = "checklists"
CHECKLISTS: Final = (
    ("claim", "CLAIM (2024)", CLAIM_SOURCE, CLAIM),
    ("tripod-ai", "TRIPOD+AI (2024)", TRIPOD_AI_SOURCE, TRIPOD_AI),
)
CARD: Final = "model-card.md"


def part(evaluation: Evaluation, options: Options) -> Part:
    """Writes checklists/claim.md, checklists/tripod-ai.md and model-card.md; must be made after the other parts."""
    known = answers(evaluation, options)
    folder = options.out / "checklists"
    folder.mkdir(parents=True, exist_ok=True)
    facts, grids = {}, []
    for key, title, source, items in CHECKLISTS:
        rows = filled(items, known)
        write_whole(folder / f"{key}.md", to_markdown(title, source, items, known).encode("utf-8"))
        facts[key] = {number: answer for number, _, _, answer in rows}
        grids.append(Grid(key, f"{title}: {source}", ("item", "area", "topic", "answer"), tuple(rows)))
    write_whole(options.out / CARD, model_card(evaluation, options).encode("utf-8"))
    left = {key: sum(answer == TO_FILL for answer in answered.values()) for key, answered in facts.items()}
    notes = (
        "Filled in from the evaluation where it knows the answer: "
        + "; ".join(f"{title}: {left[key]} of {len(items)} items left" for key, title, _, items in CHECKLISTS)
        + " to the authors. Topics are in our words: fill in the official forms, and check every answer.",
        f"As documents: checklists/claim.md, checklists/tripod-ai.md. The model card of this evaluation: {CARD}.",
    )
    section = Section(KEY, "Checklists and model card", "Reporting guidelines", notes, tuple(grids))
    return Part(KEY, {"left_to_the_authors": left, "answers": facts}, (section,))
