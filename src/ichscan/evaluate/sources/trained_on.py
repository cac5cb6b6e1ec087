"""Whether a bundle may have been trained on the data it is evaluated on."""

from collections.abc import Mapping
from typing import Any, Final

from ichscan.model.spec import Spec

KEY: Final = "trained_on"
"""Entry of `about` in spec.json: a list of {"kind", "digest"} of stores; digest "" when it was no store."""
WORTH: Final = "The figures then say how well it remembers, not how well it does on new patients."


def training_warning(spec: Spec, manifest: Mapping[str, Any]) -> tuple[str, ...]:
    """One sentence when the model saw the data, may have seen it, or does not say what it saw.

    Args:
        spec: of the bundle.
        manifest: of the store.
    """
    kind, digest = str(manifest.get("kind", "")), str(manifest.get("digest", ""))
    stores = spec.about.get(KEY)
    text = str(spec.about.get("training_data", ""))
    if stores is None and not text:
        return (f"The bundle does not say what it was trained on, so it may have seen these patients. {WORTH}",)
    known = [(str(s.get("kind", "")), str(s.get("digest", ""))) for s in stores or ()]
    if any(d == digest for _, d in known) or digest in text:
        return (f"THE MODEL WAS TRAINED ON THIS DATA SET ({kind}, {digest[:16]}). {WORTH}",)
    if any(k == kind for k, _ in known) or (kind and kind.lower() in text.lower()):
        return (f"The model was trained on data of the same kind ({kind}): it may have seen these patients. {WORTH}",)
    return ()
