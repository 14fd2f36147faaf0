"""Synthetic plants with faults in them, and how soon detectors find these."""
