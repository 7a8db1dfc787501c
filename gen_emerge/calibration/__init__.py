"""Calibration: evidence -> thresholds, in versions."""
