"""Checks of an installation: packages, decoders, model, self-test. Prints nothing; the command line shows them."""

from ichscan.doctor.check import Check, State
from ichscan.doctor.examine import examine_installation
from ichscan.doctor.self_test import self_test, self_test_volume

__all__ = ["Check", "State", "examine_installation", "self_test", "self_test_volume"]
