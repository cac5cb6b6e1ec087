"""Bleeds of the five types set into the head CT of a healthy patient, in HU, with their masks.

For training where real bleeds are rare, for demonstrations and for tests. They are drawings: see docs/simulation.md.
"""

from ichscan.simulate.bleed import BLEEDS, Parameters, Simulated, apply, draw, simulate
from ichscan.simulate.head import Head, prepare

__all__ = ["BLEEDS", "Head", "Parameters", "Simulated", "apply", "draw", "prepare", "simulate"]
