"""The parts of the evidence: each turns an evaluation into numbers for evaluation.json and sections for report.html."""
