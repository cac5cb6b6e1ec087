"""Recipes to model bundles. The only part of ichscan that imports torch."""
