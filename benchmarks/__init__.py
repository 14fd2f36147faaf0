"""Measures the detector and the messaging; each module is a program of its own."""
