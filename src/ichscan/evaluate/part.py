"""A part of the evidence: what the JSON holds of it, and what the page shows."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from ichscan.pages.section import Section

if TYPE_CHECKING:
    from ichscan.datasets.store import SliceStore
    from ichscan.evaluate.cases import Evaluation
    from ichscan.evaluate.triage import Worklist

DRAWS: Final = 1000
AUDIT: Final = 20


@dataclass(frozen=True, slots=True)
class Options:
    """What a person chose on the command line.

    Attributes:
        out: folder of the report; parts that write files write below it.
        draws: bootstrap resamples of patients.
        seed: of all resampling.
        prevalence: share of patients with hemorrhage for which predictive values are told; None = the data's own.
        store: the images, for parts that show them; None when only tables were given.
        run: folder of the training run that is evaluated, for its own figures; None when something else is.
        bundle: folder of the model bundle that is evaluated, or that the run made; None when there is none.
        other: a second source of predictions on the same data, to compare with; None = none.
        made: the parts of this report that are already made, for those that sum them up.
        grading: slices per scan of the sheet on which readers grade heat maps; 0 = no sheet.
        rule: how `--choose` chose the thresholds on this very data; "" = they come from elsewhere.
    """

    out: Path
    draws: int = DRAWS
    seed: int = 0
    prevalence: float | None = None
    store: "SliceStore | None" = None
    readers: Path | None = None
    reference: str = "labels"
    audit: int = AUDIT
    worklist: "Worklist | None" = None
    run: Path | None = None
    bundle: Path | None = None
    other: "Evaluation | None" = None
    rule: str = ""
    grading: int = 0
    made: "tuple[Part, ...]" = ()


@dataclass(frozen=True, slots=True)
class Part:
    """Result of one part.

    Attributes:
        key: name in evaluation.json.
        facts: JSON values only; NaN is written as null; "not estimable" where that is the answer.
        sections: of report.html, in order.
    """

    key: str
    facts: Mapping[str, Any]
    sections: tuple[Section, ...]
