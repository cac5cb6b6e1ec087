"""Labelled collections: their layout, labels and images as scans in HU."""
