"""Metrics with intervals, thresholds and calibration, all from numpy arrays."""
