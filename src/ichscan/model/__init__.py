"""From HU to calibrated probabilities, with a bundle as the only source of settings. No torch."""
