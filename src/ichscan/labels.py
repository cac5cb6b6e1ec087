"""The six labels, in the order every array, file and table of ichscan uses."""

from typing import Final

LABELS: Final = ("epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural", "any")
"""Label order. `any` is 1 when at least one of the five types is present (multi-label, sigmoid)."""

TYPES: Final = LABELS[:5]
ANY: Final = LABELS.index("any")
