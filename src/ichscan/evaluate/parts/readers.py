"""The model beside human readers, in the layout of Burduja et al. 2020, tables 4 and 5, and how far they agree."""

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any, Final

import numpy as np

from ichscan.errors import UsageError
from ichscan.evaluate.agreement import Agreement
from ichscan.evaluate.cases import UNKNOWN, Cases, Evaluation
from ichscan.evaluate.estimate import estimate, number, text
from ichscan.evaluate.part import Options, Part
from ichscan.evaluate.reader_study import Score, Study, raters_of, study
from ichscan.evaluate.readers import MODEL, REFERENCE, HumanReads, human_reads
from ichscan.labels import LABELS
from ichscan.pages.section import Cell, Grid, Section

KEY: Final = "readers"
TITLE: Final = "Model and readers"
SOURCE: Final = (
    "Layout: Burduja et al. 2020, tables 4 and 5. Agreement: Cohen 1960, Fleiss 1971. Intervals: Wilson 1927 on the "
    "effective number of cases; kappa: jackknife over patients. Test: McNemar 1947, by patient."
)
REFERENCES: Final = ("labels", "readers")
MEASURES: Final[tuple[tuple[str, Callable[[Score], float]], ...]] = (
    ("Accuracy", lambda s: s.decisions.accuracy),
    ("Sensitivity", lambda s: s.decisions.sensitivity),
    ("Specificity", lambda s: s.decisions.specificity),
    ("ROC-AUC", lambda s: s.auc_decisions),
)
"""The rows of table 5."""


def part(evaluation: Evaluation, options: Options) -> Part:
    """Compares the model with the reads of `options.readers`; without them there is nothing to tell.

    Raises:
        DataError: the file cannot be used; see `ichscan.evaluate.readers.human_reads`.
        UsageError: an unknown reference.
    """
    if options.reference not in REFERENCES:
        raise UsageError(f"reference {options.reference!r}: expected one of {', '.join(REFERENCES)}")
    if options.readers is None:
        return Part(KEY, {"readers": "none given"}, ())
    reads = human_reads(options.readers, evaluation)
    cases = evaluation.level(reads.level)
    reference = cases.y if options.reference == "labels" else reads.majority()
    found = study(raters_of(cases, reads), reference, cases.patients)
    facts = {
        "level": reads.level,
        "reference": options.reference,
        "reads": dict(reads.counts),
        "cases": {label: found.positives[c] + found.negatives[c] for c, label in enumerate(LABELS)},
        "positives": dict(zip(LABELS, found.positives, strict=True)),
        "raters": {name: _rater_facts(found, name) for name in found.scores},
        "model_against": {
            name: {label: asdict(test) for label, test in by_label.items()} for name, by_label in found.tests.items()
        },
        "shared_mistakes": [{"raters": list(pair), "decisions": n} for pair, n in found.shared.items()],
        "cohen_kappa": [
            {"raters": list(pair)} | {label: _kappa_fact(a) for label, a in by_label.items()}
            for pair, by_label in found.pairs.items()
        ],
        "fleiss_kappa": {k: _kappa_fact(a) for k, a in found.fleiss.items()} if found.fleiss else "one reader",
    }
    grids = (
        _table4(found),
        _table5(found),
        _counts(found),
        _wrong(found),
        *_tests(found),
        _cohen(found),
        *_fleiss(found),
    )
    return Part(KEY, facts, (Section(KEY, TITLE, SOURCE, _notes(reads, cases, options, found), grids),))


def _notes(reads: HumanReads, cases: Cases, options: Options, found: Study) -> tuple[str, ...]:
    counts = reads.counts
    read = int((reads.votes != UNKNOWN).any(axis=(0, 2)).sum())
    notes = [
        f"{len(reads.readers)} readers, {counts['lines']:,} reads of {read:,} of {len(cases):,} {reads.level}. "
        "Measures are taken on the cases that all readers and the model decided and the reference knows, label by "
        "label: see the counts of the first table.",
        "As in the paper, ROC-AUC is that of the decisions, (sensitivity + specificity) / 2, for readers and model "
        "alike: a reader gives no probabilities. The model's own AUC stands with the counts.",
    ]
    odd = [f"{n:,} {name}" for name, n in counts.items() if name != "lines" and n]
    if odd:
        notes.append(
            f"Of the lines: {'; '.join(odd)}. Unknown ids and reads that name a type but deny hemorrhage are left out."
        )
    if options.reference == "readers":
        ties = int(((reads.votes != UNKNOWN).any(axis=0) & (reads.majority() == UNKNOWN)).sum())
        notes.append(
            f"The reference is the majority of the readers ({ties:,} ties left out): it flatters each of them, as each "
            "has a vote in it. The model has none."
        )
    if np.isnan(cases.thresholds).all():
        notes.append("The model has no thresholds at this level, so its decisions are not estimable.")
    empty = [label for c, label in enumerate(LABELS) if found.positives[c] + found.negatives[c] == 0]
    if empty:
        notes.append(f"No case that everybody decided, so not estimable: {', '.join(empty)}.")
    return tuple(notes)


