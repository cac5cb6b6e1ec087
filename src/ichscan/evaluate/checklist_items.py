"""The items of two reporting checklists, by number and topic in our own words, and which answer fits them.

The sentences of the checklists are their authors'; fill in the official forms from these tables.
"""

from dataclasses import dataclass
from typing import Final

CLAIM_SOURCE: Final = "Tejani, Klontzas, Gatti et al., Radiology: Artificial Intelligence 2024; 6: e240300."
"""44 items."""
TRIPOD_AI_SOURCE: Final = "Collins, Moons, Dhiman et al., BMJ 2024; 385: e078378."
"""27 items, 52 with their parts."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes:
        number: as in the checklist.
        area: of the paper.
        topic: in our words.
        answer: key of the answers of `ichscan.evaluate.checklists`; "" = only the authors can tell.
    """

    number: str
    area: str
    topic: str
    answer: str = ""


CLAIM: Final = (
    Item("1", "Title", "names the technique of artificial intelligence", "method"),
    Item("2", "Abstract", "design, methods, results, conclusions in short", "summary"),
    Item("3", "Introduction", "background, intended use and role of the model", "intended_use"),
    Item("4", "Introduction", "aims, objectives, hypotheses"),
    Item("5", "Study design", "prospective or retrospective"),
    Item("6", "Study design", "goal of the study"),
    Item("7", "Data", "where the data come from", "data"),
    Item("8", "Data", "who was included and excluded", "excluded"),
    Item("9", "Data", "preprocessing", "preprocessing"),
    Item("10", "Data", "choice of subsets", "subset"),
    Item("11", "Data", "de-identification"),
    Item("12", "Data", "missing data", "missing"),
    Item("13", "Data", "how the images were acquired", "acquisition"),
    Item("14", "Reference standard", "how it was obtained", "reference"),
    Item("15", "Reference standard", "why this one"),
    Item("16", "Reference standard", "who annotated", "reference"),
    Item("17", "Reference standard", "annotation of the test set", "reference"),
    Item("18", "Reference standard", "agreement of and within readers", "agreement"),
    Item("19", "Data partitions", "how cases were assigned", "partitions"),
    Item("20", "Data partitions", "level at which partitions are disjoint", "disjoint"),
    Item("21", "Testing data", "intended sample size", "sample"),
    Item("22", "Model", "description", "model"),
    Item("23", "Model", "software", "software"),
    Item("24", "Model", "initial values of the weights", "training"),
    Item("25", "Training", "details", "training"),
    Item("26", "Training", "how the final model was chosen", "training"),
    Item("27", "Training", "ensembles", "ensemble"),
    Item("28", "Evaluation", "measures of performance", "measures"),
    Item("29", "Evaluation", "significance and uncertainty", "uncertainty"),
    Item("30", "Evaluation", "robustness, sensitivity analysis", "robustness"),
    Item("31", "Evaluation", "explanation", "explanation"),
    Item("32", "Evaluation", "on internal data", "internal"),
    Item("33", "Evaluation", "on external data", "external"),
    Item("34", "Evaluation", "registration of the trial"),
    Item("35", "Results: data", "numbers included and excluded", "flow"),
    Item("36", "Results: data", "who the patients are, per partition", "patients"),
    Item("37", "Results: performance", "measures with uncertainty", "results"),
    Item("38", "Results: performance", "diagnostic accuracy and its precision", "accuracy"),
    Item("39", "Results: performance", "failures analysed", "failures"),
    Item("40", "Discussion", "limits", "limits"),
    Item("41", "Discussion", "what it means for practice"),
    Item("42", "Other", "protocol or further technical details", "details"),
    Item("43", "Other", "where software, model and data are", "availability"),
    Item("44", "Other", "funding"),
)

TRIPOD_AI: Final = (
    Item("1", "Title", "prediction model, population, outcome", "method"),
    Item("2", "Abstract", "structured summary (TRIPOD+AI for abstracts)", "summary"),
    Item("3a", "Background", "medical context and reason", "intended_use"),
    Item("3b", "Background", "population and users", "intended_use"),
    Item("3c", "Background", "known inequalities between groups"),
    Item("4", "Objectives", "development, evaluation, or both", "stage"),
    Item("5a", "Data", "sources, and how far they are representative", "data"),
    Item("5b", "Data", "dates"),
    Item("6a", "Participants", "setting and centres"),
    Item("6b", "Participants", "who was eligible", "excluded"),
    Item("6c", "Participants", "treatments"),
    Item("7", "Data preparation", "preprocessing and checks", "preprocessing"),
    Item("8a", "Outcome", "definition and how it was assessed", "reference"),
    Item("8b", "Outcome", "who assessed it", "reference"),
    Item("8c", "Outcome", "blinding of that"),
    Item("9a", "Predictors", "which, and why", "predictors"),
    Item("9b", "Predictors", "definition and measurement", "acquisition"),
    Item("9c", "Predictors", "who assessed them", "predictors"),
    Item("10", "Sample size", "how it came about", "sample"),
    Item("11", "Missing data", "how they were handled", "missing"),
    Item("12a", "Analysis", "how the data were used and partitioned", "partitions"),
    Item("12b", "Analysis", "form of the predictors", "preprocessing"),
    Item("12c", "Analysis", "model, its building and internal validation", "training"),
    Item("12d", "Analysis", "differences between clusters", "robustness"),
    Item("12e", "Analysis", "measures of performance", "measures"),
    Item("12f", "Analysis", "updating of the model", "thresholds"),
    Item("12g", "Analysis", "how predictions were made", "predicted"),
    Item("13", "Class imbalance", "methods, and recalibration after them", "imbalance"),
    Item("14", "Fairness", "what was done for it", "fairness"),
    Item("15", "Output", "what the model gives, thresholds", "thresholds"),
    Item("16", "Training against evaluation", "differences of the data", "differences"),
    Item("17", "Ethics", "approval and consent"),
    Item("18a", "Open science", "funding"),
    Item("18b", "Open science", "conflicts of interest"),
    Item("18c", "Open science", "protocol"),
    Item("18d", "Open science", "registration"),
    Item("18e", "Open science", "where the data are", "availability"),
    Item("18f", "Open science", "where the code is", "availability"),
    Item("19", "Patients and public", "their part in the study"),
    Item("20a", "Participants", "flow, numbers with the outcome", "flow"),
    Item("20b", "Participants", "characteristics, groups", "patients"),
    Item("20c", "Participants", "comparison with the training data", "differences"),
    Item("21", "Model development", "numbers in each analysis", "counts"),
    Item("22", "Model specification", "the model itself, for others to use", "model"),
    Item("23a", "Performance", "with intervals, in key groups", "results"),
    Item("23b", "Performance", "differences between clusters", "robustness"),
    Item("24", "Updating", "results of it", "thresholds"),
    Item("25", "Discussion", "interpretation, fairness"),
    Item("26", "Discussion", "limits", "limits"),
    Item("27a", "Usability", "input of poor quality", "poor_input"),
    Item("27b", "Usability", "what users do and must know", "intended_use"),
    Item("27c", "Usability", "next steps"),
)
