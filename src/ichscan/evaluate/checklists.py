"""Answers to the items of CLAIM and TRIPOD+AI, as far as an evaluation knows them; nothing is made up."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from ichscan import __version__
from ichscan.evaluate.cases import LEVELS, UNKNOWN, Evaluation
from ichscan.evaluate.checklist_items import Item
from ichscan.evaluate.estimate import text
from ichscan.evaluate.groups import patients_in_two
from ichscan.evaluate.markdown import markdown_table
from ichscan.evaluate.part import Options, Part
from ichscan.labels import ANY, LABELS, TYPES
from ichscan.model.spec import SPEC_FILE

TO_FILL: Final = "to be filled in by the authors"
FEW: Final = 30
"""Fewer patients with a type than this are told as a limit; ours."""
PAPERS: Final[Mapping[str, str]] = {
    "ct-ich": "Hssayeni et al., Data 2020; 5: 14",
    "cq500": "Chilamkurthy et al., Lancet 2018; 392: 2388-96",
    "rsna-2019": "Flanders et al., Radiology: Artificial Intelligence 2020; 2: e190211",
}
"""Where the reference standard of public data sets is described."""
Answers = dict[str, str]


def answers(evaluation: Evaluation, options: Options) -> Answers:
    """What this evaluation can answer, by key of `checklist_items`; keys without an answer are absent."""
    made = {part.key: part for part in options.made}
    spec = bundle_spec(options.bundle)
    found = _of_data(evaluation) | _of_design(evaluation) | _of_report(made) | _of_model(evaluation, options, spec)
    return {key: answer for key, answer in found.items() if answer}


def filled(items: Sequence[Item], known: Answers) -> list[tuple[str, str, str, str]]:
    """Rows of (number, area, topic, answer)."""
    return [(i.number, i.area, i.topic, known.get(i.answer, TO_FILL)) for i in items]


def to_markdown(title: str, source: str, items: Sequence[Item], known: Answers) -> str:
    """A checklist as a document; each answer is a beginning that the authors check."""
    rows = filled(items, known)
    open_items = sum(answer == TO_FILL for *_, answer in rows)
    return (
        f"# {title}\n\n{source} Topics in our words; numbers as in the checklist: compare them with the official "
        f"form.\nFilled in by ichscan {__version__} from the evaluation where it knows the answer; {open_items} of "
        f"{len(rows)} items are left to the authors, who should check the others, too.\n\n"
        + markdown_table(("item", "area", "topic", "answer"), rows)
    )


def bundle_spec(folder: Path | None) -> Mapping[str, Any]:
    """spec.json of a bundle; empty without one."""
    if folder is None or not (folder / SPEC_FILE).is_file():
        return {}
    spec: Mapping[str, Any] = json.loads((folder / SPEC_FILE).read_text(encoding="utf-8"))
    return spec


def limits(evaluation: Evaluation) -> list[str]:
    """What the data of this evaluation cannot tell, one sentence each."""
    patients = evaluation.patients
    found = [str(warning) for warning in evaluation.data.get("warnings", ())]
    few = [
        f"{label} ({(patients.y[:, c] == 1).sum()} patients)"
        for c, label in enumerate(TYPES)
        if (patients.y[:, c] == 1).sum() < FEW
    ]
    if few:
        found.append(f"Fewer than {FEW} patients with {', '.join(few)}: these figures are rough.")
    for level in LEVELS:
        missing = [label for c, label in enumerate(LABELS) if not evaluation.level(level).label(c).estimable]
        if missing:
            found.append(f"Not estimable on {level}: {', '.join(missing)}.")
    return found


def _of_data(evaluation: Evaluation) -> Answers:
    data, slices = evaluation.data, evaluation.slices
    kind = str(data.get("kind", ""))
    numbers = ", ".join(f"{len(evaluation.level(level)):,} {level}" for level in reversed(LEVELS))
    positives = ", ".join(
        f"{int((evaluation.patients.y[:, c] == 1).sum()):,} {label}" for c, label in enumerate(LABELS)
    )
    unknown, unpredicted = int((slices.y == UNKNOWN).sum()), int(np.isnan(slices.p).sum())
    failed = len(data.get("failed", ()))
    left_out = (
        f"{failed:,} scans that could not be analysed, {data.get('labels_without_predictions', 0):,} slices without "
        f"prediction, {data.get('predictions_without_labels', 0):,} without label"
    )
    digest = f", digest {str(data['digest'])[:16]}" if data.get("digest") else ""
    paper = PAPERS.get(kind, "")
    return {
        "data": f"{kind}{digest}: {numbers}. How representative they are: {TO_FILL}.",
        "counts": f"{numbers}; patients with: {positives}.",
        "flow": f"Evaluated: {numbers}; patients with: {positives}. Left out: {left_out}.",
        "excluded": f"By this evaluation: {left_out}. Eligibility before that: {TO_FILL}.",
        "subset": _subset(data),
        "missing": f"{unknown:,} labels and {unpredicted:,} predictions of slices are unknown; measures leave them "
        "out, label by label.",
        "sample": f"No calculation; what there was: {numbers}; patients with: {positives}.",
        "reference": f"Labels of the data set as published: {paper}." if paper else "",
        "limits": " ".join((*limits(evaluation), f"Limits of the study: {TO_FILL}.")),
    }


def _subset(data: Mapping[str, Any]) -> str:
    chosen = [f"part {data['part']}"] if data.get("part") else []
    chosen += [str(data["restricted_to"])] if data.get("restricted_to") else []
    return "; ".join(chosen) or "all labelled slices of the data"


def _of_design(evaluation: Evaluation) -> Answers:
    slices, out_of_fold = evaluation.slices, bool(evaluation.source.get("out_of_fold"))
    found = {"stage": "evaluation" + (" by cross-validation" if out_of_fold else "")}
    if not out_of_fold or not (slices.fold >= 0).all():
        return found
    patients, folds = len(np.unique(slices.patients)), len(np.unique(slices.fold))
    twice = patients_in_two(slices.patients, slices.fold)
    disjoint = "patients; checked: no patient is in two folds" if twice == 0 else f"{twice} patients are in two folds"
    return found | {
        "partitions": f"{folds}-fold cross-validation; each slice is predicted by networks that did not learn from its "
        "fold.",
        "disjoint": disjoint,
        "internal": f"cross-validation over {folds} folds, {patients:,} patients",
    }


def _of_report(made: Mapping[str, Part]) -> Answers:
    """Answers that are sections of the report, where these were made."""
    return {
        "summary": _headline(made),
        "results": _headline(made, sections=True),
        "accuracy": _headline(made, sections=True),
        "measures": _sections(made, "measures", "calibration", "operating_points"),
        "uncertainty": _uncertainty(made),
        "robustness": _sections(made, "subgroups"),
        "fairness": _sections(made, "subgroups"),
        "patients": _sections(made, "subgroups"),
        "acquisition": _sections(made, "subgroups"),
        "explanation": _sections(made, "localisation"),
        "agreement": _sections(made, "readers"),
        "failures": _sections(made, "gallery", "label_audit"),
        "imbalance": _sections(made, "calibration"),
    }


def _of_model(evaluation: Evaluation, options: Options, spec: Mapping[str, Any]) -> Answers:
    source = evaluation.source
    name = " ".join(str(source[key]) for key in ("name", "version") if source.get(key))
    found = {
        "predicted": f"{source.get('kind')} {name}".strip(),
        "thresholds": f"Six probabilities from 0 to 1; positive means at least the threshold. Thresholds: "
        f"{evaluation.chosen_on}.",
        "software": f"evaluation: ichscan {__version__}",
        "availability": f"ichscan: Apache-2.0. Data: {TO_FILL}.",
    }
    if options.run is not None:
        found["training"] = f"recipe, seeds, versions and timings: manifest.json of the run {options.run.name}"
        found["details"] = found["training"]
    if not spec:
        return found
    about = spec.get("about", {})
    found["predictors"] = "The pixels of the CT slices in HU; no clinical data."
    found["poor_input"] = "Series that are no axial head CT are refused with a reason and counted."
    found["method"] = str(about.get("description", ""))
    found["intended_use"] = f"{about['intended_use']}. Context: {TO_FILL}." if about.get("intended_use") else ""
    found["model"] = f"{spec['name']} {spec['version']}; {SPEC_FILE} and MODEL_CARD.md of the bundle"
    found["ensemble"] = f"{len(spec.get('weights', {}))} network files in the bundle"
    found["preprocessing"] = _preprocessing(spec.get("input", {}))
    found["differences"] = f"Trained on: {about['training_data']}" if about.get("training_data") else ""
    if "recipe" in about:
        found.setdefault("training", f"recipe in the bundle's {SPEC_FILE}, about.recipe")
    if about.get("weights_licence"):
        found["availability"] = f"ichscan: Apache-2.0. Weights: {about['weights_licence']}. Data: {TO_FILL}."
    return found


def _preprocessing(given: Mapping[str, Any]) -> str:
    if not given:
        return ""
    windows = ", ".join(f"{c['center']:g}/{c['width']:g} HU at {c['offset_mm']:g} mm" for c in given["channels"])
    return f"windows (center/width) {windows}; crop {given['crop']}; {given['size']} x {given['size']} pixels"


def _headline(made: Mapping[str, Part], sections: bool = False) -> str:
    if "measures" not in made:
        return ""
    told = []
    for level in ("scans", "slices"):
        one = made["measures"].facts[level]["labels"][LABELS[ANY]]
        rates = "".join(f", {name} {text(one[name])}" for name in ("sensitivity", "specificity") if name in one)
        told.append(f"any hemorrhage on {level}: AUC {text(one['auc'])}{rates}")
    return "; ".join(told) + (f"; {_sections(made, 'measures')}" if sections else "")


def _uncertainty(made: Mapping[str, Part]) -> str:
    if "measures" not in made:
        return ""
    methods = made["measures"].facts.get("intervals", {})
    return "95 % intervals: " + "; ".join(f"{name}: {how}" for name, how in methods.items())


def _sections(made: Mapping[str, Part], *keys: str) -> str:
    titles = [f'"{section.title}"' for key in keys if key in made for section in made[key].sections]
    return f"report.html, {', '.join(titles)}" if titles else ""
