"""Ranking, probabilities and decisions at each level, with intervals by patient."""

from collections.abc import Mapping
from typing import Any, Final

from ichscan.evaluate.cases import LEVELS, Evaluation
from ichscan.evaluate.estimate import NOT_ESTIMABLE, text
from ichscan.evaluate.measure import FIXED, METHODS, measure
from ichscan.evaluate.part import Options, Part
from ichscan.labels import LABELS
from ichscan.pages.section import Cell, Grid, Section

KEY: Final = "measures"
NO_THRESHOLD: Final = "no threshold"
SOURCE: Final = (
    "Intervals, 95 %: areas Obuchowski 1997, with few patients Newcombe 2006; rates Wilson 1927 on the effective "
    "number of rows; likelihood ratios Simel et al. 1991; the rest by resampling patients"
)
FEW: Final = 20
"""With fewer patients of a class, resampling tells too little (docs/statistics.md)."""
CLUSTERED: Final = (
    "Slices of one patient are alike. Intervals count patients, not slices; DeLong's on slices, shown for comparison, "
    "is too narrow."
)


def part(evaluation: Evaluation, options: Options) -> Part:
    """Tables of every level; facts: level -> see `ichscan.evaluate.measure.measure`, and the intervals' methods."""
    facts = {
        level: measure(evaluation.level(level), options.draws, options.seed, options.prevalence) for level in LEVELS
    }
    sections = tuple(_section(level, facts[level], evaluation.chosen_on) for level in evaluation.shown_levels)
    return Part(KEY, {"intervals": dict(METHODS), **facts}, sections)


def _section(level: str, facts: Mapping[str, Any], chosen_on: str) -> Section:
    notes = [f"{facts['n']:,} {level} of {facts['patients']:,} patients; {facts['draws']:,} resamples of patients."]
    if level == "slices":
        notes.append(CLUSTERED)
    few = [n for n, found in facts["labels"].items() if 0 < min(_sides(found)) < FEW]
    if few:
        notes.append(
            f"Fewer than {FEW} patients of a class ({', '.join(few)}): intervals by resampling are too narrow there; "
            "in simulations with 3 to 12 patients they held the truth in 80 to 89 of 100 sets."
        )
    missing = [name for name in LABELS if facts["labels"][name]["auc"] == NOT_ESTIMABLE]
    if missing:
        notes.append(f"Not estimable, because a class is missing: {', '.join(missing)}.")
    overall = facts["overall"]
    notes.append(
        f"Weighted log loss of RSNA 2019: {text(overall['weighted_log_loss'], 4)}; all six labels right: "
        f"{text(overall['exact_match'])}; mean F1 of the labels: {text(overall['macro_f1'])} ({overall['n']:,} {level} "
        "with all labels)."
    )
    notes.append(f"Thresholds: {chosen_on}")
    grids = [_ranking(level, facts), _decisions(level, facts), _ratios(level, facts), _fixed(level, facts)]
    if facts["predictive_values"] and level != "slices":
        grids.append(_predictive(level, facts))
    return Section(f"measures_{level}", f"Measures of {level}", SOURCE, tuple(notes), tuple(grids))


def _sides(label: Mapping[str, Any]) -> tuple[int, int]:
    """Patients with a positive, and patients with a negative at most."""
    return label["positive_patients"], min(label["patients"], label["negatives"])


def _rows(facts: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    return [*facts["labels"].items(), ("mean of types", facts["macro_types"]), ("mean of all", facts["macro_all"])]


def _cell(facts: Mapping[str, Any], name: str) -> str:
    return text(facts[name]) if name in facts else NO_THRESHOLD


def _ranking(level: str, facts: Mapping[str, Any]) -> Grid:
    several = facts["n"] > facts["patients"]  # with one row per patient, DeLong's interval is the one shown
    rows: list[tuple[Cell, ...]] = []
    for name, found in _rows(facts):
        auc = found["auc"]
        cells = [text(auc), _span(auc, "bootstrap"), *([_span(auc, "delong")] if several else [])]
        cells += [text(found[key]) for key in ("average_precision", "brier", "log_loss")]
        counted = "n" in found
        positives = f"{found['positives']:,} of {found['n']:,}" if counted else ""
        patients = f"{found['positive_patients']:,} of {found['patients']:,}" if counted else ""
        rows.append((name, positives, patients, *cells))
    columns = ["label", "positive", "patients with a positive", "AUC (95 %)", "AUC, resampled"]
    columns += ["AUC, DeLong on rows"] if several else []
    columns += ["average precision (95 %)", "Brier score (95 %)", "log loss (95 %)"]
    return Grid(f"ranking_{level}", "Ranking and probabilities", tuple(columns), tuple(rows))


def _span(auc: Any, name: str) -> str:
    return "{:.3f} to {:.3f}".format(*auc[name]) if isinstance(auc, dict) and auc.get(name) else ""


def _decisions(level: str, facts: Mapping[str, Any]) -> Grid:
    names = ("sensitivity", "specificity", "ppv", "npv", "f1", "accuracy", "balanced_accuracy")
    rows: list[tuple[Cell, ...]] = []
    for name, found in _rows(facts):
        cut = found.get("threshold")
        counts = [found.get(key) for key in ("tp", "fp", "tn", "fn")] if "n" in found else [""] * 4
        threshold = "" if "n" not in found else NO_THRESHOLD if cut is None else f"{cut:.3f}"
        rows.append((name, threshold, *counts, *(_cell(found, key) for key in names)))
    columns: tuple[str, ...] = (
        "label",
        "threshold",
        "TP",
        "FP",
        "TN",
        "FN",
        "sensitivity (95 %)",
        "specificity (95 %)",
        "PPV (95 %)",
    )
    columns += ("NPV (95 %)", "F1 (95 %)", "accuracy (95 %)", "balanced accuracy (95 %)")
    return Grid(f"decisions_{level}", "Decisions at the thresholds", columns, tuple(rows))


def _ratios(level: str, facts: Mapping[str, Any]) -> Grid:
    rows = tuple(
        (name, _ratio(found, "lr_positive", 1), _ratio(found, "lr_negative", 2))
        for name, found in facts["labels"].items()
    )
    return Grid(f"likelihood_ratios_{level}", "Likelihood ratios", ("label", "LR+ (95 %)", "LR- (95 %)"), rows)


def _ratio(found: Mapping[str, Any], name: str, digits: int) -> str:
    return text(found[name], digits) if name in found else NO_THRESHOLD


def _fixed(level: str, facts: Mapping[str, Any]) -> Grid:
    keys = [f"sensitivity_at_specificity_{v:g}" for v in FIXED] + [f"specificity_at_sensitivity_{v:g}" for v in FIXED]
    columns = [f"sensitivity at specificity {v:g}" for v in FIXED] + [
        f"specificity at sensitivity {v:g}" for v in FIXED
    ]
    rows = tuple((name, *(text(found[key]) for key in keys)) for name, found in facts["labels"].items())
    return Grid(f"fixed_{level}", "Read off the ROC curve of this very set (95 %)", ("label", *columns), rows)


def _predictive(level: str, facts: Mapping[str, Any]) -> Grid:
    rows = tuple((f["prevalence"], text(f["ppv"]), text(f["npv"])) for f in facts["predictive_values"])
    title = f"Predictive values of `any` where another share of {level} has hemorrhage (Bayes; Mercaldo et al. 2007)"
    return Grid(f"predictive_{level}", title, ("share with hemorrhage", "PPV (95 %)", "NPV (95 %)"), rows)
