"""ichscan: intracranial hemorrhage in non-contrast head CT, per slice and per scan. Not a medical device."""

__version__ = "0.1.0"
