"""Exploration of an imported data set: every table and figure of Alqaisi & Almashagbeh 2025, sections 3.2.4, 4.1-4.5.

`profile` writes them as one page for people and one JSON document for programs. Sections hold numbers only; drawing
and writing are apart from counting.
"""

from ichscan.datasets.profile.run import profile

__all__ = ["profile"]