def _names(found: Study) -> list[str]:
    return [r.name for r in found.raters]


def _title(name: str) -> str:
    return "Model" if name == MODEL else f"Reader {name}"


def _table4(found: Study) -> Grid:
    rows: tuple[tuple[Cell, ...], ...] = (("Positive", *found.positives), ("Negative", *found.negatives))
    return Grid("cases", "Distribution of the labels in the cases read (table 4)", ("label", *LABELS), rows)


def _table5(found: Study) -> Grid:
    rows: list[tuple[Cell, ...]] = [
        (_title(name), measure, *(_two_digits(of(score)) for score in found.scores[name]))
        for name in _names(found)
        for measure, of in MEASURES
    ]
    title = "Performance of readers and model against the reference (table 5)"
    return Grid("performance", title, ("", "measure", *LABELS), tuple(rows))


def _counts(found: Study) -> Grid:
    rows: list[tuple[Cell, ...]] = []
    for name in _names(found):
        for label, score in zip(LABELS, found.scores[name], strict=True):
            d = score.decisions
            rates = (text(score.facts["sensitivity"], 2), text(score.facts["specificity"], 2))
            rows.append((_title(name), label, d.tp, d.fp, d.tn, d.fn, *rates, _two_digits(score.auc_probabilities)))
    columns = ("", "label", "TP", "FP", "TN", "FN", "sensitivity (95 %)", "specificity (95 %)", "AUC of probabilities")
    return Grid("counts", "The counts behind it", columns, tuple(rows))


def _wrong(found: Study) -> Grid:
    total = sum(found.positives) + sum(found.negatives)
    names = _names(found)
    shared = {frozenset(pair): n for pair, n in found.shared.items()}
    rows = tuple(
        (
            _title(a), found.wrong[a], found.wrong[a] / total if total else None,
            *(found.wrong[a] if a == b else shared[frozenset((a, b))] for b in names),
        )
        for a in names
    )  # fmt: skip
    title = f"Decisions against the reference, of {total:,}, and those that two have in common: labels to read again"
    return Grid("wrong", title, ("", "wrong", "share", *map(_title, names)), rows)


def _tests(found: Study) -> tuple[Grid, ...]:
    rows = tuple(
        (_title(name), label, test.first_only, test.second_only, round(test.clustered, 4))
        for name, by_label in found.tests.items()
        for label, test in by_label.items()
    )
    if not rows:
        return ()
    columns = ("", "label", "only the model is right", "only the reader is right", "p (McNemar)")
    return (Grid("mcnemar", "Model against each reader, case by case; not corrected for their number", columns, rows),)


def _cohen(found: Study) -> Grid:
    def title(name: str) -> str:
        return "Reference" if name == REFERENCE else _title(name)

    rows = tuple(
        (f"{title(a)} - {title(b)}", *(text(_kappa_fact(k), 2) for k in by_label.values()))
        for (a, b), by_label in found.pairs.items()
    )
    return Grid("cohen", "Cohen's kappa of pairs (95 %), on the cases that both decided", ("pair", *LABELS), rows)


def _fleiss(found: Study) -> tuple[Grid, ...]:
    if found.fleiss is None:
        return ()
    rows = tuple((label, a.rows, text(_kappa_fact(a), 2), number(a.percent)) for label, a in found.fleiss.items())
    columns = ("label", "cases", "kappa (95 %)", "share of agreeing pairs")
    return (Grid("fleiss", "Fleiss' kappa of all readers, on the cases that all of them decided", columns, rows),)


def _rater_facts(found: Study, name: str) -> dict[str, Any]:
    labels: dict[str, Mapping[str, Any]] = {}
    for label, score in zip(LABELS, found.scores[name], strict=True):
        areas = {"auc_decisions": number(score.auc_decisions), "auc_probabilities": number(score.auc_probabilities)}
        labels[label] = score.facts | areas
    return {"wrong_decisions": found.wrong[name], "labels": labels}


def _kappa_fact(agreement: Agreement) -> Any:
    fact = estimate(agreement.kappa, (agreement.low, agreement.high))
    return fact | {"cases": agreement.rows} if isinstance(fact, dict) else fact


def _two_digits(value: float) -> Cell:
    """As the paper prints it: two digits, a dash where there is nothing to divide by."""
    return None if np.isnan(value) else f"{value:.2f}"
