"""A model card from an evaluation: what was measured, on whom, and what that cannot tell."""

from collections.abc import Mapping
from typing import Any

from ichscan import __version__
from ichscan.evaluate.cases import LEVELS, Evaluation
from ichscan.evaluate.checklists import TO_FILL, bundle_spec, limits
from ichscan.evaluate.estimate import text
from ichscan.evaluate.markdown import markdown_table
from ichscan.evaluate.part import Options
from ichscan.labels import LABELS

COLUMNS = ("label", "positives", "AUC (95 %)", "threshold", "sensitivity (95 %)", "specificity (95 %)", "PPV (95 %)")


def model_card(evaluation: Evaluation, options: Options) -> str:
    """Markdown; figures are those of the part "measures", and left out where it was not made."""
    source, data = evaluation.source, evaluation.data
    about = bundle_spec(options.bundle).get("about", {})
    name = " ".join(str(source[key]) for key in ("name", "version") if source.get(key)) or str(source.get("path"))
    sha256 = f", sha256 `{source['sha256']}`" if source.get("sha256") else ""
    digest = f", digest `{str(data['digest'])[:16]}`" if data.get("digest") else ""
    numbers = ", ".join(f"{len(evaluation.level(level)):,} {level}" for level in reversed(LEVELS))
    lines = [
        f"# Model card: {name}\n",
        f"Made by ichscan {__version__} from an evaluation; no number in it is typed by hand.\n",
        "## Model\n",
        f"- What: {about.get('description') or TO_FILL}",
        f"- Intended use: {about.get('intended_use') or TO_FILL}",
        f"- Training data: {about.get('training_data') or TO_FILL}",
        f"- Licence of the weights: {about.get('weights_licence') or TO_FILL}",
        f"- Evaluated as: {source.get('kind')} {source.get('path', '')}{sha256}\n",
        "## Evaluation\n",
        f"- Data: {data.get('kind')}{digest}; {numbers}.",
        f"- {_independence(evaluation)}",
        f"- Thresholds: {evaluation.chosen_on}.\n",
        *_levels(options),
        "## Limits\n",
        *(f"- {sentence}" for sentence in limits(evaluation)),
        "- An assistant, not a medical device. Choose thresholds on scans of your own before you rely on decisions.",
        f"- Known failures, groups of patients it was not tested on: {TO_FILL}",
    ]
    return "\n".join(lines) + "\n"


def _independence(evaluation: Evaluation) -> str:
    if evaluation.source.get("out_of_fold"):
        return "Every patient was predicted by networks that never saw the patient."
    return f"Whether the model saw these patients in training: see the warnings below; otherwise {TO_FILL}."


def _levels(options: Options) -> list[str]:
    facts: Mapping[str, Any] = next((part.facts for part in options.made if part.key == "measures"), {})
    lines = []
    for level in (level for level in LEVELS if level in facts):
        rows = [_row(label, facts[level]["labels"][label]) for label in LABELS]
        lines += [f"## {level.capitalize()}\n", markdown_table(COLUMNS, rows)]
    return lines


def _row(label: str, found: Mapping[str, Any]) -> tuple[str, ...]:
    cut = found.get("threshold")
    rates = [text(found[name]) if name in found else "no threshold" for name in ("sensitivity", "specificity", "ppv")]
    threshold = "-" if cut is None else f"{cut:.3f}"
    return label, f"{found['positives']:,} of {found['n']:,}", text(found["auc"]), threshold, *rates
